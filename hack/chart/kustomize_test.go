// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// overlay builds a kustomization on top of config/default, as a user's own would be.
func overlay(t *testing.T, more string) []*unstructured.Unstructured {
	t.Helper()
	// kustomize wants paths relative to the file, and no symbolic link on the way.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Abs(filepath.Join(root, "config"))
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(dir, config)
	if err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf("resources: [%s/default]\ncomponents: [%s/prometheus]\n%s", relative, relative, more)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return decode(t, tool(t, "kustomize", "build", dir))
}

// TestImagesOfAnOverlayReachOperatorAndBot: the bot's image is an environment variable, which kustomize does not look
// for images in unless it is told to.
func TestImagesOfAnOverlayReachOperatorAndBot(t *testing.T) {
	digest := "sha256:" + strings.Repeat("1", 64)
	objects := overlay(t, `images:
  - {name: feedbackbridge-operator, newName: registry.test/operator, newTag: v1}
  - {name: feedbackbridge-bot, newName: registry.test/bot, digest: "`+digest+`"}
`)
	container := as[appsv1.Deployment](t, find(t, objects, "Deployment", "feedbackbridge-operator")).Spec.Template.Spec.Containers[0]
	if container.Image != "registry.test/operator:v1" {
		t.Errorf("the operator's image is %s", container.Image)
	}
	want := corev1.EnvVar{Name: "FEEDBACKBRIDGE_BOT_IMAGE", Value: "registry.test/bot@" + digest}
	if diff := cmp.Diff([]corev1.EnvVar{want}, container.Env); diff != "" {
		t.Errorf("the operator's environment (-want +got):\n%s", diff)
	}
}

// TestChartAndKustomizationAgree: whoever installs the one gets what the other gives.
func TestChartAndKustomizationAgree(t *testing.T) {
	kustomized := overlay(t, "")
	charted := render(t, "", "--set", "metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true,metrics.dashboard.enabled=true",
		"--set", "image.repository=feedbackbridge-operator,image.tag=dev,bot.image.repository=feedbackbridge-bot,bot.image.tag=dev")
	both := func(t *testing.T, kind, name string) (k, c *unstructured.Unstructured) {
		t.Helper()
		c = find(t, charted, kind, name)
		return find(t, kustomized, kind, name), c
	}
	compare := func(t *testing.T, kustomize, chart any) {
		t.Helper()
		if diff := cmp.Diff(kustomize, chart); diff != "" {
			t.Errorf("-kustomize +chart:\n%s", diff)
		}
	}
	for _, role := range []string{"operator", "metrics-auth", "metrics-reader", "editor", "viewer"} {
		t.Run("role "+role, func(t *testing.T) {
			k, c := both(t, "ClusterRole", "feedbackbridge-"+role)
			compare(t, as[rbacv1.ClusterRole](t, k).Rules, as[rbacv1.ClusterRole](t, c).Rules)
		})
	}
	for _, binding := range []string{"operator", "metrics-auth"} {
		t.Run("binding "+binding, func(t *testing.T) {
			k, c := both(t, "ClusterRoleBinding", "feedbackbridge-"+binding)
			kb, cb := as[rbacv1.ClusterRoleBinding](t, k), as[rbacv1.ClusterRoleBinding](t, c)
			compare(t, kb.RoleRef, cb.RoleRef)
			compare(t, kb.Subjects, cb.Subjects)
		})
	}
	t.Run("pod", func(t *testing.T) {
		k, c := both(t, "Deployment", "feedbackbridge-operator")
		kd, cd := as[appsv1.Deployment](t, k), as[appsv1.Deployment](t, c)
		// The chart writes out what the operator would assume.
		assumed := []string{"--api-server-ports=443,6443", "--concurrency=8", "--log-level=info"}
		kd.Spec.Template.Spec.Containers[0].Args = append(kd.Spec.Template.Spec.Containers[0].Args, assumed...)
		compare(t, kd.Spec.Template.Spec, cd.Spec.Template.Spec)
	})
	t.Run("network policy", func(t *testing.T) {
		k, c := both(t, "NetworkPolicy", "feedbackbridge-operator")
		kn, cn := as[networkingv1.NetworkPolicy](t, k).Spec, as[networkingv1.NetworkPolicy](t, c).Spec
		cn.PodSelector = kn.PodSelector // the chart selects by its release, too
		compare(t, kn, cn)
	})
	t.Run("service", func(t *testing.T) {
		k, c := both(t, "Service", "feedbackbridge-operator-metrics")
		compare(t, as[corev1.Service](t, k).Spec.Ports, as[corev1.Service](t, c).Spec.Ports)
	})
	for kind, path := range map[string][]string{
		"PrometheusRule": {"spec"}, "ServiceMonitor": {"spec", "endpoints"},
	} {
		t.Run(kind, func(t *testing.T) {
			k, c := both(t, kind, "feedbackbridge-operator")
			kv, kFound, kErr := unstructured.NestedFieldNoCopy(k.Object, path...)
			cv, cFound, cErr := unstructured.NestedFieldNoCopy(c.Object, path...)
			if !kFound || !cFound || kErr != nil || cErr != nil {
				t.Fatalf("%v: %t %v, %t %v", path, kFound, kErr, cFound, cErr)
			}
			compare(t, kv, cv)
		})
	}
	t.Run("dashboard", func(t *testing.T) {
		k, c := both(t, "ConfigMap", "feedbackbridge-dashboard")
		compare(t, as[corev1.ConfigMap](t, k).Data["feedbackbridge.json"], as[corev1.ConfigMap](t, c).Data["feedbackbridge.json"])
	})
	t.Run("CRD", func(t *testing.T) {
		k, c := both(t, "CustomResourceDefinition", "feedbackbridges.feedbackbridge.dev")
		compare(t, k.Object["spec"], c.Object["spec"])
	})
}
