// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func testCertificate(t *testing.T) []byte {
	t.Helper()
	key := newEC(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return pemOf(t, "CERTIFICATE", der, err)
}

// Each trouble with a Secret is said in the condition, in words that teach, and goes by itself once it is mended.
func TestSecretTroublesAreSaidAndRecover(t *testing.T) {
	tests := map[string]struct {
		spec    func(*v1alpha1.FeedbackBridgeSpec)
		secret  string
		broken  map[string]string // nil: the Secret does not exist
		mended  map[string]string
		reason  string
		message string
	}{
		"no Secret": {nil, "telegram", nil, map[string]string{"token": "123456:TEST-TOKEN"}, v1alpha1.ReasonSecretNotFound,
			`Secret "telegram" does not exist: create it, with the Telegram bot's token under the key "token"`},
		"no key": {nil, "site", map[string]string{"jwt": "x", "HMAC": "x"}, map[string]string{"hmac": "key"}, v1alpha1.ReasonSecretKeyNotFound,
			`Secret "site" has no key "hmac": add it, with the HMAC key that the site signs with, or correct the reference; it has HMAC, jwt`},
		"an empty HMAC key": {nil, "site", map[string]string{"jwt": "x", "hmac": "\n"}, map[string]string{"hmac": "key"}, v1alpha1.ReasonSecretMalformed,
			`Secret "site": the value of "hmac" is empty: it should hold the HMAC key that the site signs with`},
		"a Telegram token that is none": {nil, "telegram", map[string]string{"token": "hunter2"}, map[string]string{"token": "123456:TEST-TOKEN"},
			v1alpha1.ReasonSecretMalformed,
			`Secret "telegram": the value of "token" is not a bot token: store what BotFather gave you, digits, a colon and letters, and nothing else`},
		"a signing key of another kind": {func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.JWT.Algorithm = v1alpha1.JWTAlgorithmES256 },
			"site", map[string]string{"jwt": "hunter2", "hmac": "key"}, map[string]string{"jwt": string(pkcs8(t, newEC(t, elliptic.P256())))},
			v1alpha1.ReasonSecretMalformed, `Secret "site": the value of "jwt" holds no PEM private key (a block "-----BEGIN PRIVATE KEY-----")`},
		"a ready token that has expired": {readyToken, "site",
			map[string]string{"hmac": "key", "token": unsigned(`{"alg":"HS256"}`, `{"exp":1700000000}`)}, map[string]string{"token": "opaque"},
			v1alpha1.ReasonTokenExpired, `The token in Secret "site" expired at 2023-11-14T22:13:20Z: store a new one under the key "token"`},
		"a CA that is none": {func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Site.TLS = &v1alpha1.SiteTLS{CASecretRef: &v1alpha1.SecretKeyRef{Name: "ca", Key: "ca.crt"}}
		}, "ca", map[string]string{"ca.crt": "junk"}, map[string]string{"ca.crt": string(testCertificate(t))}, v1alpha1.ReasonSecretMalformed,
			`Secret "ca": the value of "ca.crt" holds no PEM certificate (a block "-----BEGIN CERTIFICATE-----")`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t).run()
			for secret, data := range map[string]map[string]string{
				"site": {"jwt": "signing key", "hmac": "key"}, "telegram": {"token": "123456:TEST-TOKEN"},
			} {
				if secret != tc.secret {
					h.createSecret(secret, data)
				}
			}
			if tc.broken != nil {
				h.createSecret(tc.secret, tc.broken)
			}
			bridge := h.goodBridge("shop")
			if tc.spec != nil {
				tc.spec(&bridge.Spec)
			}
			h.must(h.client.Create(h.ctx, bridge))
			c := h.condition("shop", v1alpha1.ConditionCredentialsReady, metav1.ConditionFalse, tc.reason)
			if c.Message != tc.message {
				t.Errorf("the condition says\n%s\nwant\n%s", c.Message, tc.message)
			}
			h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, tc.reason)
			h.condition("shop", v1alpha1.ConditionStalled, metav1.ConditionTrue, tc.reason)
			if err := h.get("shop-bot", &appsv1.Deployment{}); !apierrors.IsNotFound(err) {
				t.Errorf("a bot without credentials was started (%v)", err)
			}
			if tc.broken == nil {
				h.createSecret(tc.secret, tc.mended)
			}
			for key, value := range tc.mended {
				h.setSecret(tc.secret, key, value)
			}
			h.condition("shop", v1alpha1.ConditionCredentialsReady, metav1.ConditionTrue, v1alpha1.ReasonCredentialsReady)
			h.eventually("the bot is started", func() error { return h.get("shop-bot", &appsv1.Deployment{}) })
			h.settle("shop")
			h.noSecretsIn("hunter2")
		})
	}
}

func readyToken(s *v1alpha1.FeedbackBridgeSpec) {
	s.Credentials.JWT = v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "token"}}
}

// noSecretsIn checks that a value is in no event and no status.
func (h *harness) noSecretsIn(value string) {
	h.Helper()
	if status := fmt.Sprintf("%+v", h.bridge("shop").Status); strings.Contains(status, value) {
		h.Errorf("the status holds a secret: %s", status)
	}
	for {
		select {
		case e := <-h.events.Events:
			if strings.Contains(e, value) {
				h.Errorf("an event holds a secret: %s", e)
			}
		default:
			return
		}
	}
}

// A Secret that goes while the bot runs is said, and leaves the bot what it has.
func TestSecretLostLater(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	before := h.held("shop").Data
	h.must(h.client.Delete(h.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "site", Namespace: h.namespace}}))
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected)
	after := h.held("shop").Data
	for _, file := range []string{v1alpha1.FileHMACCurrent, v1alpha1.FileJWT} {
		if string(before[file]) != string(after[file]) || len(after[file]) == 0 {
			t.Errorf("%s was %d bytes and is %d", file, len(before[file]), len(after[file]))
		}
	}
	h.createSecret("site", map[string]string{"jwt": "signing key", "hmac": "first key"})
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// A minted token is renewed before it expires, by the operator's clock, and kept until then.
func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	h := newHarness(t).run()
	h.createSecrets()
	bridge := h.goodBridge("shop")
	bridge.Spec.Credentials.JWT.TTL, bridge.Spec.Credentials.JWT.RenewBefore = "3h", "1h"
	h.must(h.client.Create(h.ctx, bridge))
	h.settle("shop")
	first := h.held("shop").Data[v1alpha1.FileJWT]
	expiry := h.bridge("shop").Status.Credentials.JWT.ExpiresAt
	if want := h.clock.Now().Add(3 * time.Hour); !expiry.Time.Equal(want) {
		t.Errorf("the status says that the token expires at %s, want %s", expiry, want)
	}

	h.clock.advance(time.Hour)
	h.beat("shop", nil)
	h.setSecret("site", "unrelated", "a change that makes the operator read the Secret again")
	h.setSecret("telegram", "token", "junk")
	h.condition("shop", v1alpha1.ConditionCredentialsReady, metav1.ConditionFalse, v1alpha1.ReasonSecretMalformed)
	if string(h.held("shop").Data[v1alpha1.FileJWT]) != string(first) {
		t.Error("the token was replaced two hours before its end")
	}

	h.clock.advance(time.Hour)
	h.beat("shop", nil)
	h.poke("shop")
	h.eventually("the token is renewed, whatever else is wrong", func() error {
		if string(h.held("shop").Data[v1alpha1.FileJWT]) == string(first) {
			return errors.New("it is the first one still")
		}
		return nil
	})
	h.eventually("the status says so", func() error {
		if got, want := h.bridge("shop").Status.Credentials.JWT.ExpiresAt, h.clock.Now().Add(3*time.Hour); !got.Time.Equal(want) {
			return fmt.Errorf("it says %s, want %s", got, want)
		}
		return nil
	})
}

// A ready token is not copied: the pod mounts the user's Secret. Its expiry is reported and its end noticed.
func TestReadyToken(t *testing.T) {
	h := newHarness(t).run()
	h.createSecrets()
	end := h.clock.Now().Add(time.Hour)
	h.setSecret("site", "token", unsigned(`{"alg":"RS256","kid":"k1"}`, fmt.Sprintf(`{"exp":%d}`, end.Unix())))
	bridge := h.goodBridge("shop")
	readyToken(&bridge.Spec)
	h.must(h.client.Create(h.ctx, bridge))
	h.settle("shop")
	if s := h.bridge("shop").Status.Credentials.JWT; s == nil || s.KeyID != "k1" || !s.ExpiresAt.Time.Equal(end) {
		t.Errorf("the status says %+v of the token", s)
	}
	if _, copied := h.held("shop").Data[v1alpha1.FileJWT]; copied {
		t.Error("the user's token was copied")
	}
	h.clock.advance(2 * time.Hour)
	h.beat("shop", nil)
	h.poke("shop")
	h.condition("shop", v1alpha1.ConditionCredentialsReady, metav1.ConditionFalse, v1alpha1.ReasonTokenExpired)
}
