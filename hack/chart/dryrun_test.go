// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// namespaces are those that the files of values in the chart's ci/ refer to.
var namespaces = []string{releaseNamespace, "monitoring", "support", "shop"}

// startAPIServer starts a real API server that knows bridges, and the kinds of the Prometheus operator by their own
// schemas, with the namespaces; they admit restricted pods only.
func startAPIServer(t *testing.T) (client.Client, *envtest.Environment) {
	t.Helper()
	env := &envtest.Environment{
		CRDDirectoryPaths: []string{
			filepath.Join(root, "config", "crd", "bases"),
			filepath.Join("testdata", "servicemonitors.yaml"), filepath.Join("testdata", "prometheusrules.yaml"),
		},
		ErrorIfCRDPathMissing: true,
	}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver and etcd (KUBEBUILDER_ASSETS says where they are): %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range namespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}}
		if err := c.Create(t.Context(), ns); err != nil {
			t.Fatal(err)
		}
	}
	return c, env
}

// TestEveryRenderingIsAccepted applies, as a server-side dry run, what the chart renders with each file of values of its
// ci/, and config/default with monitoring: schemas, validation, defaults, Pod Security. Unknown fields are errors.
func TestEveryRenderingIsAccepted(t *testing.T) {
	c, env := startAPIServer(t)
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of values: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			objects := render(t, file)
			accept(t, c, objects)
			for _, o := range objects {
				if o.GetKind() == "Deployment" {
					admitPod(t, c, as[appsv1.Deployment](t, o))
				}
			}
		})
	}
	t.Run("config/default", func(t *testing.T) { accept(t, c, overlay(t, "")) })
	t.Run("mistakes", func(t *testing.T) { refuseMistakes(t, c) })
	t.Run("by somebody with rights in one namespace", func(t *testing.T) { renderWithLittleRights(t, c, env) })
}

// renderWithLittleRights renders the chart as `helm install` does, by somebody who has all rights in these namespaces, and
// none beyond.
func renderWithLittleRights(t *testing.T, c client.Client, env *envtest.Environment) {
	t.Helper()
	user, err := env.AddUser(envtest.User{Name: "installer"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, namespace := range namespaces {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "installer"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "installer"}},
		}
		if err := c.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	objects := render(t, filepath.Join(chartDir, "ci", "namespaces.yaml"), "--set", "crds.enabled=false,metrics.enabled=false",
		"--dry-run=server", "--kubeconfig", path)
	find(t, objects, "Deployment", "feedbackbridge-operator")
}

func accept(t *testing.T, c client.Client, objects []*unstructured.Unstructured) {
	t.Helper()
	if len(objects) == 0 {
		t.Fatal("nothing was rendered")
	}
	for _, o := range objects {
		if err := dryRun(t.Context(), c, o); err != nil {
			t.Errorf("%s %s/%s: %v", o.GetKind(), o.GetNamespace(), o.GetName(), err)
		}
	}
}

func dryRun(ctx context.Context, c client.Client, o *unstructured.Unstructured) error {
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.DryRunAll,
		client.FieldOwner("helm"), client.ForceOwnership)
}

// admitPod tries the pod of a Deployment: Pod Security only warns of the Deployment itself.
func admitPod(t *testing.T, c client.Client, d *appsv1.Deployment) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "operator-", Namespace: d.Namespace, Labels: d.Spec.Template.Labels},
		Spec:       d.Spec.Template.Spec,
	}
	if err := c.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Errorf("a pod of the operator: %v", err)
	}
}

// refuseMistakes shows that the dry run can fail: for values that are wrong, and for a pod that Pod Security does not admit.
func refuseMistakes(t *testing.T, c client.Client) {
	t.Helper()
	objects := render(t, filepath.Join(chartDir, "ci", "everything.yaml"))
	for name, spoil := range map[string]struct {
		kind string
		path []string
		to   any
	}{
		"a scheme that does not exist": {"ServiceMonitor", []string{"spec", "endpoints"}, []any{map[string]any{"scheme": "gopher"}}},
		"an alert without expression":  {"PrometheusRule", []string{"spec", "groups"}, []any{map[string]any{"name": "x", "rules": []any{map[string]any{"alert": "y"}}}}},
		"a bridge with two storages":   {"FeedbackBridge", []string{"spec", "storage"}, map[string]any{"ephemeral": map[string]any{}, "persistentVolumeClaim": map[string]any{}}},
		"a pod that runs as root":      {"Pod", []string{"spec", "securityContext", "runAsUser"}, int64(0)},
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == spoil.kind })
			if i < 0 {
				t.Fatalf("no %s is rendered", spoil.kind)
			}
			spoiled := objects[i].DeepCopy()
			if err := unstructured.SetNestedField(spoiled.Object, spoil.to, spoil.path...); err != nil {
				t.Fatal(err)
			}
			if err := dryRun(t.Context(), c, spoiled); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
				t.Errorf("accepted: %v", err)
			}
		})
	}
}
