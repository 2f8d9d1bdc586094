// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func testBridge(change func(*v1alpha1.FeedbackBridgeSpec)) *v1alpha1.FeedbackBridge {
	h := &harness{namespace: "support"}
	b := h.goodBridge("shop")
	b.UID = "uid-1"
	if change != nil {
		change(&b.Spec)
	}
	b.SetDefaults()
	return b
}

func TestEgressPorts(t *testing.T) {
	tests := map[string]struct {
		site, api string
		want      []int32
	}{
		"the usual":        {"wss://shop.example/ws", "https://api.telegram.org", []int32{443, 6443}},
		"ports given":      {"wss://shop.example:8443/ws", "https://bot-api.example:444", []int32{443, 444, 6443, 8443}},
		"in the clear":     {"ws://shop.example/ws", "http://bot-api.example:8081/x", []int32{80, 443, 6443, 8081}},
		"IPv6":             {"wss://[2001:db8::1]:9000/ws", "https://[2001:db8::2]", []int32{443, 6443, 9000}},
		"a port beyond":    {"wss://shop.example:70000/ws", "https://api.telegram.org", []int32{443, 6443}},
		"not an address":   {"://", "https://api.telegram.org", []int32{443, 6443}},
		"an unknown means": {"gopher://shop.example", "https://api.telegram.org", []int32{443, 6443}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := v1alpha1.FeedbackBridgeSpec{Site: v1alpha1.SiteSpec{URL: tc.site}, Telegram: v1alpha1.TelegramSpec{APIURL: tc.api}}
			if diff := cmp.Diff(tc.want, egressPorts(&s, DefaultAPIServerPorts)); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
}

// The bot's manifest is a FeedbackBridge that passes Validate, without what concerns only its pod.
func TestBotManifest(t *testing.T) {
	text, err := botManifest(testBridge(func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Suspend = new(true)
		s.Runtime.Image, s.Runtime.LogLevel = "example.test/other", "debug"
	}))
	if err != nil {
		t.Fatal(err)
	}
	var back v1alpha1.FeedbackBridge
	if err := yaml.UnmarshalStrict([]byte(text), &back); err != nil {
		t.Fatal(err)
	}
	if back.APIVersion != "feedbackbridge.dev/v1alpha1" || back.Kind != "FeedbackBridge" || back.Name != "shop" || back.Namespace != "support" {
		t.Errorf("the manifest is of %s %s %s/%s", back.APIVersion, back.Kind, back.Namespace, back.Name)
	}
	if back.Spec.Suspend != nil || back.Spec.Storage != (v1alpha1.StorageSpec{}) || !cmp.Equal(back.Spec.Runtime, v1alpha1.RuntimeSpec{LogLevel: "debug"}) {
		t.Errorf("the manifest speaks of the pod:\n%s", text)
	}
	if strings.Contains(text, "status") || strings.Contains(text, "creationTimestamp") {
		t.Errorf("the manifest holds what is no part of it:\n%s", text)
	}
	back.SetDefaults()
	if err := back.Validate(); err != nil {
		t.Errorf("the bot would refuse it: %v", err)
	}
}

// What rolls the bot, and what does not.
func TestConfigHash(t *testing.T) {
	hash := func(change func(*v1alpha1.FeedbackBridgeSpec)) string {
		text, err := botManifest(testBridge(change))
		if err != nil {
			t.Fatal(err)
		}
		return hashOf(text)
	}
	same := hash(nil)
	for name, change := range map[string]func(*v1alpha1.FeedbackBridgeSpec){
		"suspend":   func(s *v1alpha1.FeedbackBridgeSpec) { s.Suspend = new(true) },
		"resources": func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.Resources = &corev1.ResourceRequirements{} },
		"the credentials' way": func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{RotateEvery: "720h"}, Overlap: "1h"}
		},
		"a default made plain": func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.TimeZone = "Europe/Moscow" },
	} {
		if hash(change) != same {
			t.Errorf("%s changes the hash", name)
		}
	}
	for name, change := range map[string]func(*v1alpha1.FeedbackBridgeSpec){
		"the log level": func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.LogLevel = "debug" },
		"the chat":      func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "-1" },
	} {
		if hash(change) == same {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

// The credentials volume holds the files that the bot reads, and never the signing key.
func TestCredentialSources(t *testing.T) {
	type file struct{ secret, key, path string }
	tests := map[string]struct {
		change func(*v1alpha1.FeedbackBridgeSpec)
		want   []file
	}{
		"minted": {nil, []file{{"shop-bot", "", ""}, {"telegram", "token", "telegram-token"}}},
		"ready, with a CA": {func(s *v1alpha1.FeedbackBridgeSpec) {
			readyToken(s)
			s.Site.TLS = &v1alpha1.SiteTLS{CASecretRef: &v1alpha1.SecretKeyRef{Name: "ca", Key: "ca.pem"}}
		}, []file{{"shop-bot", "", ""}, {"telegram", "token", "telegram-token"}, {"site", "token", "jwt-token"}, {"ca", "ca.pem", "site-ca.crt"}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []file
			for _, source := range credentialSources(testBridge(tc.change)) {
				f := file{secret: *source.Secret.Name}
				for _, item := range source.Secret.Items {
					f.key, f.path = *item.Key, *item.Path
				}
				got = append(got, f)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(file{})); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
		})
	}
}

// What the operator writes into its Secrets it reads back as it was.
func TestOwnSecretsRoundTrip(t *testing.T) {
	b := testBridge(func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}}
		s.Credentials.JWT = v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{}}
	})
	pairs := keyPairs{pems: map[string][]byte{}, keys: map[string]signingKey{}, handled: "hash"}
	for _, id := range []*string{&pairs.current, &pairs.next} {
		text, err := newKeyPair("")
		if err != nil {
			t.Fatal(err)
		}
		*id = pairs.add(text)
	}
	pairs.stagedAt, pairs.publishedAt, pairs.rotatedAt = ago(time.Hour), ago(time.Minute), ago(time.Second)
	public, _ := publicJWK(pairs.keys[pairs.next])
	hold := held{
		uid:    string(b.UID),
		hmac:   someKeys("b", "c", "a", rotation{stagedAt: ago(time.Hour), publishedAt: ago(time.Minute), rotatedAt: ago(2 * time.Hour), retireAt: testNow}),
		tokens: tokens{"x.y.z", "u.v.w"}, pairs: pairs, jwks: jwks{[]jwk{public}}, handled: "hash",
	}
	c := credentials{hold: hold}
	writes, err := c.writes(b)
	if err != nil {
		t.Fatal(err)
	}
	secrets := secretSet{}
	for _, w := range writes {
		secrets[*w.desired.Name] = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: *w.desired.Name, Labels: w.desired.Labels, Annotations: w.desired.Annotations}, Data: w.desired.Data,
		}
	}
	if diff := cmp.Diff([]string{"shop-bot", "shop-signing", "shop-site"}, slices.Sorted(maps.Keys(secrets))); diff != "" {
		t.Fatalf("Secrets (-want +got):\n%s", diff)
	}
	back, err := loadHeld(b, secrets, credentialsInput{spec: &b.Spec, now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hold, back, cmp.AllowUnexported(held{}, hmacKeys{}, rotation{}, tokens{}, jwks{}, keyPairs{}, signingKey{}),
		cmpopts.IgnoreFields(held{}, "stored"), cmpopts.IgnoreFields(keyPairs{}, "stored")); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	for name, secret := range secrets {
		secret.Labels[v1alpha1.LabelBridge] = "another"
		if s, err := storedIn(secret, "shop"); err != nil || s.exists {
			t.Errorf("%s of another bridge is taken for ours (%v)", name, err)
		}
	}
}

// A user's pod annotations are kept; the operator's own wins.
func TestPodAnnotations(t *testing.T) {
	b := testBridge(func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Runtime.PodAnnotations = map[string]string{"example.test/a": "b", annotationConfigHash: "forged"}
	})
	template, err := buildPodTemplate(b, testImage, "hash")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"example.test/a": "b", annotationConfigHash: "hash"}, template.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if b.Spec.Runtime.PodAnnotations[annotationConfigHash] != "forged" {
		t.Error("the bridge's own map was changed")
	}
}

func TestSecretNames(t *testing.T) {
	b := testBridge(func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Site.TLS = &v1alpha1.SiteTLS{CASecretRef: &v1alpha1.SecretKeyRef{Name: "ca", Key: "ca.pem"}}
	})
	if diff := cmp.Diff([]string{"ca", "shop-bot", "site", "telegram"}, secretNames(b)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestIsOurs(t *testing.T) {
	ours := metav1.ManagedFieldsEntry{Manager: string(fieldOwner)}
	theirs := metav1.ManagedFieldsEntry{Manager: "kubectl"}
	tests := map[string]struct {
		meta metav1.ObjectMeta
		want bool
	}{
		"a user's":          {metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{theirs}}, false},
		"labelled":          {metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelBridge: "shop"}}, true},
		"without its label": {metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{theirs, ours}}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := isOurs(&corev1.Secret{ObjectMeta: tc.meta}); got != tc.want {
				t.Errorf("isOurs is %t", got)
			}
		})
	}
}
