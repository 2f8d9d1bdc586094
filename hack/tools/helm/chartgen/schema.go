// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// schemaFile is values.schema.json: what is not in values.yaml is refused, but for Helm's own "global".
func schemaFile(values []*value) ([]byte, error) {
	schema, err := sectionSchema(values)
	if err != nil {
		return nil, err
	}
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"] = "Values of the feedbackbridge chart"
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("properties are %T", schema["properties"])
	}
	properties["global"] = map[string]any{"type": "object", "description": "Values that Helm shares with other charts; not used."}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func sectionSchema(values []*value) (map[string]any, error) {
	properties := map[string]any{}
	for _, v := range values {
		schema, err := valueSchema(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		properties[v.name] = schema
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}, nil
}

func valueSchema(v *value) (map[string]any, error) {
	if v.isSection() {
		return sectionSchema(v.children)
	}
	name, err := kind(v.preset)
	if err != nil {
		return nil, err
	}
	schema := map[string]any{"type": name, "description": v.doc, "default": v.preset}
	maps.Copy(schema, v.schema)
	return schema, nil
}
