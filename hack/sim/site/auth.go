// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Accept judges the token of a handshake; nil is a good one.
type Accept func(token string) error

// AcceptToken accepts one token.
func AcceptToken(token string) Accept {
	return func(got string) error {
		if subtle.ConstantTimeCompare([]byte(got), []byte(token)) != 1 {
			return errors.New("another token")
		}
		return nil
	}
}

// AcceptJWT accepts tokens that have an expiry, have not expired, and are signed with a key: a secret (HS256), or the PEM
// public key of a private one (RS256, ES256 or EdDSA).
func AcceptJWT(key []byte) (Accept, error) {
	var verifyWith any = key
	method := jwt.SigningMethodHS256.Alg()
	switch block, _ := pem.Decode(key); {
	case len(bytes.TrimSpace(key)) == 0:
		return nil, errors.New("the key of the tokens is empty")
	case block != nil:
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("public key of the tokens: %w", err)
		}
		switch verifyWith = public; public.(type) {
		case *rsa.PublicKey:
			method = jwt.SigningMethodRS256.Alg()
		case *ecdsa.PublicKey:
			method = jwt.SigningMethodES256.Alg()
		case ed25519.PublicKey:
			method = jwt.SigningMethodEdDSA.Alg()
		default:
			return nil, fmt.Errorf("public key of the tokens: %T is not supported", public)
		}
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{method}), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	return func(token string) error {
		_, err := parser.Parse(token, func(*jwt.Token) (any, error) { return verifyWith, nil })
		return err
	}, nil
}

// token finds the token of a handshake, in the query or in the header.
func token(r *http.Request) string {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	return r.URL.Query().Get("token")
}

// originMatches is what Channels' origin validator asks for: an Origin that names this host.
func originMatches(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && strings.EqualFold(origin.Host, r.Host)
}
