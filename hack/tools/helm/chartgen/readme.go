// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

//go:embed README.md.tmpl
var readmeTemplate string

// chartInfo is what the README says of Chart.yaml.
type chartInfo struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Version     string `yaml:"version"`
	AppVersion  string `yaml:"appVersion"`
	KubeVersion string `yaml:"kubeVersion"`
}

// row is one value in the README's table.
type row struct{ Key, Type, Default, Doc string }

func readme(chart []byte, values []*value) ([]byte, error) {
	var info chartInfo
	if err := yaml.Unmarshal(chart, &info); err != nil {
		return nil, fmt.Errorf("Chart.yaml: %w", err)
	}
	rows, err := rowsOf(values, "")
	if err != nil {
		return nil, err
	}
	parsed, err := template.New("README.md").Parse(readmeTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, struct {
		Chart chartInfo
		Rows  []row
	}{info, rows}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func rowsOf(values []*value, path string) ([]row, error) {
	var rows []row
	for _, v := range values {
		key := strings.TrimPrefix(path+"."+v.name, ".")
		if v.isSection() {
			more, err := rowsOf(v.children, key)
			if err != nil {
				return nil, err
			}
			rows = append(rows, more...)
			continue
		}
		preset, err := toJSON(v.preset)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		name, err := typeName(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		rows = append(rows, row{Key: key, Type: name, Default: preset, Doc: strings.ReplaceAll(v.doc, "|", `\|`)})
	}
	return rows, nil
}

// typeName is a value's type in words.
func typeName(v *value) (string, error) {
	names := map[string]string{"array": "list", "object": "map"}
	word := func(s string) string {
		if w, ok := names[s]; ok {
			return w
		}
		return s
	}
	if choices, ok := v.schema["enum"].([]any); ok {
		var words []string
		for _, c := range choices {
			words = append(words, fmt.Sprint(c))
		}
		return strings.Join(words, ", "), nil
	}
	if several, ok := v.schema["type"].([]any); ok {
		var words []string
		for _, c := range several {
			words = append(words, word(fmt.Sprint(c)))
		}
		return strings.Join(words, " or "), nil
	}
	name, err := kind(v.preset)
	return word(name), err
}
