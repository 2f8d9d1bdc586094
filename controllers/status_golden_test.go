// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The bridges that Argo CD's health check and kstatus are tested with (hack/tools/argocd/customization), which live in
// a module of their own and so cannot call computeStatus. After a change that is meant: UPDATE_GOLDEN=1 go test
// ./controllers -run Golden, read the difference, and run those tests.
func TestStatusGolden(t *testing.T) {
	site := func(reason, message string) func(*testing.T, *observation) {
		return func(t *testing.T, o *observation) {
			o.at(t, 0, func(r *v1alpha1.BotReport) {
				r.Site = v1alpha1.PeerReport{Reason: reason, Message: message, Since: r.Site.Since}
			})
		}
	}
	telegram := func(reason, message string) func(*testing.T, *observation) {
		return func(t *testing.T, o *observation) {
			o.at(t, 0, func(r *v1alpha1.BotReport) {
				r.Telegram = v1alpha1.PeerReport{Reason: reason, Message: message, Since: r.Telegram.Since}
			})
		}
	}
	for name, given := range map[string]func(*testing.T, *observation){
		"ready":            func(*testing.T, *observation) {},
		"rotation-overdue": overdue(v1alpha1.ReasonSiteKeyNotAdopted),
		"storage-corrupt":  storageSays(nil, v1alpha1.ReasonStorageCorrupt, "a damaged database was set aside; move the file away"),
		"storage-full":     storageSays(nil, v1alpha1.ReasonStorageFull, "there is no room for the bot's database"),
		"created":          func(_ *testing.T, o *observation) { o.deployment, o.health = nil, health{} },
		"replacing":        func(_ *testing.T, o *observation) { o.rolled = true },
		"dialling":         site(v1alpha1.ReasonConnecting, "The bot is dialling the site."),
		"site-down":        site(v1alpha1.ReasonConnectionRefused, "Nothing listens at shop.example:443."),
		"site-refuses": site(v1alpha1.ReasonCredentialsRefused,
			"The site refused the token (HTTP 401): check that it is signed with the key that the site knows."),
		"telegram-down": telegram(v1alpha1.ReasonUnreachable, "The Bot API does not answer."),
		"chat-missing":  telegram(v1alpha1.ReasonChatNotFound, "The chat does not exist, or the bot is not in it: add the bot to the chat."),
		"bot-gone":      func(t *testing.T, o *observation) { o.at(t, time.Hour, nil) },
		"bot-silent": func(t *testing.T, o *observation) {
			o.at(t, time.Hour, nil)
			o.deployment.Status.AvailableReplicas = 1
		},
		"pod-never-comes": func(_ *testing.T, o *observation) {
			o.health = health{}
			o.deployment.Status.Conditions = []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: progressDeadlineExceeded},
			}
		},
		"secret-missing": func(_ *testing.T, o *observation) {
			o.creds.fail(problemf(v1alpha1.ReasonSecretNotFound, "Secret %q does not exist: create it with the key %q", "site", "hmac"))
		},
		"suspended": func(_ *testing.T, o *observation) { o.bridge.Spec.Suspend = new(true) },
		"refused":   func(_ *testing.T, o *observation) { o.applied.err = invalidError() },
		"quota": func(_ *testing.T, o *observation) {
			o.applied.err = errors.New("apply Deployment shop-bot: exceeded quota")
		},
		"invalid-spec": func(_ *testing.T, o *observation) {
			o.invalid = problemf(v1alpha1.ReasonInvalidSpec, "no such time zone: %s", "Mars")
		},
		"invalid-spec-suspended": func(_ *testing.T, o *observation) {
			o.invalid = problemf(v1alpha1.ReasonInvalidSpec, "no such time zone: %s", "Mars")
			o.bridge.Spec.Suspend = new(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := testObservation(t)
			given(t, o)
			compareStatusGolden(t, name, o)
		})
	}
}

// compareStatusGolden compares a bridge whose state has lasted for two minutes, longer than anything is waited for.
func compareStatusGolden(t *testing.T, name string, o *observation) {
	t.Helper()
	o.bridge.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "FeedbackBridge"}
	o.bridge.Status = computeStatus(o)
	o.now = o.now.Add(2 * time.Minute)
	o.bridge.Status = computeStatus(o)
	text, err := yaml.Marshal(o.bridge)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "hack", "tools", "argocd", "customization", "testdata", name+".yaml")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(text), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
