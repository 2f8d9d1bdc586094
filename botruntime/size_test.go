// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Whatever looks up methods by names that are not known before (text/template does) has the linker keep every method of every
// type: six megabytes of program, and three of the memory that a bot takes.
func TestNothingKeepsEveryMethod(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program")
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w -dumpdep", "-o", filepath.Join(t.TempDir(), "bot"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	reached, err := build.CombinedOutput()
	if err != nil || len(reached) == 0 {
		t.Fatalf("build the program: %v; it says %.500s", err, reached)
	}
	for _, edge := range regexp.MustCompile(`(?m)^.*<ReflectMethod>.*$`).FindAll(reached, 3) {
		t.Errorf("reached: %s", edge)
	}
}
