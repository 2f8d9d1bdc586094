// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const documented = `
# A file begins with words about it.

# -- The name;
# empty by default.
name: ""

section:
  # -- How many.
  # @schema {minimum: 1}
  count: 2
  # -- Anything.
  free: {a: 1}
`

func TestValuesAreReadWithTheirComments(t *testing.T) {
	values, err := parse([]byte(documented))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := rowsOf(values, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{"name", "string", `""`, "The name; empty by default."},
		{"section.count", "integer", "2", "How many."},
		{"section.free", "map", `{"a":1}`, "Anything."},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got %+v\nwant %+v", rows, want)
	}
}

func TestSchemaHasWhatTheCommentsAdd(t *testing.T) {
	values, err := parse([]byte(documented))
	if err != nil {
		t.Fatal(err)
	}
	out, err := schemaFile(values)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		AdditionalProperties bool
		Properties           struct {
			Name    struct{ Type, Description string }
			Section struct {
				AdditionalProperties *bool
				Properties           struct {
					Count struct {
						Type             string
						Minimum, Default int
					}
					Free struct {
						Type                 string
						AdditionalProperties *bool
					}
				}
			}
		}
	}
	if err := json.Unmarshal(out, &schema); err != nil {
		t.Fatal(err)
	}
	section := schema.Properties.Section
	if schema.AdditionalProperties || section.AdditionalProperties == nil || *section.AdditionalProperties {
		t.Error("unknown values are let pass")
	}
	if c := section.Properties.Count; c.Type != "integer" || c.Minimum != 1 || c.Default != 2 {
		t.Errorf("count: %+v", c)
	}
	if f := section.Properties.Free; f.Type != "object" || f.AdditionalProperties != nil {
		t.Errorf("free: %+v", f)
	}
}

func TestWhatIsNotDocumentedIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"no comment":               {"a: 1\n", "a has no comment"},
		"no comment, deeper":       {"s:\n  # -- A.\n  a: 1\n  b: 2\n", "s.b has no comment"},
		"another kind of comment":  {"# Just so.\na: 1\n", `what is "Just so."`},
		"words after the schema":   {"# -- A.\n# @schema {minimum: 1}\n# more\na: 1\n", `what is "more"`},
		"a schema that is no YAML": {"# -- A.\n# @schema {minimum\na: 1\n", "@schema"},
		"a default without a type": {"# -- A.\na: null\n", "has no type"},
		"an empty section":         {"s: {}\n", "s has no comment"},
		"not a map":                {"- a\n", "not a map"},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := parse([]byte(c.source))
			if err == nil {
				_, err = schemaFile(values)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
