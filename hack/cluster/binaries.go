// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const kubernetesVersion = "v1.36.3"

// binary is one program that the cluster is made of.
type binary struct {
	name    string
	module  string        // folder below hack/cluster/modules; empty: this repository's own module
	pkg     string        // package to build
	ldflags string        // further linker flags
	tags    string        // build tags
	cgo     bool          // needs a C compiler
	usual   time.Duration // a cold build's time on two cores
}

// binaries are in the order in which they are built: what envtest needs comes first.
var binaries = []binary{
	{name: "etcd", module: "etcd", pkg: "go.etcd.io/etcd/server/v3", usual: 20 * time.Second},
	kubernetesBinary("kube-apiserver", 210*time.Second),
	kubernetesBinary("kubectl", 15*time.Second),
	kubernetesBinary("kube-controller-manager", 35*time.Second),
	kubernetesBinary("kube-scheduler", 10*time.Second),
	kubernetesBinary("kubelet", 40*time.Second),
	kubernetesBinary("kube-proxy", 10*time.Second),
	containerdBinary("containerd", 50*time.Second),
	containerdBinary("containerd-shim-runc-v2", 5*time.Second),
	containerdBinary("ctr", 5*time.Second),
	{name: "runc", module: "runc", pkg: "github.com/opencontainers/runc", tags: "seccomp", cgo: true, usual: 10 * time.Second},
	{name: "coredns", module: "coredns", pkg: ".", usual: 60 * time.Second},
	{name: "pause", pkg: "./hack/cluster/pause", usual: time.Second},
}

func kubernetesBinary(name string, usual time.Duration) binary {
	minor := strings.Split(kubernetesVersion, ".")[1]
	const version = " -X k8s.io/component-base/version."
	return binary{
		name: name, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/" + name, usual: usual,
		ldflags: version + "gitVersion=" + kubernetesVersion + version + "gitMajor=1" + version + "gitMinor=" + minor,
	}
}

func containerdBinary(name string, usual time.Duration) binary {
	return binary{name: name, module: "containerd", pkg: "github.com/containerd/containerd/v2/cmd/" + name, usual: usual}
}

// binariesFolder names the folder of this repository's versions: it changes with the pinned modules and with Go.
func (l layout) binariesFolder() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, b := range binaries {
		fmt.Fprintf(h, "%s %s %q %q\n", b.name, b.pkg, b.ldflags, b.tags)
	}
	err := filepath.WalkDir(l.modules(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(l.modules(), path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n%s", relative, len(content), content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hash the pinned modules: %w", err)
	}
	return filepath.Join(l.cache, "bin-"+hex.EncodeToString(h.Sum(nil))[:12]), nil
}

// selectBinaries gives the named ones in build order, or all of them for no name.
func selectBinaries(names []string) ([]binary, error) {
	if len(names) == 0 {
		return binaries, nil
	}
	var selected []binary
	for _, b := range binaries {
		if slices.Contains(names, b.name) {
			selected = append(selected, b)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(binaries, func(b binary) bool { return b.name == name }) {
			return nil, fmt.Errorf("no binary is called %q", name)
		}
	}
	return selected, nil
}

// buildBinaries builds those that are missing and returns their folder.
func buildBinaries(ctx context.Context, l layout, p *progress, wanted []binary) (string, error) {
	folder, err := l.binariesFolder()
	if err != nil {
		return "", err
	}
	if len(missing(folder, wanted)) == 0 {
		return folder, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of the binaries: %w", err)
	}
	unlock, err := lock(filepath.Join(l.cache, "build.lock"), func() { p.say("waiting for another build of the binaries ...") })
	if err != nil {
		return "", err
	}
	defer unlock()
	todo := missing(folder, wanted) // another process may have built some meanwhile
	var total time.Duration
	for _, b := range todo {
		total += b.usual
	}
	p.say("%d of the cluster's %d programs are to be built, once: about %s on two idle cores", len(todo), len(binaries), total)
	for i, b := range todo {
		what := fmt.Sprintf("[%d/%d] building %s", i+1, len(todo), b.name)
		if err := p.step(what, b.usual, func() error { return build(ctx, l, folder, b) }); err != nil {
			return "", err
		}
	}
	return folder, nil
}

func missing(folder string, wanted []binary) []binary {
	return slices.DeleteFunc(slices.Clone(wanted), func(b binary) bool {
		_, err := os.Stat(filepath.Join(folder, b.name))
		return err == nil
	})
}

// build puts one binary in place only when it is complete.
func build(ctx context.Context, l layout, folder string, b binary) error {
	partial := filepath.Join(folder, "."+b.name+".partial")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w" + b.ldflags, "-tags", b.tags, "-o", partial, b.pkg}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = l.repository
	if b.module != "" {
		cmd.Dir = filepath.Join(l.modules(), b.module)
	}
	cgo := "CGO_ENABLED=0"
	if b.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo, "GOFLAGS=-mod=readonly", "GOWORK=off")
	if err := runQuietly(cmd); err != nil {
		return err
	}
	return os.Rename(partial, filepath.Join(folder, b.name))
}

// runQuietly runs a command whose output matters only when it fails; then the error holds the end of it.
func runQuietly(cmd *exec.Cmd) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		const enough = 2000
		text := bytes.TrimSpace(output.Bytes())
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, text[max(0, len(text)-enough):])
	case err != nil:
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return nil
}
