// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value is one key of values.yaml: a section, which has children, or something that a person sets.
type value struct {
	name string
	// doc says what it is; only sections may have none.
	doc string
	// schema is what "# @schema" adds.
	schema map[string]any
	// preset is the default, as JSON would have it.
	preset   any
	children []*value
}

// isSection is whether a value only holds others. A map with a comment of its own is set as a whole.
func (v *value) isSection() bool { return v.doc == "" }

// parse reads values.yaml. Every value has to be documented.
func parse(source []byte) ([]*value, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a map")
	}
	return parseMap(document.Content[0], "")
}

func parseMap(node *yaml.Node, path string) ([]*value, error) {
	var values []*value
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, content := node.Content[i], node.Content[i+1]
		v := &value{name: key.Value}
		at := strings.TrimPrefix(path+"."+v.name, ".")
		var err error
		if v.doc, v.schema, err = parseComment(key.HeadComment); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", key.Line, at, err)
		}
		if err := content.Decode(&v.preset); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", key.Line, at, err)
		}
		if v.isSection() {
			if content.Kind != yaml.MappingNode || len(content.Content) == 0 || v.schema != nil {
				return nil, fmt.Errorf("line %d: %s has no comment that begins with \"# --\"", key.Line, at)
			}
			if v.children, err = parseMap(content, at); err != nil {
				return nil, err
			}
		}
		values = append(values, v)
	}
	return values, nil
}

// parseComment reads the text after "--", and the schema after "@schema", of the comment before a key.
func parseComment(comment string) (doc string, schema map[string]any, err error) {
	var words []string
	for line := range strings.Lines(comment) {
		text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#"))
		switch first, isDoc := strings.CutPrefix(text, "-- "); {
		case isDoc && words == nil:
			words = append(words, first)
		case strings.HasPrefix(text, "@schema "):
			if schema != nil {
				return "", nil, errors.New("two @schema lines")
			}
			if err := yaml.Unmarshal([]byte(strings.TrimPrefix(text, "@schema ")), &schema); err != nil {
				return "", nil, fmt.Errorf("@schema: %w", err)
			}
		case words != nil && schema == nil && text != "":
			words = append(words, text)
		case text != "":
			return "", nil, fmt.Errorf("what is %q? A comment begins with \"# --\", and @schema comes last", text)
		}
	}
	return strings.Join(words, " "), schema, nil
}

// kind is the JSON schema type of a default.
func kind(preset any) (string, error) {
	switch preset.(type) {
	case string:
		return "string", nil
	case int:
		return "integer", nil
	case bool:
		return "boolean", nil
	case []any:
		return "array", nil
	case map[string]any:
		return "object", nil
	default:
		return "", fmt.Errorf("the default %v has no type", preset)
	}
}

// toJSON is a default on one line.
func toJSON(preset any) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(preset); err != nil {
		return "", err
	}
	return strings.TrimSpace(b.String()), nil
}
