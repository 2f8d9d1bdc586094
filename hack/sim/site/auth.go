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
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Accept judges the token of a handshake by the site's clock; nil is a good one.
type Accept func(token string, now time.Time) error

// AcceptToken accepts one token.
func AcceptToken(token string) Accept {
	return func(got string, _ time.Time) error {
		if subtle.ConstantTimeCompare([]byte(got), []byte(token)) != 1 {
			return errors.New("another token")
		}
		return nil
	}
}

// AcceptAny accepts what one of several rules accepts; the error is the last one's.
func AcceptAny(rules ...Accept) Accept {
	return func(token string, now time.Time) error {
		err := errors.New("no token is accepted")
		for _, accept := range rules {
			if err = accept(token, now); err == nil {
				return nil
			}
		}
		return err
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
	return acceptSigned([]string{method}, func(*jwt.Token) (any, error) { return verifyWith, nil }), nil
}

// acceptSigned accepts tokens that are signed by one of several methods, with the key that find finds, have an expiry and
// are good now.
func acceptSigned(methods []string, find jwt.Keyfunc) Accept {
	return func(token string, now time.Time) error {
		parser := jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithTimeFunc(func() time.Time { return now }))
		_, err := parser.Parse(token, find)
		return err
	}
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
