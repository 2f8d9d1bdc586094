// SPDX-License-Identifier: Apache-2.0

// Package wiretest holds frames against the JSON Schemas of docs/protocol, for tests.
package wiretest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// base is what the schemas' $id begins with.
const base = "https://feedbackbridge.dev/protocol/"

// Schemas are those of both versions.
type Schemas struct{ versions map[int]*jsonschema.Schema }

// Dir is docs/protocol.
func Dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", "docs", "protocol")
}

// Load reads the schemas.
func Load(t testing.TB) Schemas {
	t.Helper()
	compiler := NewCompiler(t)
	s := Schemas{versions: map[int]*jsonschema.Schema{}}
	for version := 1; version <= 2; version++ {
		schema, err := compiler.Compile(fmt.Sprintf("%sv%d.schema.json", base, version))
		if err != nil {
			t.Fatal(err)
		}
		s.versions[version] = schema
	}
	return s
}

// NewCompiler knows the schemas by their $id.
func NewCompiler(t testing.TB) *jsonschema.Compiler {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"v1.schema.json", "v2.schema.json"} {
		raw, err := os.ReadFile(filepath.Join(Dir(), name)) // #nosec G304 -- one of the repository's own
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = compiler.AddResource(base+name, doc)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return compiler
}

// Check says what is wrong with a frame of a version.
func (s Schemas) Check(version int, frame []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(frame))
	if err != nil {
		return err
	}
	return s.versions[version].Validate(doc)
}
