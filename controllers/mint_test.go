// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func pemOf(t *testing.T, kind string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(t, "PRIVATE KEY", der, err)
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEd25519(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A minted token is one that the site can verify with the public half, with the claims that the API documents.
func TestMintedTokensVerify(t *testing.T) {
	rsaKey, ecKey, edKey := newRSA(t, 2048), newEC(t, elliptic.P256()), newEd25519(t)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	ecParams := pemOf(t, "EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil)
	tests := map[string]struct {
		algorithm v1alpha1.JWTAlgorithm
		value     []byte
		verify    any
	}{
		"HS256 by default": {"", []byte("shared secret"), []byte("shared secret")},
		"HS256":            {v1alpha1.JWTAlgorithmHS256, []byte("shared secret"), []byte("shared secret")},
		"RS256, PKCS#8":    {v1alpha1.JWTAlgorithmRS256, pkcs8(t, rsaKey), rsaKey.Public()},
		"RS256, PKCS#1": {v1alpha1.JWTAlgorithmRS256, pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil),
			rsaKey.Public()},
		"ES256, PKCS#8": {v1alpha1.JWTAlgorithmES256, pkcs8(t, ecKey), ecKey.Public()},
		"ES256, SEC 1 after its parameters": {v1alpha1.JWTAlgorithmES256,
			append(ecParams, pemOf(t, "EC PRIVATE KEY", sec1, err)...), ecKey.Public()},
		"EdDSA": {v1alpha1.JWTAlgorithmEdDSA, pkcs8(t, edKey), edKey.Public()},
	}
	spec := tokenSpec{issuer: "operator", subject: "feedback-bot", audience: "shop", ttl: time.Hour, renewBefore: time.Minute}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := parseSigningKey(tc.algorithm, tc.value)
			if err != nil {
				t.Fatal(err)
			}
			text, err := mint(spec, key, testNow, "id-1")
			if err != nil {
				t.Fatal(err)
			}
			claims := jwt.MapClaims{}
			token, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return tc.verify, nil },
				jwt.WithTimeFunc(func() time.Time { return testNow.Add(time.Minute) }))
			if err != nil {
				t.Fatalf("the site refuses the token: %v", err)
			}
			want := jwt.MapClaims{
				"iss": "operator", "sub": "feedback-bot", "aud": "shop", "jti": "id-1",
				"iat": float64(testNow.Unix() - 60), "nbf": float64(testNow.Unix() - 60), "exp": float64(testNow.Unix() + 3600),
			}
			if diff := cmp.Diff(want, claims); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if kid, _ := token.Header["kid"].(string); len(kid) != 16 || kid != key.id {
				t.Errorf("kid is %q, want the 16 digits of the key's id %q", kid, key.id)
			}
		})
	}
}

func TestSigningKeysRefused(t *testing.T) {
	ecKey := newEC(t, elliptic.P256())
	public, err := x509.MarshalPKIXPublicKey(ecKey.Public())
	publicPEM := pemOf(t, "PUBLIC KEY", public, err)
	tests := map[string]struct {
		algorithm v1alpha1.JWTAlgorithm
		value     []byte
		want      string
	}{
		"empty":             {v1alpha1.JWTAlgorithmHS256, nil, "is empty"},
		"no PEM":            {v1alpha1.JWTAlgorithmRS256, []byte("secret"), `holds no PEM private key (a block "-----BEGIN PRIVATE KEY-----")`},
		"a public key":      {v1alpha1.JWTAlgorithmES256, publicPEM, "holds a PUBLIC KEY: signing needs the private key"},
		"encrypted":         {v1alpha1.JWTAlgorithmES256, pemOf(t, "ENCRYPTED PRIVATE KEY", []byte("x"), nil), "holds an encrypted private key: store it without a passphrase"},
		"damaged":           {v1alpha1.JWTAlgorithmES256, pemOf(t, "PRIVATE KEY", []byte("x"), nil), `holds a damaged PEM block "PRIVATE KEY"`},
		"EC for RS256":      {v1alpha1.JWTAlgorithmRS256, pkcs8(t, ecKey), "holds an EC key, which cannot sign RS256: set algorithm: ES256, or store another key"},
		"RSA for EdDSA":     {v1alpha1.JWTAlgorithmEdDSA, pkcs8(t, newRSA(t, 2048)), "holds an RSA key, which cannot sign EdDSA: set algorithm: RS256, or store another key"},
		"Ed25519 for ES256": {v1alpha1.JWTAlgorithmES256, pkcs8(t, newEd25519(t)), "holds an Ed25519 key, which cannot sign ES256: set algorithm: EdDSA, or store another key"},
		"P-384":             {v1alpha1.JWTAlgorithmES256, pkcs8(t, newEC(t, elliptic.P384())), "holds a key on the curve P-384: ES256 needs P-256"},
		"too long":          {v1alpha1.JWTAlgorithmHS256, make([]byte, 16<<10+1), "is longer than 16 KiB: no key that sites can check tokens with is"},
		"a short RSA key":   {v1alpha1.JWTAlgorithmRS256, pkcs8(t, newRSA(t, 1024)), "holds an RSA key of 1024 bits: RS256 needs 2048"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseSigningKey(tc.algorithm, tc.value)
			if err == nil || err.Error() != tc.want {
				t.Errorf("parseSigningKey says %v, want %q", err, tc.want)
			}
		})
	}
}

func TestRenewal(t *testing.T) {
	parse := func(secret string) signingKey {
		key, err := parseSigningKey(v1alpha1.JWTAlgorithmHS256, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key := parse("one")
	spec := tokenSpec{subject: "feedback-bot", ttl: 24 * time.Hour, renewBefore: 8 * time.Hour}
	held, err := mint(spec, key, testNow, "id-1")
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*tokenSpec)) tokenSpec {
		s := spec
		change(&s)
		return s
	}
	tests := map[string]struct {
		held string
		spec tokenSpec
		key  signingKey
		now  time.Time
		want string
	}{
		"none is held":             {"", spec, key, testNow, "there was none"},
		"it is no token":           {"junk", spec, key, testNow, "the signing key changed"},
		"fresh":                    {held, spec, key, testNow, ""},
		"before the spread begins": {held, spec, key, testNow.Add(15 * time.Hour), ""},
		"inside renewBefore":       {held, spec, key, testNow.Add(16 * time.Hour), "its expiry is near"},
		"expired":                  {held, spec, key, testNow.Add(25 * time.Hour), "its expiry is near"},
		"another key":              {held, spec, parse("two"), testNow, "the signing key changed"},
		"another issuer":           {held, with(func(s *tokenSpec) { s.issuer = "x" }), key, testNow, "its claims changed in the spec"},
		"another subject":          {held, with(func(s *tokenSpec) { s.subject = "x" }), key, testNow, "its claims changed in the spec"},
		"another audience":         {held, with(func(s *tokenSpec) { s.audience = "x" }), key, testNow, "its claims changed in the spec"},
		"another ttl":              {held, with(func(s *tokenSpec) { s.ttl = 25 * time.Hour }), key, testNow, "its claims changed in the spec"},
		"another renewBefore only": {held, with(func(s *tokenSpec) { s.renewBefore = time.Hour }), key, testNow, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			why, at := renewal(tc.held, tc.spec, tc.key, tc.now)
			if why != tc.want {
				t.Fatalf("renewal says %q, want %q", why, tc.want)
			}
			if why == "" && !at.After(tc.now) {
				t.Errorf("a token that is kept is renewed at %s, which is not after %s", at, tc.now)
			}
		})
	}
}

// Tokens are renewed no later than renewBefore says, no more than a tenth of it earlier, and not all at once.
func TestRenewalIsSpread(t *testing.T) {
	key, err := parseSigningKey("", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	spec := tokenSpec{subject: "s", ttl: 24 * time.Hour, renewBefore: 10 * time.Hour}
	latest := testNow.Add(spec.ttl - spec.renewBefore)
	times := map[time.Time]bool{}
	for i := range 50 {
		held, err := mint(spec, key, testNow, strings.Repeat("x", i))
		if err != nil {
			t.Fatal(err)
		}
		_, at := renewal(held, spec, key, testNow)
		if at.After(latest) || at.Before(latest.Add(-time.Hour)) {
			t.Errorf("renewed at %s, want within the hour before %s", at, latest)
		}
		times[at] = true
	}
	if len(times) < 45 {
		t.Errorf("50 tokens are renewed at only %d times", len(times))
	}
}

// A token is never due for renewal when it is made, however close renewBefore is to the ttl: it would be minted for ever.
func TestAFreshTokenIsKept(t *testing.T) {
	key, err := parseSigningKey("", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	now := testNow.Add(900 * time.Millisecond)
	for _, tc := range []struct{ ttl, renewBefore time.Duration }{
		{24 * time.Hour, 23 * time.Hour}, {time.Minute, 55 * time.Second}, {time.Minute, time.Minute - time.Millisecond},
	} {
		spec := tokenSpec{subject: "s", ttl: tc.ttl, renewBefore: tc.renewBefore}
		for i := range 50 {
			held, err := mint(spec, key, now, strings.Repeat("x", i))
			if err != nil {
				t.Fatal(err)
			}
			if why, at := renewal(held, spec, key, now); why != "" || at.Sub(now) < 5*time.Second {
				t.Fatalf("a fresh token of %s, renewed %s before its end, is renewed at %s: %q", tc.ttl, tc.renewBefore, at, why)
			}
		}
	}
}

func TestTokenSpecDefaults(t *testing.T) {
	tests := map[string]struct {
		spec v1alpha1.JWTSpec
		want tokenSpec
	}{
		"nothing given": {v1alpha1.JWTSpec{}, tokenSpec{subject: "feedback-bot", ttl: 24 * time.Hour, renewBefore: 8 * time.Hour}},
		"a third of the ttl": {v1alpha1.JWTSpec{TTL: "3h", Subject: "s", Issuer: "i", Audience: "a"},
			tokenSpec{issuer: "i", subject: "s", audience: "a", ttl: 3 * time.Hour, renewBefore: time.Hour}},
		"renewBefore given": {v1alpha1.JWTSpec{TTL: "3h", RenewBefore: "10m"},
			tokenSpec{subject: "feedback-bot", ttl: 3 * time.Hour, renewBefore: 10 * time.Minute}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tokenSpecOf(tc.spec)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(tokenSpec{})); diff != "" {
				t.Errorf("tokenSpecOf (-want +got):\n%s", diff)
			}
		})
	}
}
