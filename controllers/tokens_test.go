// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// tokenInput is a bridge whose user signs with a shared secret.
func tokenInput(t *testing.T, secret string, have tokens) credentialsInput {
	t.Helper()
	b := testBridge(nil)
	return credentialsInput{
		spec: &b.Spec, now: testNow, make: randomKeys(), have: held{tokens: have, hmac: someKeys("", "", "", rotation{})},
		secrets: secretSet{"site": &corev1.Secret{Data: bytesOf("jwt", secret, "hmac", "key")}},
	}
}

func minted(t *testing.T, secret string, age time.Duration) (token, kid string) {
	t.Helper()
	key, err := parseSigningKey("", []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	token, err = mint(tokenSpec{subject: "feedback-bot", ttl: 24 * time.Hour, renewBefore: 8 * time.Hour}, key, testNow.Add(-age), "id")
	if err != nil {
		t.Fatal(err)
	}
	return token, key.id
}

// When the user's signing key changes, the bot keeps a token to fall back to: the one before, or, where several keys came
// and went, the one that the site accepted last; never one that has expired.
func TestFormerToken(t *testing.T) {
	a, kidA := minted(t, "a", time.Hour)
	b, kidB := minted(t, "b", time.Hour)
	c, _ := minted(t, "c", time.Hour)
	old, _ := minted(t, "a", 25*time.Hour)
	tests := map[string]struct {
		secret   string
		have     tokens
		accepted string
		// want is the token to fall back to, and whether the token itself stays.
		want  string
		stays bool
	}{
		"nothing changed":                         {"a", tokens{a, ""}, kidA, "", true},
		"the key changed":                         {"b", tokens{a, ""}, kidA, a, false},
		"it changed before":                       {"b", tokens{b, a}, kidB, a, true},
		"it changed before, and the end has come": {"b", tokens{b, old}, kidB, "", true},
		"it changed again, the site lags behind":  {"c", tokens{b, a}, kidA, a, false},
		"it changed again, the site kept up":      {"c", tokens{b, a}, kidB, b, false},
		"it changed again, nothing is known":      {"c", tokens{b, a}, "", b, false},
		"it changed back":                         {"a", tokens{b, a}, kidA, b, false},
		"it changed, and the old token is over":   {"c", tokens{old, ""}, kidA, "", false},
		"it is the third already":                 {"c", tokens{c, ""}, "", "", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := tokenInput(t, tc.secret, tc.have)
			if tc.accepted != "" {
				in.bot.jwtUsed = map[string]time.Time{tc.accepted: testNow}
			}
			got := computeCredentials(in).hold.tokens
			if got.previous != tc.want {
				t.Errorf("the token to fall back to is %q, want %q", got.previous, tc.want)
			}
			if stays := got.token == tc.have.token; stays != tc.stays {
				t.Errorf("the token stays: %t", stays)
			}
			if name == "it changed back" && got.token != a {
				t.Error("the good token that was there is not used")
			}
		})
	}
}

// The user's own key pair: the site's Secret has its public part and, until the last token of the one before expires, that
// one's.
func TestJWKSOfTheUsersKeys(t *testing.T) {
	first, err := newKeyPair("")
	if err != nil {
		t.Fatal(err)
	}
	second, err := newKeyPair("")
	if err != nil {
		t.Fatal(err)
	}
	in := tokenInput(t, string(first), tokens{})
	in.spec.Credentials.JWT.Algorithm = v1alpha1.JWTAlgorithmES256
	before := computeCredentials(in)
	if len(before.hold.jwks.Keys) != 1 {
		t.Fatalf("the set is %+v", before.hold.jwks)
	}
	in.have = before.hold
	in.secrets["site"].Data["jwt"] = second
	after := computeCredentials(in)
	kids := func(c credentials) []string {
		var out []string
		for _, k := range c.hold.jwks.Keys {
			out = append(out, k.Kid)
		}
		return out
	}
	oldKid, newKid := before.hold.jwks.Keys[0].Kid, after.hold.jwks.Keys[0].Kid
	if diff := cmp.Diff([]string{newKid, oldKid}, kids(after)); diff != "" || newKid == oldKid {
		t.Errorf("the set (-want +got):\n%s", diff)
	}
	in.have = after.hold
	delete(in.secrets["site"].Data, "jwt")
	if diff := cmp.Diff([]string{newKid, oldKid}, kids(computeCredentials(in))); diff != "" {
		t.Errorf("the set while the key is missing (-want +got):\n%s", diff)
	}
	in.secrets["site"].Data["jwt"] = second
	in.now = testNow.Add(25 * time.Hour)
	if diff := cmp.Diff([]string{newKid}, kids(computeCredentials(in))); diff != "" {
		t.Errorf("the set after the end of the old token (-want +got):\n%s", diff)
	}
}

// rotate-now: each value is acted on once, by what is stored with the keys.
func TestRotateNow(t *testing.T) {
	done := func(value string) stored {
		return stored{exists: true, annotations: map[string]string{annotationHandledRotateNow: rotateNowHash(value)}}
	}
	tests := map[string]struct {
		value  string
		stored stored
		want   bool
	}{
		"not given":                       {"", stored{exists: true}, false},
		"given":                           {"1", stored{exists: true}, true},
		"given, and there are no keys":    {"1", stored{}, false},
		"acted on":                        {"1", done("1"), false},
		"another value":                   {"2", done("1"), true},
		"taken away after it was done":    {"", done("1"), false},
		"a long value that was acted on":  {string(make([]byte, 5000)), done(string(make([]byte, 5000))), false},
		"another long value, to be acted": {string(make([]byte, 5001)), done(string(make([]byte, 5000))), true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := credentialsInput{rotateNow: tc.value}
			if got := in.asked(tc.stored); got != tc.want {
				t.Errorf("asked is %t", got)
			}
			if tc.value == "" && in.handled(tc.stored) != tc.stored.annotations[annotationHandledRotateNow] {
				t.Error("what was acted on is forgotten")
			}
		})
	}
}

// What the bot says of keys is by its own clock, which may be wrong by hours.
func TestKeyReportOf(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"right": 0, "an hour behind": -time.Hour, "an hour ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			at := func(age time.Duration) metav1.Time { return metav1.NewTime(testNow.Add(ahead - age)) }
			h := health{fresh: true, heartbeat: testNow.Add(ahead - 10*time.Second), report: &v1alpha1.BotReport{
				StartedAt: at(5 * time.Hour), SiteKeyID: "c", HMACKeyIDs: []string{"a", "b"},
				HMACKeysUsed: []v1alpha1.KeyUse{{ID: "a", First: at(2 * time.Hour), Last: at(time.Hour)}, {ID: "b", First: at(time.Minute)}},
				JWTKeyID:     "k", JWTAcceptedAt: new(at(3 * time.Hour)), Site: v1alpha1.PeerReport{OK: true, Since: at(time.Minute)},
			}}
			got := keyReportOf(h, testNow.Add(-10*time.Second), testNow)
			want := keyReport{
				accepts:  []string{"a", "b"},
				hmacUsed: map[string]time.Time{"a": ago(time.Hour), "b": ago(time.Minute), "c": ago(5 * time.Hour)},
				hmacLast: "c",
				jwtUsed:  map[string]time.Time{"k": ago(3 * time.Hour)},
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(keyReport{})); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			h.fresh = false
			if got := keyReportOf(h, testNow.Add(-10*time.Second), testNow); got.accepts != nil || !got.jwtUsed["k"].Equal(ago(3*time.Hour)) {
				t.Errorf("a bot that is not heard says %+v", got)
			}
			h.report.JWTAcceptedAt = nil
			if got := keyReportOf(h, testNow.Add(-10*time.Second), testNow); !got.jwtUsed["k"].Equal(ago(5 * time.Hour)) {
				t.Errorf("a bot that does not tell when the site accepted its token says %+v", got)
			}
		})
	}
	if got := keyReportOf(health{}, time.Time{}, testNow); !cmp.Equal(got, keyReport{}, cmp.AllowUnexported(keyReport{})) {
		t.Errorf("no report says %+v", got)
	}
}
