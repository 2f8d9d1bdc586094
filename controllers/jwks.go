// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// jwk is a public key as a JSON Web Key (RFC 7517, 7518, 8037).
type jwk struct {
	Kty string `json:"kty"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
}

// jwks is a JSON Web Key Set.
type jwks struct {
	Keys []jwk `json:"keys"`
}

// parseJWKS reads back a set that the operator wrote; what cannot be read is empty.
func parseJWKS(text []byte) jwks {
	var set jwks
	if err := json.Unmarshal(text, &set); err != nil {
		return jwks{}
	}
	return set
}

func (s jwks) find(kid string) (jwk, bool) {
	i := slices.IndexFunc(s.Keys, func(k jwk) bool { return k.Kid == kid })
	if i < 0 {
		return jwk{}, false
	}
	return s.Keys[i], true
}

// text is the set as JSON; nil where it is empty.
func (s jwks) text() ([]byte, error) {
	if len(s.Keys) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the public keys: %w", err)
	}
	return text, nil
}

// publicJWK is the public part of a signing key; none of a shared secret, which has no such part.
func publicJWK(key signingKey) (jwk, bool) {
	k := jwk{Use: "sig", Alg: key.method.Alg(), Kid: key.id}
	b64 := base64.RawURLEncoding.EncodeToString
	switch public := key.verify.(type) {
	case *rsa.PublicKey:
		k.Kty, k.N, k.E = "RSA", b64(public.N.Bytes()), b64(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			return jwk{}, false
		}
		// 0x04, then both coordinates at full length.
		half := (len(point) - 1) / 2
		k.Kty, k.Crv, k.X, k.Y = "EC", public.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PublicKey:
		k.Kty, k.Crv, k.X = "OKP", "Ed25519", b64(public)
	default:
		return jwk{}, false
	}
	return k, true
}
