// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// minRSABits is the least length of an RSA key that RFC 7518 admits for RS256.
const minRSABits = 2048

// signingKey is what tokens are minted with.
type signingKey struct {
	method jwt.SigningMethod
	// sign and verify are what method wants: the shared secret, or a private key and its public one.
	sign, verify any
	// id is the kid header: a hash of the shared secret, or of the public key.
	id string
}

// parseSigningKey reads the shared secret (HS256) or a PEM private key in PKCS#8, PKCS#1 or SEC 1 form. Its errors say
// what to write instead, and never quote the key.
func parseSigningKey(algorithm v1alpha1.JWTAlgorithm, value []byte) (signingKey, error) {
	if len(value) == 0 {
		return signingKey{}, errors.New("is empty")
	}
	if len(value) > maxKeyBytes {
		return signingKey{}, errors.New("is longer than 16 KiB: no key that sites can check tokens with is")
	}
	if algorithm == "" || algorithm == v1alpha1.JWTAlgorithmHS256 {
		return signingKey{
			method: jwt.SigningMethodHS256, sign: value, verify: value,
			id: fingerprint("feedbackbridge jwt key id\x00", value),
		}, nil
	}
	private, err := parsePrivateKey(value)
	if err != nil {
		return signingKey{}, err
	}
	method, err := methodFor(algorithm, private)
	if err != nil {
		return signingKey{}, err
	}
	public := private.Public()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return signingKey{}, fmt.Errorf("holds a key whose public part cannot be encoded: %w", err)
	}
	return signingKey{method: method, sign: private, verify: public, id: fingerprint("", der)}, nil
}

func fingerprint(domain string, b []byte) string {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// parsePrivateKey finds the private key in PEM; blocks such as EC PARAMETERS before it are skipped.
func parsePrivateKey(value []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("holds an encrypted private key: store it without a passphrase")
		case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
			return nil, fmt.Errorf("holds a %s: signing needs the private key", block.Type)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("holds a damaged PEM block %q", block.Type)
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, fmt.Errorf("holds a %T, which cannot sign", key)
	}
	return nil, errors.New(`holds no PEM private key (a block "-----BEGIN PRIVATE KEY-----")`)
}

// methodFor checks that the key is of the algorithm's kind.
func methodFor(algorithm v1alpha1.JWTAlgorithm, key crypto.Signer) (jwt.SigningMethod, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if algorithm == v1alpha1.JWTAlgorithmRS256 {
			if k.N.BitLen() < minRSABits {
				return nil, fmt.Errorf("holds an RSA key of %d bits: RS256 needs %d", k.N.BitLen(), minRSABits)
			}
			return jwt.SigningMethodRS256, nil
		}
		return nil, fmt.Errorf("holds an RSA key, which cannot sign %s: set algorithm: RS256, or store another key", algorithm)
	case *ecdsa.PrivateKey:
		if algorithm == v1alpha1.JWTAlgorithmES256 {
			if k.Curve != elliptic.P256() {
				return nil, fmt.Errorf("holds a key on the curve %s: ES256 needs P-256", k.Curve.Params().Name)
			}
			return jwt.SigningMethodES256, nil
		}
		return nil, fmt.Errorf("holds an EC key, which cannot sign %s: set algorithm: ES256, or store another key", algorithm)
	case ed25519.PrivateKey:
		if algorithm == v1alpha1.JWTAlgorithmEdDSA {
			return jwt.SigningMethodEdDSA, nil
		}
		return nil, fmt.Errorf("holds an Ed25519 key, which cannot sign %s: set algorithm: EdDSA, or store another key", algorithm)
	default:
		return nil, fmt.Errorf("holds a key of a kind that cannot sign %s", algorithm)
	}
}
