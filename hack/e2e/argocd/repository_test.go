// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package argocd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// repository is the git repository that is synced from, with a working copy to commit in.
type repository struct {
	t    *testing.T
	bare string
	work string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	dir := t.TempDir()
	r := &repository{t: t, bare: filepath.Join(dir, "deploy.git"), work: filepath.Join(dir, "deploy")}
	r.git("init", "--quiet", "--bare", "--initial-branch=main", r.bare)
	r.git("init", "--quiet", "--initial-branch=main", r.work)
	r.git("-C", r.work, "remote", "add", "origin", r.bare)
	return r
}

func (r *repository) url() string { return "file://" + r.bare }

func (r *repository) git(args ...string) string {
	r.t.Helper()
	out, err := world.Output(r.t.Context(), "git", args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// write puts a file into the working copy.
func (r *repository) write(path string, content []byte) {
	r.t.Helper()
	path = filepath.Join(r.work, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// copy puts a folder of the project into the working copy.
func (r *repository) copy(folder string) {
	r.t.Helper()
	if err := os.CopyFS(filepath.Join(r.work, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) read(path string) []byte {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.work, path))
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func (r *repository) remove(path string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.work, path)); err != nil {
		r.t.Fatal(err)
	}
}

// push commits everything, and returns the revision.
func (r *repository) push(message string) string {
	r.t.Helper()
	r.git("-C", r.work, "add", "--all")
	r.git("-C", r.work, "-c", "user.name=test", "-c", "user.email=test@example.invalid", "commit", "--quiet", "-m", message)
	r.git("-C", r.work, "push", "--quiet", "origin", "main")
	return r.git("-C", r.work, "rev-parse", "HEAD")
}

// runCommand runs a command, and returns what it wrote to stdout.
func runCommand(cmd *exec.Cmd, args []string) (string, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("argocd %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}
