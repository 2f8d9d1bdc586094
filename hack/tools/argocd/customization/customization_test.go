// SPDX-License-Identifier: Apache-2.0

// Package customization tests config/argocd in Argo CD's own settings parser and Lua machine, and the object's status
// in the kstatus library that Helm and Flux use. The bridges in testdata are written by the controllers' tests, out of
// the statuses that the operator computes.
package customization

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

var config = filepath.Join("..", "..", "..", "..", "config", "argocd")

// overrides are what Argo CD reads out of the ConfigMap.
func overrides(t *testing.T) map[string]v1alpha1.ResourceOverride {
	t.Helper()
	var cm corev1.ConfigMap
	readYAML(t, filepath.Join(config, "argocd-cm.yaml"), &cm)
	cm.Namespace = "argocd"
	cm.Labels = map[string]string{"app.kubernetes.io/part-of": "argocd"}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "argocd-secret", Labels: cm.Labels}}
	manager := settings.NewSettingsManager(t.Context(), fake.NewClientset(&cm, secret), "argocd")
	all, err := manager.GetResourceOverrides()
	if err != nil {
		t.Fatalf("Argo CD cannot read argocd-cm.yaml: %v", err)
	}
	return all
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readBridge(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	bridge := &unstructured.Unstructured{}
	readYAML(t, filepath.Join("testdata", name+".yaml"), bridge)
	return bridge
}

func set(t *testing.T, bridge *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(bridge.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// What Argo CD shows of a bridge, and what helm --wait, Flux and kubectl's likes make of it.
func TestHealth(t *testing.T) {
	tests := map[string]struct {
		bridge  string // in testdata; by default the test's name
		given   func(*testing.T, *unstructured.Unstructured)
		health  health.HealthStatusCode
		message string // or its beginning, with an ellipsis
		kstatus status.Status
	}{
		"ready": {health: health.HealthStatusHealthy, kstatus: status.CurrentStatus,
			message: "Feedback flows from the site to the chat."},
		"rotation-overdue": {health: health.HealthStatusHealthy, kstatus: status.CurrentStatus,
			message: "Feedback flows from the site to the chat. A rotation is overdue: SiteKeyNotAdopted: let the site load the new key"},
		"storage-corrupt": {health: health.HealthStatusHealthy, kstatus: status.CurrentStatus,
			message: "Feedback flows from the site to the chat. But: StorageCorrupt: a damaged database was set aside; move the file away"},
		"storage-full": {health: health.HealthStatusDegraded, kstatus: status.FailedStatus,
			message: "StorageFull: there is no room for the bot's database; raise spec.storage.persistentVolumeClaim.size where the storage class " +
				"lets volumes grow, or keep less by spec.storage.retention"},
		"just-applied": {bridge: "ready", health: health.HealthStatusProgressing, kstatus: status.InProgressStatus,
			given: func(t *testing.T, b *unstructured.Unstructured) {
				set(t, b, map[string]any{"observedGeneration": int64(-1)}, "status") // the CRD's default
			},
			message: "The operator has not looked at this version of the object yet."},
		"spec-changed": {bridge: "ready", health: health.HealthStatusProgressing, kstatus: status.InProgressStatus,
			given:   func(t *testing.T, b *unstructured.Unstructured) { set(t, b, int64(4), "metadata", "generation") },
			message: "The operator has not looked at this version of the object yet."},
		"spec-changed-while-stalled": {bridge: "chat-missing", health: health.HealthStatusProgressing, kstatus: status.InProgressStatus,
			given:   func(t *testing.T, b *unstructured.Unstructured) { set(t, b, int64(4), "metadata", "generation") },
			message: "The operator has not looked at this version of the object yet."},
		"being-deleted": {bridge: "ready", health: health.HealthStatusProgressing, kstatus: status.TerminatingStatus,
			given: func(t *testing.T, b *unstructured.Unstructured) {
				set(t, b, "2026-03-01T12:00:00Z", "metadata", "deletionTimestamp")
			},
			message: "Pending deletion"},

		"created":   {health: health.HealthStatusProgressing, kstatus: status.InProgressStatus, message: "The bot's Deployment …"},
		"replacing": {health: health.HealthStatusProgressing, kstatus: status.InProgressStatus, message: "The bot is being replaced…"},
		"dialling":  {health: health.HealthStatusProgressing, kstatus: status.InProgressStatus, message: "The bot is dialling the site."},
		"bot-gone":  {health: health.HealthStatusProgressing, kstatus: status.InProgressStatus, message: "The bot's pod …"},
		"quota":     {health: health.HealthStatusProgressing, kstatus: status.InProgressStatus, message: "apply Deployment shop-bot: exceeded quota"},

		// Nothing but a retry is under way: kstatus has no word for it.
		"site-down": {health: health.HealthStatusDegraded, kstatus: status.InProgressStatus,
			message: "ConnectionRefused: Nothing listens at shop.example:443…"},
		"telegram-down": {health: health.HealthStatusDegraded, kstatus: status.InProgressStatus,
			message: "Unreachable: The Bot API does not answer…"},
		"bot-silent": {health: health.HealthStatusDegraded, kstatus: status.InProgressStatus,
			message: "HeartbeatStale: The bot has not reported since 2026-03-01T11:00:00Z…"},

		// A person has to change something.
		"site-refuses":    {health: health.HealthStatusDegraded, kstatus: status.FailedStatus, message: "CredentialsRefused: The site refused the token…"},
		"chat-missing":    {health: health.HealthStatusDegraded, kstatus: status.FailedStatus, message: "ChatNotFound: The chat does not exist…"},
		"secret-missing":  {health: health.HealthStatusDegraded, kstatus: status.FailedStatus, message: `SecretNotFound: Secret "site" does not exist…`},
		"pod-never-comes": {health: health.HealthStatusDegraded, kstatus: status.FailedStatus, message: "WorkloadUnavailable: …"},
		"refused":         {health: health.HealthStatusDegraded, kstatus: status.FailedStatus, message: "ApplyFailed: …"},
		"invalid-spec":    {health: health.HealthStatusDegraded, kstatus: status.FailedStatus, message: "InvalidSpec: no such time zone: Mars…"},

		// Not ready because it was asked not to be. kstatus knows no such thing, and waits.
		"suspended": {health: health.HealthStatusSuspended, kstatus: status.InProgressStatus,
			message: "The bot is stopped: set spec.suspend to false…"},
		"invalid-spec-suspended": {health: health.HealthStatusDegraded, kstatus: status.FailedStatus,
			message: "InvalidSpec: no such time zone: Mars…"},
	}
	all := lua.ResourceHealthOverrides(overrides(t))
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.bridge == "" {
				tc.bridge = name
			}
			bridge := readBridge(t, tc.bridge)
			if tc.given != nil {
				tc.given(t, bridge)
			}
			got, err := health.GetResourceHealth(bridge, all)
			if err != nil || got == nil {
				t.Fatalf("health: %v, %v", got, err)
			}
			beginning, open := strings.CutSuffix(tc.message, "…")
			if got.Status != tc.health || !strings.HasPrefix(got.Message, beginning) || (!open && got.Message != tc.message) {
				t.Errorf("health\n got %s %q\nwant %s %q", got.Status, got.Message, tc.health, tc.message)
			}
			result, err := status.Compute(bridge)
			if err != nil {
				t.Fatal(err)
			}
			if result.Status != tc.kstatus {
				t.Errorf("kstatus: got %s (%s), want %s", result.Status, result.Message, tc.kstatus)
			}
		})
	}
	for _, file := range glob(t, filepath.Join("testdata", "*.yaml")) {
		if _, ok := tests[strings.TrimSuffix(filepath.Base(file), ".yaml")]; !ok {
			t.Errorf("%s: no test says what its health is", file)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	return files
}

// The ConfigMap is made out of the Lua files: what is tested is what is applied.
func TestConfigMapIsGenerated(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(config)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(dir, "generate.sh")).CombinedOutput(); err != nil {
		t.Fatalf("generate.sh: %v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(dir, "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(config, "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("config/argocd/argocd-cm.yaml is not what the Lua files give: run config/argocd/generate.sh")
	}
}
