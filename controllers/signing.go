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
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The keys of the signing Secret: private keys, PKCS#8 in PEM. Of a key that is no longer used the private part is gone.
const (
	signingCurrent = "current.pem"
	signingNext    = "next.pem"
)

// The annotations of the signing Secret: the times of its rotation (RFC 3339), written together with the keys.
const (
	annotationSigningStagedAt    = "feedbackbridge.dev/signing-staged-at"
	annotationSigningPublishedAt = "feedbackbridge.dev/signing-published-at"
	annotationSigningRotatedAt   = "feedbackbridge.dev/signing-rotated-at"
)

// keyMaker makes what nobody may guess.
type keyMaker struct {
	// hmacKey makes an HMAC key, as text.
	hmacKey func() ([]byte, error)
	// keyPair makes a private key, PKCS#8 in PEM.
	keyPair func(v1alpha1.JWTAlgorithm) ([]byte, error)
	// tokenID makes the jti of a token.
	tokenID func() string
}

// randomKeys makes keys by the system's randomness.
func randomKeys() keyMaker { return keyMaker{newHMACKey, newKeyPair, uuid.NewString} }

// newHMACKey is 32 random bytes as hexadecimal digits, so that a site can take them from an environment variable.
func newHMACKey() ([]byte, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return []byte(hex.EncodeToString(b[:])), nil
}

// newKeyPair makes a key of the algorithm's kind; ES256 unless given.
func newKeyPair(algorithm v1alpha1.JWTAlgorithm) ([]byte, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case v1alpha1.JWTAlgorithmRS256:
		key, err = rsa.GenerateKey(rand.Reader, minRSABits)
	case v1alpha1.JWTAlgorithmEdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a signing key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// keyPairs are the generated signing keys, and their rotation. The previous key is not among them: it signs nothing more,
// and is known by the last token that it signed.
type keyPairs struct {
	rotation
	// pems and keys are the private keys by their ids.
	pems map[string][]byte
	keys map[string]signingKey
	// stored is the signing Secret as it was read.
	stored stored
	// handled is the hash of the rotate-now value that was last acted on.
	handled string
}

// loadKeyPairs reads the signing Secret, and the bot's for the token that the previous key signed.
func loadKeyPairs(signing stored, held tokens, now time.Time) keyPairs {
	p := keyPairs{
		pems: map[string][]byte{}, keys: map[string]signingKey{},
		stored: signing, handled: signing.annotations[annotationHandledRotateNow],
	}
	p.current, p.next = p.add(signing.data[signingCurrent]), p.add(signing.data[signingNext])
	if p.next == p.current {
		p.next = ""
	}
	p.stagedAt, p.rotatedAt = signing.time(annotationSigningStagedAt), signing.time(annotationSigningRotatedAt)
	if p.current != "" {
		p.publishedAt = signing.time(annotationSigningPublishedAt)
		if p.stagedAt.IsZero() {
			p.stagedAt = now
		}
	}
	if id, end := aboutToken(held.previous); !p.has(id) {
		p.previous, p.retireAt = id, end
	}
	return p
}

// add remembers a key, and returns its id; none where it cannot be read.
func (p *keyPairs) add(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	key, err := parseKeyPair(text)
	if err != nil {
		return ""
	}
	p.pems[key.id], p.keys[key.id] = text, key
	return key.id
}

// parseKeyPair reads a private key of any algorithm.
func parseKeyPair(text []byte) (signingKey, error) {
	private, err := parsePrivateKey(text)
	if err != nil {
		return signingKey{}, err
	}
	algorithm := v1alpha1.JWTAlgorithmES256
	switch private.(type) {
	case *rsa.PrivateKey:
		algorithm = v1alpha1.JWTAlgorithmRS256
	case ed25519.PrivateKey:
		algorithm = v1alpha1.JWTAlgorithmEdDSA
	}
	return parseSigningKey(algorithm, text)
}

// data is the keys as the signing Secret holds them.
func (p keyPairs) data() map[string][]byte {
	data := map[string][]byte{}
	for file, id := range map[string]string{signingCurrent: p.current, signingNext: p.next} {
		if id != "" {
			data[file] = p.pems[id]
		}
	}
	return data
}

func (p keyPairs) annotations() map[string]string {
	return timeAnnotations(map[string]time.Time{
		annotationSigningStagedAt: p.stagedAt, annotationSigningPublishedAt: p.publishedAt, annotationSigningRotatedAt: p.rotatedAt,
	})
}

// use is the keys to sign with: the next one as soon as it is published, and then the current one for the token that the
// bot falls back to.
func (p keyPairs) use() tokenKeys {
	if p.phase() == v1alpha1.RotationPublished {
		return tokenKeys{sign: p.keys[p.next], fallback: new(p.keys[p.current])}
	}
	return tokenKeys{sign: p.keys[p.current]}
}

func (p keyPairs) clone() keyPairs {
	p.pems, p.keys = maps.Clone(p.pems), maps.Clone(p.keys)
	return p
}

// seeJWT notes by which key the bot connected. A previous key's end is fixed: that of the last token that it signed.
func (s *sighting) seeJWT(r rotation, bot keyReport) {
	s.used, s.last = nil, ""
	if last := bot.acceptedJWTKey(); last != r.previous {
		s.used, s.last = bot.jwtUsed, last
	}
}

// computeKeyPairs takes the rotation of the generated signing keys one step on.
func (c *credentials) computeKeyPairs(in credentialsInput, spec tokenSpec) keyPairs {
	pairs := in.have.pairs.clone()
	jwt := in.spec.Credentials.JWT
	algorithm := jwt.Algorithm
	if algorithm == "" {
		algorithm = v1alpha1.JWTAlgorithmES256
	}
	every := in.rotateEvery(jwt.Generate)
	s := in.sighting(spec.ttl)
	s.generates, s.asked = true, in.asked(pairs.stored)
	s.due = every > 0 && !s.now.Before(pairs.nextRotation(every))
	if newest, ok := pairs.keys[pairs.newest()]; ok && newest.method.Alg() != string(algorithm) {
		s.due = true
	}
	_, s.ready = in.have.jwks.find(pairs.next)
	s.seeJWT(pairs.rotation, in.bot)
	before := pairs.rotation
	after, did := before.advance(s)
	if after.newest() == newKey {
		text, err := in.make.keyPair(algorithm)
		if err != nil {
			c.fail(problemf(v1alpha1.ReasonSecretMalformed, "No signing key could be made: %v", err))
			return pairs
		}
		after = after.named(pairs.add(text))
	}
	pairs.rotation, pairs.handled = after, in.handled(pairs.stored)
	c.jwtWatch = newWatch(after, s)
	c.changesAt(after.nextChange(s))
	c.changesAt(after.nextRotation(every))
	c.tellSigning(in, did, before, after)
	return pairs
}
