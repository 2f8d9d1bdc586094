// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeTools puts scripts called kind and docker first on PATH; they append their arguments to the file returned.
func fakeTools(t *testing.T, answers map[string]string) (calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	for tool, answer := range answers {
		script := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >> %s\nprintf '%s'\n", tool, calls, answer)
		if err := os.WriteFile(filepath.Join(dir, tool), []byte(script), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return calls
}

func TestKindIsCalledWithOurNameAndKubeconfig(t *testing.T) {
	calls := fakeTools(t, map[string]string{"kind": "other\\n", "docker": "fd00::1 172.18.0.1 "})
	l := layout{state: t.TempDir()}
	if err := l.claim("kind"); err != nil {
		t.Fatal(err)
	}
	k := kind{layout: l, progress: newProgress(io.Discard)}
	address, err := k.hostAddress(t.Context())
	if err != nil || address != "172.18.0.1" {
		t.Errorf("host address %q (%v)", address, err)
	}
	if err := errors.Join(k.up(t.Context()), k.load(t.Context(), []string{"a.tar"}), k.down(t.Context(), false)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"docker network inspect kind --format={{range .IPAM.Config}}{{.Gateway}} {{end}}",
		"kind get clusters",
		"kind create cluster --name=feedbackbridge --kubeconfig=" + l.kubeconfig() + " --wait=3m",
		"kind load image-archive --name=feedbackbridge a.tar",
		"kind delete cluster --name=feedbackbridge --kubeconfig=" + l.kubeconfig(),
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(read(t, calls))), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestProviderInUseIsRemembered(t *testing.T) {
	l := layout{state: t.TempDir()}
	p := newProgress(io.Discard)
	if _, ok := inUse(l, p).(native); !ok {
		t.Error("native is not the default")
	}
	if err := l.claim("kind"); err != nil {
		t.Fatal(err)
	}
	if _, ok := inUse(l, p).(kind); !ok {
		t.Error("kind was forgotten")
	}
}

func TestIncapableIsFoundInWrappedErrors(t *testing.T) {
	if err := fmt.Errorf("up: %w", &incapable{"no bridge"}); !isIncapable(err) || isIncapable(errors.New("disk full")) {
		t.Error("incapable is not told from other errors")
	}
}

func TestProgressTellsWhatGoesOn(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := &progress{w: &out, every: time.Millisecond, now: func() time.Time { now = now.Add(2 * time.Second); return now }}
	if err := p.step("building", time.Minute, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	first := out.String()
	if !strings.HasPrefix(first, "building (usually 1m0s) ...\n") || !strings.Contains(first, "building: done in ") {
		t.Error(first)
	}
	cause := errors.New("no space")
	if err := p.step("linking", 0, func() error { return cause }); !errors.Is(err, cause) {
		t.Errorf("the cause is lost: %v", err)
	}
	if second := out.String()[len(first):]; !strings.Contains(second, "linking: failed after") {
		t.Error(second)
	}
}

func TestCommandOutputIsShownOnFailureOnly(t *testing.T) {
	if err := run(t.Context(), "sh", "-c", "echo fine"); err != nil {
		t.Error(err)
	}
	err := run(t.Context(), "sh", "-c", "echo the reason >&2; exit 7")
	if err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
}

func TestAFolderOfSomethingElseIsNotTaken(t *testing.T) {
	l := layout{state: t.TempDir()}
	precious := l.in("thesis.txt")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.claim("native"); err == nil || l.isCluster() {
		t.Errorf("the folder was taken (%v)", err)
	}
	if err := cleanUp(t.Context(), l); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}
