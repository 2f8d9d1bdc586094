// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// publicKeyOf is what a site makes of a JSON Web Key.
func publicKeyOf(t *testing.T, k jwk) any {
	t.Helper()
	bytesOf := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	switch k.Kty {
	case "RSA":
		return &rsa.PublicKey{N: new(big.Int).SetBytes(bytesOf(k.N)), E: int(new(big.Int).SetBytes(bytesOf(k.E)).Int64())}
	case "EC":
		if k.Crv != "P-256" || len(bytesOf(k.X)) != 32 || len(bytesOf(k.Y)) != 32 {
			t.Fatalf("an EC key with the curve %s and coordinates of %d and %d bytes", k.Crv, len(bytesOf(k.X)), len(bytesOf(k.Y)))
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, bytesOf(k.X)...), bytesOf(k.Y)...))
		if err != nil {
			t.Fatal(err)
		}
		return key
	default:
		return ed25519.PublicKey(bytesOf(k.X))
	}
}

// A site that reads jwks.json can check the tokens of every algorithm; a shared secret is in no set.
func TestTokensVerifyByTheJWKS(t *testing.T) {
	spec := tokenSpec{subject: "s", ttl: time.Hour, renewBefore: time.Minute}
	for _, algorithm := range []v1alpha1.JWTAlgorithm{v1alpha1.JWTAlgorithmES256, v1alpha1.JWTAlgorithmRS256, v1alpha1.JWTAlgorithmEdDSA} {
		t.Run(string(algorithm), func(t *testing.T) {
			text, err := newKeyPair(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			key, err := parseKeyPair(text)
			if err != nil {
				t.Fatal(err)
			}
			token, err := mint(spec, key, testNow, "id")
			if err != nil {
				t.Fatal(err)
			}
			public, ok := publicJWK(key)
			if !ok {
				t.Fatal("the key has no public part")
			}
			written, err := jwks{[]jwk{public}}.text()
			if err != nil {
				t.Fatal(err)
			}
			_, err = jwt.Parse(token, func(token *jwt.Token) (any, error) {
				found, ok := parseJWKS(written).find(token.Header["kid"].(string))
				if !ok || found.Alg != string(algorithm) || found.Use != "sig" {
					t.Errorf("the set has %+v for the token", found)
				}
				return publicKeyOf(t, found), nil
			}, jwt.WithValidMethods([]string{string(algorithm)}), jwt.WithTimeFunc(func() time.Time { return testNow }))
			if err != nil {
				t.Errorf("the site refuses the token: %v", err)
			}
		})
	}
	shared, err := parseSigningKey(v1alpha1.JWTAlgorithmHS256, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := publicJWK(shared); ok {
		t.Errorf("a shared secret is published as %+v", k)
	}
	if text, err := (jwks{}).text(); text != nil || err != nil {
		t.Errorf("an empty set is written as %q, %v", text, err)
	}
}

// Whatever is in the site's Secret, reading it back returns.
func FuzzParseJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","kid":"a"}]}`))
	f.Add([]byte(`{"keys":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := parseJWKS(text).text(); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
