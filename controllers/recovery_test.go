// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// runGenerated is a bridge with generated keys in the middle of their rotation: adopted, with keys before that are still
// accepted.
func (h *harness) runGenerated() *v1alpha1.CredentialsStatus {
	h.Helper()
	h.createSecrets()
	h.must(h.client.Create(h.ctx, h.generatedBridge("shop")))
	h.run()
	first := h.phase("shop", v1alpha1.RotationStable, v1alpha1.RotationStable)
	h.beat("shop", h.keysReport("shop", first.HMAC.CurrentKeyID, first.JWT.KeyID))
	h.annotate("shop", v1alpha1.AnnotationRotateNow, "1")
	h.phase("shop", v1alpha1.RotationStaged, v1alpha1.RotationPublished)
	h.beat("shop", h.keysReport("shop", first.HMAC.CurrentKeyID, first.JWT.KeyID))
	c := h.phase("shop", v1alpha1.RotationPublished, v1alpha1.RotationPublished)
	h.beat("shop", h.keysReport("shop", c.HMAC.NextKeyID, c.JWT.Rotation.NextKeyID))
	c = h.phase("shop", v1alpha1.RotationAdopted, v1alpha1.RotationAdopted)
	h.eventually("the site's Secret says so", func() error {
		if got := string(h.secret("shop-site")["hmac-previous-id"]); got != first.HMAC.CurrentKeyID {
			return fmt.Errorf("the previous key is %q", got)
		}
		return nil
	})
	return c
}

// becomes waits until a Secret's data has the given keys with the given values again.
func (h *harness) becomes(secret string, want map[string][]byte, keys ...string) {
	h.Helper()
	h.eventually("Secret "+secret+" is as it was", func() error {
		got := h.secret(secret)
		for _, key := range keys {
			if !slices.Equal(got[key], want[key]) {
				return fmt.Errorf("%s is of %d bytes, want %d; there are %v", key, len(got[key]), len(want[key]), slices.Sorted(maps.Keys(got)))
			}
		}
		return nil
	})
}

// A Secret of the operator that is deleted is made again of the others: no key is lost but one that only it held, and that
// one is replaced without an outage.
func TestLostSecretsAreMadeAgain(t *testing.T) {
	h := newHarness(t)
	h.runGenerated()
	bot, site := h.secret("shop-bot"), h.secret("shop-site")
	remove := func(name string) {
		t.Helper()
		h.must(h.client.Delete(h.ctx, &corev1.Secret{ObjectMeta: metav1ObjectMeta(h.namespace, name)}))
	}
	// The public key of tokens that are signed no more was there alone, and the site accepts the others.
	hmac := slices.DeleteFunc(slices.Collect(maps.Keys(site)), func(key string) bool { return key == v1alpha1.SiteJWKS })
	remove("shop-site")
	h.becomes("shop-site", site, hmac...)
	kid, _ := aboutToken(string(bot["jwt-token"]))
	if _, ok := parseJWKS(h.secret("shop-site")[v1alpha1.SiteJWKS]).find(kid); !ok {
		t.Errorf("the site does not know the token's key %s", kid)
	}

	remove("shop-bot")
	h.becomes("shop-bot", bot, "hmac-current", "hmac-previous")
	h.becomes("shop-site", site, "hmac-key", "hmac-current", "hmac-previous")

	token := h.secret("shop-bot")["jwt-token"]
	remove("shop-signing")
	h.eventually("another signing key signs, and the site knows both", func() error {
		bot, public := h.secret("shop-bot"), parseJWKS(h.secret("shop-site")["jwks.json"])
		kid, _ := aboutToken(string(bot["jwt-token"]))
		former, _ := aboutToken(string(token))
		_, knows := public.find(kid)
		_, knew := public.find(former)
		if kid == former || !knows || !knew || string(bot["jwt-previous"]) != string(token) {
			return fmt.Errorf("the token is of %s, the one before of %s; the site knows them: %t, %t", kid, former, knows, knew)
		}
		return nil
	})
}

// Another writer that takes a key of ours changes nothing for good, not in the middle of a rotation either.
func TestTakenKeysComeBack(t *testing.T) {
	h := newHarness(t)
	h.runGenerated()
	for _, name := range []string{"shop-bot", "shop-site"} {
		want := h.secret(name)
		for _, key := range []string{"hmac-current", "hmac-previous"} {
			patch := fmt.Sprintf(`{"data":{%q:"ZXZpbA=="}}`, key)
			h.must(h.client.Patch(h.ctx, &corev1.Secret{ObjectMeta: metav1ObjectMeta(h.namespace, name)},
				client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner("someone-else")))
			h.becomes(name, want, "hmac-current", "hmac-previous")
		}
		h.must(h.client.Patch(h.ctx, &corev1.Secret{ObjectMeta: metav1ObjectMeta(h.namespace, name)},
			client.RawPatch("application/merge-patch+json", []byte(`{"data":{"hmac-next":"ZXZpbA=="}}`)), client.FieldOwner("someone-else")))
		h.becomes(name, want, "hmac-current", "hmac-next", "hmac-previous")
	}
}

// A spec that refers to what does not exist leaves the running bot as it is, with its token, until it exists.
func TestMissingSecretsDoNotStopARunningBot(t *testing.T) {
	changes := map[string]struct {
		change func(*v1alpha1.FeedbackBridgeSpec)
		secret string
		data   map[string]string
	}{
		"a Telegram token": {func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.TokenSecretRef.Name = "later" }, "later", map[string]string{"token": "123456:TEST-TOKEN"}},
		"a ready token": {func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Credentials.JWT = v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "later", Key: "token"}}
		}, "later", map[string]string{"token": "opaque"}},
	}
	for name, tc := range changes {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t).run()
			h.createBridge("shop")
			h.settle("shop")
			var deployment, after appsv1.Deployment
			var config, configAfter corev1.ConfigMap
			h.must(h.get("shop-bot", &deployment))
			h.must(h.get("shop-bot", &config))
			bot := h.secret("shop-bot")
			h.changeSpec("shop", tc.change)
			h.condition("shop", v1alpha1.ConditionCredentialsReady, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
			h.must(h.get("shop-bot", &after))
			h.must(h.get("shop-bot", &configAfter))
			if deployment.Generation != after.Generation || config.ResourceVersion != configAfter.ResourceVersion {
				t.Error("the bot is replaced by one that cannot start")
			}
			if !maps.EqualFunc(bot, h.secret("shop-bot"), slices.Equal) {
				t.Error("the bot's credentials changed")
			}
			h.createSecret(tc.secret, tc.data)
			h.eventually("the bot is replaced", func() error {
				if h.must(h.get("shop-bot", &after)); after.Generation == deployment.Generation {
					return errors.New("it is not")
				}
				return nil
			})
			h.settle("shop")
		})
	}
}

// An invalid spec reaches nothing of the running bot, its keys neither; its token is renewed all the same.
func TestAnInvalidSpecDoesNotReachTheKeys(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	h.createSecret("other", map[string]string{"hmac": "another key"})
	before := h.secret("shop-bot")
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Telegram.TimeZone = "Mars/Olympus"
		s.Credentials.HMAC.SecretRef = &v1alpha1.SecretKeyRef{Name: "other", Key: "hmac"}
	})
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec)
	if !maps.EqualFunc(before, h.secret("shop-bot"), slices.Equal) {
		t.Error("the bot's Secret changed")
	}
	h.clock.advance(20 * time.Hour)
	h.poke("shop")
	h.eventually("the token is renewed", func() error {
		if got := h.secret("shop-bot"); slices.Equal(got["jwt-token"], before["jwt-token"]) {
			return errors.New("it is not")
		}
		return nil
	})
	if got := h.secret("shop-bot"); !slices.Equal(got["hmac-current"], before["hmac-current"]) || got["hmac-next"] != nil {
		t.Error("the keys changed")
	}
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.TimeZone = "Europe/Moscow" })
	h.eventually("the mended spec's key is rolled in", func() error {
		if got := string(h.secret("shop-bot")["hmac-next"]); got != "another key" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

// The bot of a bridge that was deleted and made anew does not speak for the new one: not while its pod is older than the
// Deployment, nor when it is gone and its Lease is there still.
func TestAFormerBotDoesNotCount(t *testing.T) {
	at := func(age time.Duration) metav1.Time { return metav1.NewTime(testNow.Add(-age)) }
	lease := func(made time.Duration) *coordinationv1.Lease {
		l := testLease(t, testNow, goodReport(testNow))
		l.Namespace, l.CreationTimestamp, l.Spec.HolderIdentity = "support", at(made), new("pod")
		return l
	}
	pod := func(made time.Duration) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: "support", CreationTimestamp: at(made)}}
	}
	tests := map[string]struct {
		lease *coordinationv1.Lease
		pod   *corev1.Pod
		want  bool
	}{
		"the bridge's own bot":                {lease(time.Minute), pod(30 * time.Second), false},
		"its pod is not in the cache yet":     {lease(time.Minute), nil, false},
		"the pod is of the Deployment before": {lease(time.Minute), pod(time.Hour), true},
		"the Lease is of the bridge before":   {lease(time.Hour), nil, true},
		"the new bot took the old Lease over": {lease(time.Hour), pod(30 * time.Second), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := testObservation(t)
			o.bridge.CreationTimestamp, o.deployment.CreationTimestamp = at(2*time.Minute), at(time.Minute)
			r := &Reconciler{Client: podReader{pod: tc.pod}}
			got, err := r.isFormerBots(t.Context(), o, tc.lease)
			if err != nil || got != tc.want {
				t.Errorf("isFormerBots says %t, %v", got, err)
			}
		})
	}
}

// podReader knows one pod, or none.
type podReader struct {
	client.Client
	pod *corev1.Pod
}

func (r podReader) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if r.pod == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)
	}
	setObject(object, r.pod)
	return nil
}

// Where the API server guards owners (OwnerReferencesPermissionEnforcement), to give an object its owner back takes the
// right to delete it, which the operator does without: the status names the object, and once a person has deleted it, it is
// made anew. The Secrets that outlive the bridge have no owner.
func TestAnOwnerThatWasTakenAway(t *testing.T) {
	h := newHarness(t)
	h.createSecrets()
	bridge := h.generatedBridge("shop")
	h.must(h.client.Create(h.ctx, bridge))
	h.run()
	h.phase("shop", v1alpha1.RotationStable, v1alpha1.RotationStable)
	h.beat("shop", new(goodReport(h.clock.Now())))
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	var config corev1.ConfigMap
	h.must(h.get("shop-bot", &config))
	h.must(h.client.Patch(h.ctx, &config, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"ownerReferences":null}}`))))
	c := h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed)
	if !strings.Contains(c.Message, "ConfigMap shop-bot") || !strings.Contains(c.Message, "delete it, and the operator makes it again") {
		t.Errorf("the condition says %s", c.Message)
	}
	h.must(h.client.Delete(h.ctx, &config))
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	h.must(h.get("shop-bot", &config))
	if owner := metav1.GetControllerOf(&config); owner == nil || owner.UID != bridge.UID {
		t.Errorf("the owner is %v", owner)
	}
	for _, name := range []string{"shop-site", "shop-signing"} {
		var s corev1.Secret
		h.must(h.get(name, &s))
		if len(s.OwnerReferences) != 0 || s.Labels[v1alpha1.LabelBridge] != "shop" {
			t.Errorf("%s has the owners %v and the labels %v", name, s.OwnerReferences, s.Labels)
		}
	}
}

// A Secret of the site's name that the operator did not make, or made for another bridge, is left alone.
func TestAForeignSiteSecretIsLeftAlone(t *testing.T) {
	h := newHarness(t)
	h.createSecret("shop-site", map[string]string{"hmac-current": "mine"})
	h.createSecrets()
	h.must(h.client.Create(h.ctx, h.generatedBridge("shop")))
	h.run()
	c := h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed)
	if !strings.Contains(c.Message, "Secret shop-site") {
		t.Errorf("the condition says %s", c.Message)
	}
	if got := h.secret("shop-site"); len(got) != 1 || string(got["hmac-current"]) != "mine" {
		t.Errorf("the user's Secret holds %d values", len(got))
	}
	if string(h.secret("shop-bot")["hmac-current"]) == "mine" {
		t.Error("the user's value was taken for a key")
	}
}
