// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	root = "../.."
	// release and releaseNamespace are what the chart is rendered as: its objects then have the names of config/default.
	release          = "feedbackbridge"
	releaseNamespace = "feedbackbridge-system"
)

var chartDir = filepath.Join(root, "charts", "feedbackbridge")

// tool runs a program of bin/, and returns what it writes to stdout.
func tool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(root, "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run 'make chart-tools' first", err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return out
}

// render renders the chart with a file of values, or with none.
func render(t *testing.T, values string, args ...string) []*unstructured.Unstructured {
	t.Helper()
	all := []string{"template", release, chartDir, "--namespace", releaseNamespace}
	if values != "" {
		all = append(all, "--values", values)
	}
	return decode(t, tool(t, "helm", append(all, args...)...))
}

func decode(t *testing.T, manifests []byte) []*unstructured.Unstructured {
	t.Helper()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	var objects []*unstructured.Unstructured
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("read a manifest: %v", err)
		}
		var raw map[string]any
		// Strictly: a key that stands twice is refused by Flux.
		if err := yaml.UnmarshalStrict(document, &raw); err != nil {
			t.Fatalf("decode a manifest: %v\n%s", err, document)
		}
		if raw != nil {
			objects = append(objects, &unstructured.Unstructured{Object: raw})
		}
	}
}

// find is the one object of a kind and a name.
func find(t *testing.T, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	var found []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == kind && o.GetName() == name {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects are %s %s", len(found), kind, name)
	}
	return found[0]
}

// readYAML reads a file of the repository into an object.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// as converts an object to its Go type; what the type does not know is an error.
func as[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return typed
}
