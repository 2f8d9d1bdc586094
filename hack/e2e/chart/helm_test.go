// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

const (
	release = "feedbackbridge"
	crdName = "feedbackbridges.feedbackbridge.dev"
)

var (
	root        = filepath.Join("..", "..", "..")
	sourceChart = filepath.Join(root, "charts", "feedbackbridge")
)

func TestMain(m *testing.M) {
	ctx := context.Background()
	if err := prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := clean(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: clean up:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// prepare puts away whatever operator is there, its CRD included, and makes the namespace.
func prepare(ctx context.Context) error {
	if err := world.Connect(ctx, root); err != nil {
		return err
	}
	if err := world.RefuseBridgesOfOthers(ctx); err != nil {
		return err
	}
	if err := clean(ctx); err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: world.OperatorNamespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	return world.Cluster.Create(ctx, ns)
}

// clean removes everything that an operator's installation leaves, whichever way it was made.
func clean(ctx context.Context) error {
	if _, err := helm(ctx, "uninstall", release, "--ignore-not-found", "--wait"); err != nil {
		return err
	}
	_, err := world.Kubectl(ctx, "delete", "-k", filepath.Join(root, "config", "default"), "--ignore-not-found", "--timeout=120s")
	return err
}

// helm runs Helm in the operator's namespace, away from whatever the user has set up for it.
func helm(ctx context.Context, args ...string) (string, error) {
	home := filepath.Join(os.TempDir(), "feedbackbridge-e2e-helm")
	cmd := exec.CommandContext(ctx, filepath.Join(root, "bin", "helm"), append([]string{
		"--kubeconfig", world.Cluster.Kubeconfig, "--namespace", world.OperatorNamespace,
	}, args...)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// must runs Helm, and logs how long it took.
func must(t *testing.T, args ...string) string {
	t.Helper()
	began := time.Now()
	out, err := helm(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("helm %s: %s", args[0], time.Since(began).Round(time.Millisecond))
	return out
}

// values writes a file of values: the images of this repository, the ports of the local cluster, and bridges.
func values(t *testing.T, more map[string]any, bridges ...*v1alpha1.FeedbackBridge) string {
	t.Helper()
	image := func(name string) map[string]any {
		return map[string]any{"repository": "docker.io/library/" + name, "tag": "dev"}
	}
	inline := map[string]any{}
	for _, b := range bridges {
		inline[b.Name] = map[string]any{"namespace": b.Namespace, "spec": toMap(t, b.Spec)}
	}
	all := map[string]any{
		"image": image("feedbackbridge-operator"), "bot": map[string]any{"image": image("feedbackbridge-bot")},
		"apiServerPorts": []int{443, 16443}, "bridges": inline,
	}
	for k, v := range more {
		all[k] = v
	}
	content, err := yaml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	// Not in t.TempDir: its path has the test's name, and Helm takes a comma for the end of a path.
	file, err := os.CreateTemp("", "feedbackbridge-e2e-values-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(file.Name()); err != nil {
			t.Error(err)
		}
	})
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func toMap(t *testing.T, v any) map[string]any {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// previousRelease packages the chart as the release before it would be. There is none yet that could be had, so it is made of
// this one: an older version, whose CRD lacks a field (spec.runtime.priorityClassName). The images are the same.
func previousRelease(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "feedbackbridge"), os.DirFS(sourceChart)); err != nil {
		t.Fatal(err)
	}
	crd := filepath.Join(dir, "feedbackbridge", "files", "crd.yaml")
	content, err := os.ReadFile(crd)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.Unmarshal(content, &object); err != nil {
		t.Fatal(err)
	}
	fields := runtimeFields(t, object)
	if _, ok := fields["priorityClassName"]; !ok {
		t.Fatal("the CRD has no spec.runtime.priorityClassName: choose another field")
	}
	delete(fields, "priorityClassName")
	if content, err = yaml.Marshal(object); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(crd, content, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "package", filepath.Join(dir, "feedbackbridge"), "--version", "0.0.9", "--destination", dir)
	return filepath.Join(dir, "feedbackbridge-0.0.9.tgz")
}

// runtimeFields are the fields of spec.runtime in a CRD.
func runtimeFields(t *testing.T, crd map[string]any) map[string]any {
	t.Helper()
	var at any = crd
	for _, step := range []any{"spec", "versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "properties", "runtime", "properties"} {
		switch s := step.(type) {
		case string:
			m, ok := at.(map[string]any)
			if !ok {
				t.Fatalf("the CRD has no %s", s)
			}
			at = m[s]
		case int:
			l, ok := at.([]any)
			if !ok || len(l) <= s {
				t.Fatalf("the CRD has no version %d", s)
			}
			at = l[s]
		}
	}
	fields, ok := at.(map[string]any)
	if !ok {
		t.Fatal("the CRD has no fields of spec.runtime")
	}
	return fields
}

// crdKnows is whether the CRD in the cluster has a field of spec.runtime; an error of NotFound where there is no CRD.
func crdKnows(t *testing.T, field string) bool {
	t.Helper()
	out, err := world.Kubectl(t.Context(), "get", "crd", crdName, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var crd map[string]any
	if err := json.Unmarshal([]byte(out), &crd); err != nil {
		t.Fatal(err)
	}
	_, ok := runtimeFields(t, crd)[field]
	return ok
}

// isGone is whether an object is not there, by its error.
func isGone(err error) bool { return apierrors.IsNotFound(err) }
