// SPDX-License-Identifier: Apache-2.0

package site

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// jwksMethods are the methods of tokens that a key set can verify.
var jwksMethods = []string{
	jwt.SigningMethodRS256.Alg(), jwt.SigningMethodES256.Alg(), jwt.SigningMethodEdDSA.Alg(),
}

// jwk is a public key of a key set (RFC 7517): RSA, EC on P-256, or Ed25519.
type jwk struct {
	Type  string `json:"kty"`
	ID    string `json:"kid"`
	Use   string `json:"use"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
	N     string `json:"n"`
	E     string `json:"e"`
}

// AcceptJWKS accepts tokens that have an expiry, have not expired, and are signed with a key of a JSON Web Key Set: the one
// that the token's kid names, or any where it names none.
func AcceptJWKS(set []byte) (Accept, error) {
	var document struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(set, &document); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	named, all := map[string]jwt.VerificationKey{}, jwt.VerificationKeySet{}
	for i, k := range document.Keys {
		public, err := k.public()
		if err != nil {
			return nil, fmt.Errorf("key %d of the set: %w", i, err)
		}
		named[k.ID] = public
		all.Keys = append(all.Keys, public)
	}
	if len(all.Keys) == 0 {
		return nil, errors.New("the key set has no key")
	}
	return acceptSigned(jwksMethods, func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		if id == "" {
			return all, nil
		}
		public, known := named[id]
		if !known {
			return nil, errors.New("no key of the set has the token's kid")
		}
		return public, nil
	}), nil
}

// public is the key in Go's form.
func (k jwk) public() (jwt.VerificationKey, error) {
	if k.Use != "" && k.Use != "sig" {
		return nil, fmt.Errorf("is for the use %q, not for signatures", k.Use)
	}
	switch k.Type {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ec()
	case "OKP":
		return k.okp()
	default:
		return nil, fmt.Errorf("the type %q is not supported", k.Type)
	}
}

func (k jwk) rsa() (*rsa.PublicKey, error) {
	n, err1 := base64.RawURLEncoding.DecodeString(k.N)
	e, err2 := base64.RawURLEncoding.DecodeString(k.E)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("RSA key: %w", err)
	}
	exponent := new(big.Int).SetBytes(e)
	if len(n) < 256 || exponent.BitLen() > 31 || exponent.Int64() < 3 {
		return nil, errors.New("RSA key: fewer than 2048 bits, or an exponent that none has")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
}

func (k jwk) ec() (*ecdsa.PublicKey, error) {
	if k.Curve != "P-256" {
		return nil, fmt.Errorf("EC key: the curve %q is not supported", k.Curve)
	}
	x, err1 := base64.RawURLEncoding.DecodeString(k.X)
	y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("EC key: %w", err)
	}
	const size = 32 // RFC 7518: a coordinate has the full size of the curve
	if len(x) != size || len(y) != size {
		return nil, errors.New("EC key: x and y must have 32 bytes")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, fmt.Errorf("EC key: %w", err)
	}
	return public, nil
}

func (k jwk) okp() (ed25519.PublicKey, error) {
	x, err := base64.RawURLEncoding.DecodeString(k.X)
	if err != nil {
		return nil, fmt.Errorf("OKP key: %w", err)
	}
	if k.Curve != "Ed25519" || len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("OKP key: the curve %q with %d bytes is not supported", k.Curve, len(x))
	}
	return x, nil
}
