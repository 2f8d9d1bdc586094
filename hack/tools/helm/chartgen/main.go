// SPDX-License-Identifier: Apache-2.0

// Command chartgen makes the files of the chart that have their source elsewhere: the CRD, the role, the alerts and the
// dashboard are those of config/; values.schema.json and README.md come from the comments of values.yaml.
//
//	go -C hack/tools/helm run ./chartgen --root ../../..            # write them
//	go -C hack/tools/helm run ./chartgen --root ../../.. --check    # fail where one is not current
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// copies are the chart's files, and what each is a copy of.
var copies = map[string]string{
	"files/crd.yaml":       "config/crd/bases/feedbackbridge.dev_feedbackbridges.yaml",
	"files/role.yaml":      "config/rbac/role.yaml",
	"files/rules.yaml":     "config/prometheus/rules.yaml",
	"files/dashboard.json": "config/prometheus/feedbackbridge.json",
}

func main() {
	root := flag.String("root", ".", "the repository's root")
	check := flag.Bool("check", false, "write nothing; fail where a file is not current")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "chartgen:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	chart := filepath.Join(root, "charts", "feedbackbridge")
	files, err := generate(root, chart)
	if err != nil {
		return err
	}
	var stale []error
	for name, content := range files {
		path := filepath.Join(chart, name)
		if !check {
			if err := write(path, content); err != nil {
				return err
			}
			continue
		}
		// A file that is missing is stale, too.
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, content) {
			stale = append(stale, fmt.Errorf("%s is not what its source gives: run 'make chart' and commit", path))
		}
	}
	slices.SortFunc(stale, func(a, b error) int { return bytes.Compare([]byte(a.Error()), []byte(b.Error())) })
	return errors.Join(stale...)
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// generate returns the content of every generated file, by its path in the chart.
func generate(root, chart string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for to, from := range copies {
		content, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return nil, err
		}
		files[to] = content
	}
	source, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return nil, err
	}
	values, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	if files["values.schema.json"], err = schemaFile(values); err != nil {
		return nil, err
	}
	metadata, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		return nil, err
	}
	if files["README.md"], err = readme(metadata, values); err != nil {
		return nil, err
	}
	return files, nil
}
