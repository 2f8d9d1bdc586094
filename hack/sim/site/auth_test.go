// SPDX-License-Identifier: Apache-2.0

package site

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// keyPair is a private key and its public key as PEM.
func keyPair(t *testing.T, private crypto.Signer, err error) (crypto.Signer, []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestAcceptJWT(t *testing.T) {
	secret := []byte("a secret of the site's")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaPrivate, rsaPublic := keyPair(t, rsaKey, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ecPrivate, ecPublic := keyPair(t, ecKey, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	edPrivate, edPublic := keyPair(t, edKey, err)

	hour := jwt.MapClaims{"sub": "feedback-bot", "exp": time.Now().Add(time.Hour).Unix()}
	for _, test := range []struct {
		name     string
		key      []byte
		method   jwt.SigningMethod
		signWith any
		claims   jwt.MapClaims
		accepted bool
	}{
		{"HS256", secret, jwt.SigningMethodHS256, secret, hour, true},
		{"RS256", rsaPublic, jwt.SigningMethodRS256, rsaPrivate, hour, true},
		{"ES256", ecPublic, jwt.SigningMethodES256, ecPrivate, hour, true},
		{"EdDSA", edPublic, jwt.SigningMethodEdDSA, edPrivate, hour, true},
		{"another secret", secret, jwt.SigningMethodHS256, []byte("another"), hour, false},
		{"expired", secret, jwt.SigningMethodHS256, secret, jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}, false},
		{"without expiry", secret, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "feedback-bot"}, false},
		{"issued in the future", secret, jwt.SigningMethodHS256, secret,
			jwt.MapClaims{"iat": time.Now().Add(time.Hour).Unix(), "exp": time.Now().Add(2 * time.Hour).Unix()}, false},
		{"not signed", secret, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, hour, false},
		{"public key taken for a secret", rsaPublic, jwt.SigningMethodHS256, rsaPublic, hour, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			accept, err := AcceptJWT(test.key)
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwt.NewWithClaims(test.method, test.claims).SignedString(test.signWith)
			if err != nil {
				t.Fatal(err)
			}
			if err := accept(token, time.Now()); (err == nil) != test.accepted {
				t.Errorf("accepted: %v, want %v", err, test.accepted)
			}
		})
	}
	for name, key := range map[string][]byte{
		"empty": nil, "not a public key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}),
	} {
		if _, err := AcceptJWT(key); err == nil {
			t.Errorf("%s: a key without use was taken", name)
		}
	}
}

func TestOriginMatches(t *testing.T) {
	for origin, want := range map[string]bool{
		"http://shop.test": true, "https://SHOP.test": true, "": false, "null": false, "https://other.test": false,
		"https://shop.test:8443": false,
	} {
		r := httptest.NewRequest("GET", "http://shop.test/ws", nil)
		r.Header.Set("Origin", origin)
		if got := originMatches(r); got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
	}
}
