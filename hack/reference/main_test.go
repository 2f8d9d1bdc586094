// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Nothing is listed without a word on what it is: every row's last cell, or of reasons the one before, says something.
func TestEverythingIsDocumented(t *testing.T) {
	var page strings.Builder
	if err := write(&page, filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, line := range strings.Split(page.String(), "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		cells := strings.Split(strings.ReplaceAll(line, `\|`, ""), "|")
		if meaning := strings.TrimSpace(strings.Join(cells[2:], "")); len(strings.Fields(meaning)) < 2 {
			t.Errorf("nothing is said of %s", line)
		}
	}
	if rows < 150 {
		t.Errorf("%d rows: something is not read", rows)
	}
	for _, want := range []string{
		"| `url` | string, required |  | The site's WebSocket", // a field, its rules below
		"| `hmac.messageTTL` |", "*messageTTL must be between 5s and 1h.*",
		"| `DNSFailure` | The site's name does not resolve. | Correct the host",
		"| `feedbackbridge_site_reconnects_total` | counter | namespace, name |",
		"| `feedbackbridge.dev/rotate-now` |", "| `<key>-id` |", "| `TokenMinted` |",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestFieldRows(t *testing.T) {
	raw := func(s string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(s)} }
	tests := map[string]struct {
		schema   schema
		required bool
		want     string
	}{
		"a duration": {schema{Type: "string", Pattern: durationPattern, MaxLength: new(int64(32)), Default: raw(`"45s"`), Description: "f is how\nlong."}, false,
			"`a.f` *duration* `45s` How long."},
		"a number": {schema{Type: "integer", Minimum: new(float64(0)), Maximum: new(float64(9)), Description: "f counts."}, true,
			"`a.f` integer, required  Counts. *at least 0; at most 9.*"},
		"a choice": {schema{Type: "string", Enum: []apiextensionsv1.JSON{*raw(`"A"`), *raw(`"B"`)}, Description: "f chooses."}, false,
			"`a.f` `A`, `B`  Chooses."},
		"a reference": {schema{Type: "object", Description: "f holds it.", Properties: map[string]schema{"name": {}, "key": {}}}, false,
			"`a.f` *Secret key*  Holds it."},
		"a rule": {schema{Type: "string", Description: "f is text.", XValidations: apiextensionsv1.ValidationRules{{Message: "write | so"}}}, false,
			"`a.f` string  Text. *write | so.*"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(fieldRow("a.f", "f", &tc.schema, tc.required), " "); got != tc.want {
				t.Errorf("row is %q, want %q", got, tc.want)
			}
		})
	}
}

func TestConstantsAreReadWithTheirComments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.go")
	source := "package c\n\n// The reasons of A. More.\nconst (\n\t// ReasonX: spec.y is odd. Change\n\t// it.\n\tReasonX = \"X\"\n\tother = 7\n\t// Again is X again.\n\tAgain = ReasonX\n)\n"
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	groups, err := readConstants(file)
	if err != nil || len(groups) != 1 || groups[0].doc != "The reasons of A. More." || len(groups[0].constants) != 2 {
		t.Fatalf("groups are %+v, %v", groups, err)
	}
	if c := groups[0].constants[0]; c != (constant{"ReasonX", "X", "spec.y is odd. Change it."}) {
		t.Errorf("the first constant is %+v", c)
	}
	if c := groups[0].constants[1]; c != (constant{"Again", "X", "X again."}) {
		t.Errorf("the second constant is %+v", c)
	}
}
