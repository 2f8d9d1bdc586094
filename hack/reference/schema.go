// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

type schema = apiextensionsv1.JSONSchemaProps

// durationPattern is how the CRD writes the API's Duration.
const durationPattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`

// foreign are fields of Kubernetes' own types, which are documented there.
var foreign = []string{"affinity", "tolerations", "resources", "conditions"}

// readCRD reads the schema of the only version.
func readCRD(path string) (*schema, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the CRD: %w", err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		return nil, fmt.Errorf("read the CRD: %w", err)
	}
	if len(crd.Spec.Versions) != 1 || crd.Spec.Versions[0].Schema == nil {
		return nil, errors.New("read the CRD: it should have one version, with a schema")
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema, nil
}

// schema writes a section for spec and status, and one for each of their parts that has parts of its own.
func (p *page) schema(crd *schema) {
	for _, top := range []string{"spec", "status"} {
		s := crd.Properties[top]
		p.heading(2, top)
		p.fields(top, &s)
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			part := s.Properties[name]
			if hasParts(name, &part) {
				p.heading(3, top+"."+name)
				p.line("%s", oneLine(part.Description))
				p.line("")
				p.rules(&part)
				p.deepFields("", &part)
			}
		}
	}
	p.heading(3, "Secret references")
	p.line("A field of the type *Secret key* has `name`, a Secret in the bridge's own namespace, and `key`, a key in its data.")
	p.line("")
	p.line("*Durations* are written such as `20s`, `1m30s` or `24h`; units are `ms`, `s`, `m` and `h`.")
}

// rules writes what the CRD asks of a part as a whole.
func (p *page) rules(s *schema) {
	for _, v := range s.XValidations {
		p.line("- %s", oneLine(v.Message))
	}
	if len(s.XValidations) > 0 {
		p.line("")
	}
}

// fields writes the fields of spec or status themselves.
func (p *page) fields(top string, s *schema) {
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := s.Properties[name]
		if hasParts(name, &f) {
			f.XValidations = nil // they stand in the part's own section
		}
		rows = append(rows, fieldRow(name, name, &f, slices.Contains(s.Required, name)))
	}
	p.line("%s", oneLine(s.Description))
	p.line("")
	p.rules(s)
	p.table([]string{"Field of " + top, "Type", "Default", "Meaning and rules"}, rows)
}

// deepFields writes one table of all fields below a part.
func (p *page) deepFields(prefix string, s *schema) {
	p.table([]string{"Field", "Type", "Default", "Meaning and rules"}, deepRows(prefix, s))
}

func deepRows(prefix string, s *schema) (rows [][]string) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := s.Properties[name]
		rows = append(rows, fieldRow(prefix+name, name, &f, slices.Contains(s.Required, name)))
		if hasParts(name, &f) {
			rows = append(rows, deepRows(prefix+name+".", &f)...)
		} else if item := itemOf(&f); item != nil && hasParts(name, item) {
			rows = append(rows, deepRows(prefix+name+"[].", item)...)
		}
	}
	return rows
}

// itemOf is what a list consists of; nil where it is no list.
func itemOf(s *schema) *schema {
	if s.Type != "array" || s.Items == nil {
		return nil
	}
	return s.Items.Schema
}

// hasParts is whether a field's own fields are to be listed.
func hasParts(name string, s *schema) bool {
	return len(s.Properties) > 0 && !isSecretKey(s) && !slices.Contains(foreign, name)
}

func isSecretKey(s *schema) bool {
	return slices.Equal(slices.Sorted(maps.Keys(s.Properties)), []string{"key", "name"})
}

func fieldRow(path, name string, s *schema, required bool) []string {
	kind := typeOf(name, s)
	if required {
		kind += ", required"
	}
	value := ""
	if s.Default != nil {
		value = code(plain(s.Default.Raw))
	}
	return []string{code(path), kind, value, meaning(name, s)}
}

// plain is a JSON value as one would write it in YAML, where it is a string.
func plain(raw []byte) string {
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		return text
	}
	return string(raw)
}

func typeOf(name string, s *schema) string {
	switch {
	case slices.Contains(foreign, name):
		return "as in Kubernetes"
	case isSecretKey(s):
		return "*Secret key*"
	case len(s.Enum) > 0:
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = code(plain(v.Raw))
		}
		return strings.Join(values, ", ")
	case s.Pattern == durationPattern:
		return "*duration*"
	case s.Format == "date-time":
		return "time"
	case s.XIntOrString:
		return "quantity"
	case s.Type == "object" && s.AdditionalProperties != nil:
		return "map of strings"
	case itemOf(s) != nil:
		return "list of " + itemOf(s).Type + "s"
	default:
		return s.Type
	}
}

// meaning is a field's description, without the name that it begins with, and its rules.
func meaning(name string, s *schema) string {
	text := oneLine(s.Description)
	for _, verb := range []string{"is", "are"} {
		if rest, found := strings.CutPrefix(text, name+" "+verb+" "); found {
			text = rest
		}
	}
	text = upperFirst(strings.TrimPrefix(text, name+" "))
	var rules []string
	if !isSecretKey(s) && !slices.Contains(foreign, name) {
		rules = bounds(s)
	}
	for _, v := range s.XValidations {
		rules = append(rules, v.Message)
	}
	if item := itemOf(s); item != nil {
		for _, v := range item.XValidations {
			rules = append(rules, v.Message)
		}
	}
	if len(rules) > 0 {
		text += " *" + strings.Join(rules, "; ") + ".*"
	}
	return text
}

func bounds(s *schema) (rules []string) {
	if s.Minimum != nil {
		rules = append(rules, fmt.Sprintf("at least %v", *s.Minimum))
	}
	if s.Maximum != nil {
		rules = append(rules, fmt.Sprintf("at most %v", *s.Maximum))
	}
	if s.MaxLength != nil && s.Pattern != durationPattern {
		rules = append(rules, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	return rules
}
