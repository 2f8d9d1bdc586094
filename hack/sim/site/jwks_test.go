// SPDX-License-Identifier: Apache-2.0

package site

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// signer is a private key, and its public key as a JWK.
type signer struct {
	method  jwt.SigningMethod
	private crypto.Signer
	jwk     jwk
}

// signers are a key of each kind, whose kid is its kind.
func signers(t *testing.T) map[string]signer {
	t.Helper()
	rsaKey, err1 := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, edKey, err3 := ed25519.GenerateKey(rand.Reader)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	point, err := ecKey.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]signer{
		"RSA": {jwt.SigningMethodRS256, rsaKey, jwk{Type: "RSA", ID: "RSA", Use: "sig", N: b64(rsaKey.N.Bytes()),
			E: b64(big.NewInt(int64(rsaKey.E)).Bytes())}},
		"EC":  {jwt.SigningMethodES256, ecKey, jwk{Type: "EC", ID: "EC", Curve: "P-256", X: b64(point[1:33]), Y: b64(point[33:])}},
		"OKP": {jwt.SigningMethodEdDSA, edKey, jwk{Type: "OKP", ID: "OKP", Curve: "Ed25519", X: b64(edPublic)}},
	}
}

// token mints a token that expires in an hour.
func (s signer) token(t *testing.T, kid string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	signed, err := token.SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func keySet(t *testing.T, keys ...jwk) []byte {
	t.Helper()
	set, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestAcceptJWKS(t *testing.T) {
	now := time.Now()
	hour := jwt.MapClaims{"exp": now.Add(time.Hour).Unix()}
	keys := signers(t)
	accept, err := AcceptJWKS(keySet(t, keys["RSA"].jwk, keys["EC"].jwk, keys["OKP"].jwk))
	if err != nil {
		t.Fatal(err)
	}
	for kind, key := range keys {
		for _, test := range []struct {
			name, kid string
			claims    jwt.MapClaims
			at        time.Time
			accepted  bool
		}{
			{"its kid", kind, hour, now, true},
			{"no kid", "", hour, now, true},
			{"a kid that is not there", "other", hour, now, false},
			{"another key's kid", map[string]string{"RSA": "EC", "EC": "OKP", "OKP": "RSA"}[kind], hour, now, false},
			{"expired by the site's clock", kind, hour, now.Add(2 * time.Hour), false},
			{"without expiry", kind, jwt.MapClaims{"sub": "bot"}, now, false},
		} {
			if err := accept(key.token(t, test.kid, test.claims), test.at); (err == nil) != test.accepted {
				t.Errorf("%s, %s: %v, want accepted %v", kind, test.name, err, test.accepted)
			}
		}
		only, err := AcceptJWKS(keySet(t, key.jwk))
		if err != nil {
			t.Fatal(err)
		}
		for other, key := range keys {
			if err := only(key.token(t, "", hour), now); (err == nil) != (other == kind) {
				t.Errorf("a set of %s alone, a token of %s: %v", kind, other, err)
			}
		}
	}
	secret, err := jwt.NewWithClaims(jwt.SigningMethodHS256, hour).SignedString([]byte(keys["EC"].jwk.X))
	if err != nil {
		t.Fatal(err)
	}
	if accept(secret, now) == nil {
		t.Error("a public key was taken for a secret")
	}
}

func TestKeySetsThatCannotBeUsed(t *testing.T) {
	good := signers(t)
	change := func(kind string, change func(*jwk)) []byte {
		key := good[kind].jwk
		change(&key)
		return keySet(t, key)
	}
	for name, set := range map[string][]byte{
		"not JSON":         []byte("{"),
		"no keys":          []byte(`{"keys":[]}`),
		"another type":     []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`),
		"another use":      change("EC", func(k *jwk) { k.Use = "enc" }),
		"another curve":    change("EC", func(k *jwk) { k.Curve = "P-384" }),
		"not on the curve": change("EC", func(k *jwk) { k.Y = k.X }),
		"short":            change("EC", func(k *jwk) { k.X = k.X[:20] }),
		"not base64":       change("OKP", func(k *jwk) { k.X = strings.Repeat("=", 43) }),
		"another OKP":      change("OKP", func(k *jwk) { k.Curve = "X25519" }),
		"small RSA":        change("RSA", func(k *jwk) { k.N = k.N[:100] }),
		"RSA exponent":     change("RSA", func(k *jwk) { k.E = "AQ" }),
	} {
		if _, err := AcceptJWKS(set); err == nil {
			t.Errorf("%s: a set without use was taken", name)
		}
	}
}

func TestAcceptAny(t *testing.T) {
	now := time.Now()
	both := AcceptAny(AcceptToken("a"), AcceptToken("b"))
	for token, want := range map[string]bool{"a": true, "b": true, "c": false} {
		if err := both(token, now); (err == nil) != want {
			t.Errorf("%s: %v", token, err)
		}
	}
	if AcceptAny()("a", now) == nil {
		t.Error("no rule accepts everything")
	}
}

func ExampleAcceptJWKS() {
	_, err := AcceptJWKS([]byte(`{"keys":[{"kty":"EC","crv":"P-521"}]}`))
	fmt.Println(err)
	// Output: key 0 of the set: EC key: the curve "P-521" is not supported
}
