// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// staticBinary compiles the smallest program; the test binary itself may need a loader.
func staticBinary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "app")
	build := exec.Command("go", "build", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

func TestImageIsWhatWasAskedFor(t *testing.T) {
	dir := t.TempDir()
	bundle := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(bundle, []byte("certificates"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := spec{
		binary: staticBinary(t), entrypoint: "/bin/app", user: "65532:65532",
		files: []file{{src: bundle, dst: "/etc/ssl/certs/ca.crt", mode: 0o644}},
	}
	first, second := filepath.Join(dir, "1.tar"), filepath.Join(dir, "2.tar")
	for _, output := range []string{first, second} {
		if err := write(s, "example.test/app:v1", output); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, first), read(t, second)) {
		t.Error("the same inputs gave different bytes")
	}

	tag, err := name.NewTag("example.test/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(first, &tag)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{config.OS, config.Architecture, config.Config.User, config.Config.Entrypoint[0]}
	if diff := cmp.Diff([]string{"linux", runtime.GOARCH, "65532:65532", "/bin/app"}, got); diff != "" {
		t.Error(diff)
	}
	var names []string
	for r := tar.NewReader(mutate.Extract(img)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimSuffix(header.Name, "/"))
	}
	want := []string{"bin", "bin/app", "etc", "etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca.crt"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestImageRefuses(t *testing.T) {
	binary := staticBinary(t)
	for name, tc := range map[string]struct{ binary, entrypoint, image string }{
		"a relative entry point":   {binary, "app", "example.test/app:v1"},
		"an unclean entry point":   {binary, "/bin/../app", "example.test/app:v1"},
		"what is no binary":        {"image.go", "/app", "example.test/app:v1"},
		"a name without a tag":     {binary, "/app", "example.test/app"},
		"a binary that is missing": {binary + "x", "/app", "example.test/app:v1"},
	} {
		t.Run(name, func(t *testing.T) {
			output := filepath.Join(t.TempDir(), "image.tar")
			if err := write(spec{binary: tc.binary, entrypoint: tc.entrypoint}, tc.image, output); err == nil {
				t.Error("no error")
			}
			if _, err := os.Stat(output); !errors.Is(err, os.ErrNotExist) {
				t.Error("a tarball was left behind")
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
