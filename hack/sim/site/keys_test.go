// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// one is a feedback.
var one = map[string]int{"feedback_id": 1}

// exchange sends a feedback and answers it with a key; it returns what the feedback was signed with.
func (h harness) exchange(conn *botConn, answerWith wire.Key) (signedWith string) {
	h.t.Helper()
	if _, err := h.site.Send(one); err != nil {
		h.t.Fatal(err)
	}
	frame, signature, err := h.next(conn.ws, conn.ring)
	if err != nil {
		h.t.Fatal(err)
	}
	before := h.site.counts()
	h.answer(conn.ws, wire.Result{ID: frame.ID, OK: true, TicketID: "t"}, answerWith, signature.Form)
	if err := h.site.WaitFor(h.t.Context(), func() bool {
		now := h.site.counts()
		return now.Answered+now.Missigned+now.Outdated > before.Answered+before.Missigned+before.Outdated
	}); err != nil {
		h.t.Fatal(err)
	}
	return signature.KeyID
}

func TestKeysThatAreHeld(t *testing.T) {
	a, b, c := key(t, "first"), key(t, "second"), key(t, "third")
	h := start(t, Config{})
	conn := h.connect(wire.NewKeyRing(a, b, c))
	const taken, outdated, missigned = "taken", "outdated", "missigned"
	for i, step := range []struct {
		change func()
		signs  wire.Key
		takes  map[string]string // by the secret of the result's key
	}{
		{func() {}, a, map[string]string{"first": taken, "second": missigned}},
		{func() { h.site.HoldKeys(b, a) }, b, map[string]string{"second": taken, "first": taken, "third": missigned}},
		{func() { h.site.HoldKeys(b) }, b, map[string]string{"second": taken, "first": outdated, "third": missigned}},
		{func() { h.site.SetKey(c, wire.FormUTF8) }, c, map[string]string{"third": taken, "second": taken, "first": outdated}},
		{func() { h.call(200, "PUT", "/sim/key", map[string]any{"secrets": []string{"first", "third"}}) }, a,
			map[string]string{"first": taken, "third": taken, "second": outdated, "fourth": missigned}},
	} {
		step.change()
		for secret, want := range step.takes {
			before := h.site.Stats()
			if got := h.exchange(conn, key(t, secret)); got != step.signs.ID() {
				t.Errorf("step %d: signed with %s, want %s", i, got, step.signs.ID())
			}
			after := h.site.Stats()
			got := map[string]int64{taken: after.Answered - before.Answered, outdated: after.Outdated - before.Outdated,
				missigned: after.Missigned - before.Missigned}
			if got[want] != 1 || got[taken]+got[outdated]+got[missigned] != 1 {
				t.Errorf("step %d: a result by the key of %q: %v, want %s", i, secret, got, want)
			}
		}
	}
}

func TestAdopt(t *testing.T) {
	keys := signers(t)
	hour := jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()}
	ecToken, okpToken := keys["EC"].token(t, "EC", hour), keys["OKP"].token(t, "OKP", hour)
	h := start(t, Config{Accept: AcceptToken("none")})
	refused := func(token string) {
		t.Helper()
		if _, status := h.dial(token, h.url); status != http.StatusForbidden {
			t.Errorf("status %d", status)
		}
	}
	adopt := func(secret map[string][]byte) {
		t.Helper()
		if err := h.site.Adopt(secret); err != nil {
			t.Fatal(err)
		}
	}
	refused(ecToken)
	adopt(map[string][]byte{
		v1alpha1.SiteHMACKey: []byte("second\n"), v1alpha1.SiteHMACCurrent: []byte("first"), v1alpha1.SiteHMACNext: []byte("second"),
		v1alpha1.SiteJWKS: keySet(t, keys["EC"].jwk),
	})
	conn := h.connectWith(ecToken, wire.NewKeyRing(key(t, "first"), key(t, "second")))
	if got := h.exchange(conn, key(t, "first")); got != key(t, "second").ID() || h.site.Stats().Answered != 1 {
		t.Errorf("signed with %s: %+v", got, h.site.Stats())
	}
	refused(okpToken)
	adopt(map[string][]byte{v1alpha1.SiteJWKS: keySet(t, keys["OKP"].jwk)}) // the HMAC keys stay
	refused(ecToken)
	if got := h.exchange(conn, key(t, "first")); got != key(t, "second").ID() {
		t.Errorf("signed with %s", got)
	}
	for name, secret := range map[string]map[string][]byte{
		"nothing of ours": {"other": []byte("x")},
		"a bad key set":   {v1alpha1.SiteHMACKey: []byte("third"), v1alpha1.SiteJWKS: []byte("{}")},
	} {
		if err := h.site.Adopt(secret); err == nil {
			t.Errorf("%s: adopted", name)
		}
	}
	if got := h.exchange(conn, key(t, "first")); got != key(t, "second").ID() {
		t.Error("a Secret that cannot be used changed something")
	}
}

func TestTokensOfSeveralKeys(t *testing.T) {
	keys := signers(t)
	hour := jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()}
	secret := func(secret string) string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, hour).SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	h := start(t, Config{Accept: AcceptToken("none")})
	h.call(200, "PUT", "/sim/token", map[string]any{"token": "ready", "jwt_keys": []string{"one", "two"},
		"jwks": map[string]any{"keys": []jwk{keys["RSA"].jwk}}})
	for token, want := range map[string]int{
		secret("one"): 101, secret("two"): 101, secret("three"): 403, "ready": 101, keys["RSA"].token(t, "RSA", hour): 101,
		keys["EC"].token(t, "", hour): 403,
	} {
		if _, status := h.dial(token, h.url); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
	}
	h.call(400, "PUT", "/sim/token", map[string]any{"jwks": map[string]any{}})
	h.call(400, "PUT", "/sim/key", map[string]any{"secret": "a", "secrets": []string{"b"}})
	h.call(400, "PUT", "/sim/key", map[string]any{"secrets": []string{""}})
}

func TestClockThatIsOff(t *testing.T) {
	first := key(t, "first")
	h := start(t, Config{Accept: mustAccept(t, "secret")})
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	conn := h.connectWith(token, wire.NewKeyRing(first))
	h.call(200, "PUT", "/sim/clock", map[string]string{"ahead": "2h"})
	if _, status := h.dial(token, h.url); status != http.StatusForbidden {
		t.Errorf("a token that has expired by the site's clock: status %d", status)
	}
	if _, err := h.site.Send(one); err != nil {
		t.Fatal(err)
	}
	frame, _, _ := h.next(conn.ws, conn.ring)
	if ahead := time.Until(time.Unix(frame.TS, 0)); ahead < 119*time.Minute || ahead > 121*time.Minute {
		t.Errorf("the frame's time is %v ahead", ahead)
	}
	h.answer(conn.ws, wire.Result{ID: frame.ID, OK: true, TicketID: "t"}, first, wire.FormUTF8)
	if err := h.site.WaitFor(t.Context(), func() bool { return h.site.counts().Missigned == 1 }); err != nil {
		t.Errorf("a result of two hours ago is taken: %v", err)
	}
	h.site.SetClock(0)
	if got := h.exchange(conn, first); got != first.ID() || h.site.Stats().Answered != 1 {
		t.Errorf("%+v", h.site.Stats())
	}
}

func mustAccept(t *testing.T, secret string) Accept {
	t.Helper()
	accept, err := AcceptJWT([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return accept
}
