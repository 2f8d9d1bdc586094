// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(list []binary) []string {
	var all []string
	for _, b := range list {
		all = append(all, b.name)
	}
	return all
}

func TestSelectBinaries(t *testing.T) {
	got, err := selectBinaries([]string{"kubectl", "etcd"})
	if diff := cmp.Diff([]string{"etcd", "kubectl"}, names(got)); err != nil || diff != "" {
		t.Errorf("not in build order: %v %s", err, diff)
	}
	if got, err := selectBinaries(nil); err != nil || len(got) != len(binaries) {
		t.Errorf("no names select %d of %d (%v)", len(got), len(binaries), err)
	}
	if _, err := selectBinaries([]string{"etcd", "etdc"}); err == nil || !strings.Contains(err.Error(), `"etdc"`) {
		t.Errorf("an unknown name gives %v", err)
	}
}

func TestMissing(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "etcd"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := missing(folder, []binary{{name: "etcd"}, {name: "runc"}})
	if diff := cmp.Diff([]string{"runc"}, names(got)); diff != "" {
		t.Error(diff)
	}
}

func TestFolderChangesWithThePinnedModules(t *testing.T) {
	l := layout{repository: t.TempDir(), cache: "/cache"}
	mod := filepath.Join(l.modules(), "etcd", "go.mod")
	if err := os.MkdirAll(filepath.Dir(mod), 0o700); err != nil {
		t.Fatal(err)
	}
	folder := func(content string) string {
		if err := os.WriteFile(mod, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		name, err := l.binariesFolder()
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	first := folder("require etcd v1")
	if second := folder("require etcd v2"); first == second {
		t.Error("another version has the same folder")
	}
	if again := folder("require etcd v1"); first != again {
		t.Error("the same version has another folder")
	}
}

// The version that the programs report comes from linker flags; it has to be the one that is built.
func TestKubernetesVersionIsTheOneRequired(t *testing.T) {
	mod := string(read(t, "modules/kubernetes/go.mod"))
	staging := "v0" + strings.TrimPrefix(kubernetesVersion, "v1")
	if !strings.Contains(mod, "k8s.io/kubernetes "+kubernetesVersion+"\n") {
		t.Errorf("go.mod does not require %s", kubernetesVersion)
	}
	for line := range strings.Lines(mod) {
		if strings.Contains(line, "=>") && !strings.HasSuffix(strings.TrimSpace(line), " "+staging) {
			t.Errorf("another release: %s", line)
		}
	}
}
