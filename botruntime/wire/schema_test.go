// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire/wiretest"
)

func TestWhatIsSentIsOfTheSchemas(t *testing.T) {
	schemas, key := wiretest.Load(t), mustKey(t, "key")
	check := func(name string, version int, frame []byte) {
		t.Helper()
		if err := schemas.Check(version, frame); err != nil {
			t.Errorf("%s: %s: %v", name, frame, err)
		}
	}
	for name, body := range someBodies() {
		check(name, 2, mustAppend(t, body, key))
	}
	for version := 1; version <= 2; version++ {
		check("ping", version, Ping())
		check("pong", version, Pong())
	}
	for name, result := range map[string]Result{
		"delivered": {ID: "id", OK: true, TicketID: "ticket_site_1", MessageID: 1, SentAt: "2025-10-17T12:00:01"},
		"refused":   {ID: "\xed\xa0\x80", Error: "ошибка"},
	} {
		frame, err := result.AppendFrame(nil, key, FormASCII, testTS, "")
		if err != nil {
			t.Fatal(err)
		}
		check(name, 1, frame)
	}
}

// Who keeps to the schemas is understood.
func TestWhatIsRefusedIsNotOfTheSchemas(t *testing.T) {
	schemas, key := wiretest.Load(t), mustKey(t, "key")
	for name, c := range refusedFrames {
		if c.frame == "" {
			c.frame = envelopeWith(c.change)
		}
		beyond := map[string]bool{ // what JSON Schema, or JSON, does not tell apart
			"ts float": true, "ts exponent": true, "ts huge": true, "too large": true, "deep data": true, "1e400 in data": true,
			"last id counts": true, "id with surrogate": true,
		}
		if err := schemas.Check(1, []byte(c.frame)); err == nil && !beyond[name] {
			t.Errorf("%s: %s is of the schema", name, c.frame)
		}
	}
	for _, c := range refusedBodies {
		body, err := NewBody(c.frameType, []byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		frame := mustAppend(t, body, key)
		if err := schemas.Check(2, frame); err == nil && !strings.Contains(c.data, "0000-01-01") {
			t.Errorf("%s is of the schema", frame)
		}
	}
}

// reference is a $ref as it stands in the document.
var reference = regexp.MustCompile(`\$ref: '?([^'}\s]+)`)

func TestTheAsyncAPIDocumentIsWhole(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(wiretest.Dir(), "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.UnmarshalStrict(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if doc["asyncapi"] != "3.0.0" {
		t.Errorf("AsyncAPI %v", doc["asyncapi"])
	}
	compiler := wiretest.NewCompiler(t)
	var described []string
	for _, found := range reference.FindAllStringSubmatch(string(raw), -1) {
		if schema, ok := strings.CutPrefix(found[1], "./"); ok {
			described = append(described, schema)
			if _, err := compiler.Compile("https://feedbackbridge.dev/protocol/" + schema); err != nil {
				t.Errorf("%s: %v", schema, err)
			}
			continue
		}
		at := any(doc)
		for _, step := range strings.Split(strings.TrimPrefix(found[1], "#/"), "/") {
			within, _ := at.(map[string]any)
			at = within[step]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", found[1])
		}
	}
	for _, version := range []string{"v1.schema.json", "v2.schema.json"} {
		for _, frame := range framesOf(t, version) {
			if strings.HasPrefix(version, "v1") && strings.HasSuffix(frame, "ng") { // ping and pong are the same
				continue
			}
			if !slices.Contains(described, version+frame) {
				t.Errorf("%s%s is in no channel", version, frame)
			}
		}
	}
}

// framesOf are the frames of a schema.
func framesOf(t *testing.T, name string) (frames []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(wiretest.Dir(), name))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		OneOf []struct {
			Ref string `json:"$ref"`
		} `json:"oneOf"`
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	for _, frame := range schema.OneOf {
		frames = append(frames, frame.Ref)
	}
	if len(frames) < 4 {
		t.Fatalf("%s has the frames %v", name, frames)
	}
	return frames
}
