// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package argocd

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// namespace is Argo CD's.
const namespace = "argocd"

// resync is how often Argo CD compares what nothing happened to. Its default is three minutes.
const resync = 5 * time.Second

// argoCD is an installation of Argo CD.
type argoCD struct {
	t       *testing.T
	dir     string // of the processes
	program string
	env     []string
	// watching sees what the watch of the Applications brings.
	watching client.WithWatch
}

// installArgoCD installs Argo CD, as its manifests and our documentation say, and removes it after the test.
func installArgoCD(t *testing.T) *argoCD {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", world.Cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if server, err := url.Parse(config.Host); err != nil || server.Hostname() == "127.0.0.1" || server.Hostname() == "localhost" {
		t.Skipf("LEFT OUT: %s is on this machine's own loopback (kind), where Argo CD's network namespace does not reach", config.Host)
	}
	dir := t.TempDir()
	a := &argoCD{t: t, dir: dir, program: filepath.Join(root, "bin", "argocd")}
	if a.watching, err = client.NewWithWatch(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"tmp", "tls", "ssh", "plugins"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	a.env = []string{
		"PATH=" + filepath.Join(root, "bin") + ":" + os.Getenv("PATH"), // for git, helm and kustomize
		"HOME=" + dir, "TMPDIR=" + filepath.Join(dir, "tmp"), "KUBECONFIG=" + world.Cluster.Kubeconfig,
		"ARGOCD_FAKE_IN_CLUSTER=true", "ARGOCD_GPG_ENABLED=false", "ARGOCD_PLUGINSOCKFILEPATH=" + filepath.Join(dir, "plugins"),
		"ARGOCD_TLS_DATA_PATH=" + filepath.Join(dir, "tls"), "ARGOCD_SSH_DATA_PATH=" + filepath.Join(dir, "ssh"),
		"ARGOCD_RECONCILIATION_TIMEOUT=" + resync.String(), "ARGOCD_RECONCILIATION_JITTER=0s",
	}
	a.applyManifests()
	makeNetwork(t)
	// The one file that the repo-server puts elsewhere.
	t.Cleanup(func() {
		if err := os.Remove("/tmp/reposerver-ask-pass.sock"); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("remove the repo-server's socket: %v", err)
		}
	})
	a.startComponents()
	return a
}

// applyManifests makes Argo CD's namespace with its CRDs and its default configuration, and patches that as our
// documentation says.
func (a *argoCD) applyManifests() {
	a.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := world.Cluster.Create(a.t.Context(), ns); err != nil {
		a.t.Fatalf("create the namespace: %v", err)
	}
	manifests := filepath.Join(moduleDir(a.t), "manifests")
	a.t.Cleanup(func() {
		if err := deleteArgoCD(context.Background()); err != nil {
			a.t.Errorf("delete Argo CD: %v", err)
		}
	})
	for _, args := range [][]string{
		{"apply", "--server-side", "-k", filepath.Join(manifests, "crds")},
		{"-n", namespace, "apply", "-k", filepath.Join(manifests, "base", "config")},
		{"-n", namespace, "patch", "configmap", "argocd-cm", "--patch-file", filepath.Join(root, "config", "argocd", "argocd-cm.yaml")},
	} {
		if _, err := world.Kubectl(a.t.Context(), args...); err != nil {
			a.t.Fatal(err)
		}
	}
	world.Eventually(a.t, 30*time.Second, "Argo CD's kinds are served", func() (bool, string) {
		_, err := world.Kubectl(a.t.Context(), "-n", namespace, "get", "applications,appprojects")
		return err == nil, errText(err)
	})
}

// deleteArgoCD removes Argo CD from the cluster. Applications that a run which was killed left have finalizers, and nobody to
// act on them.
func deleteArgoCD(ctx context.Context) error {
	const applications = "applications.argoproj.io"
	served, err := world.Kubectl(ctx, "get", "crd", applications, "--ignore-not-found", "-o", "name")
	if err != nil {
		return err
	}
	if served != "" {
		left, err := world.Kubectl(ctx, "-n", namespace, "get", applications, "-o", "name")
		if err != nil {
			return err
		}
		for _, name := range strings.Fields(left) {
			if _, err := world.Kubectl(ctx, "-n", namespace, "patch", name, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`); err != nil {
				return err
			}
		}
	}
	_, err = world.Kubectl(ctx, "delete", "--ignore-not-found", "--timeout=60s", "namespace/"+namespace,
		"crd/"+applications, "crd/applicationsets.argoproj.io", "crd/appprojects.argoproj.io")
	return err
}

// moduleDir is the source of the Argo CD that bin/argocd was built from.
func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := world.Output(t.Context(), "go", "list", "-C", filepath.Join(root, "hack", "tools", "argocd"), "-m", "-f", "{{.Dir}}",
		"github.com/argoproj/argo-cd/v3")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (a *argoCD) startComponents() {
	a.t.Helper()
	a.run("redis", a.redis(), "--bind", "127.0.0.1", "--port", "6379", "--save", "", "--appendonly", "no")
	a.start("argocd-repo-server", "--disable-tls", "--address", "127.0.0.1", "--metrics-address", "127.0.0.1")
	a.start("argocd-application-controller", "--namespace", namespace, "--repo-server", "127.0.0.1:8081", "--repo-server-plaintext",
		"--persist-resource-health")
	a.start("argocd-server", "--namespace", namespace, "--repo-server", "127.0.0.1:8081", "--repo-server-plaintext", "--insecure",
		"--disable-auth", "--address", "127.0.0.1", "--metrics-address", "127.0.0.1", "--port", "8080")
	world.Eventually(a.t, time.Minute, "Argo CD answers", func() (bool, string) {
		_, err := a.tryCLI("version", "--short")
		return err == nil, errText(err)
	})
}

// redis is the server's program, which is one with redis-check-rdb and tells them apart by its name.
func (a *argoCD) redis() string {
	a.t.Helper()
	if path, err := exec.LookPath("redis-server"); err == nil {
		return path
	}
	same, err := exec.LookPath("redis-check-rdb")
	if err != nil {
		a.t.Fatalf("no Redis: run hack/e2e/argocd/setup.sh: %v", err)
	}
	path := filepath.Join(a.dir, "redis-server")
	if err := os.Symlink(same, path); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// cli runs the argocd command.
func (a *argoCD) cli(args ...string) string {
	a.t.Helper()
	out, err := a.tryCLI(args...)
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

func (a *argoCD) tryCLI(args ...string) (string, error) {
	cmd := a.command(a.t.Context(), a.program, append(args, "--server", "127.0.0.1:8080", "--plaintext", "--auth-token", "none")...)
	cmd.Env = append(cmd.Env, "ARGOCD_BINARY_NAME=argocd")
	return runCommand(cmd, args)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("decode %.300s: %v", text, err)
	}
	return v
}
