// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// workers is how many processes a site has; each reads the Secrets in its own time.
	workers = 2
	// lateness is how much later than the first a late site's workers may be.
	lateness = 4 * time.Second
)

// site is an honest site: it signs with the key that it was last given and checks tokens by the keys that it was given.
type site struct {
	bridge *bridge
	dice   *rand.Rand
	// late is whether its workers take their time.
	late    bool
	workers [workers]worker
	// redial is when the bot connects again.
	redial time.Time
}

// worker is a process of the site.
type worker struct {
	// version names what is loaded, and coming what will be when due.
	version, coming string
	due             time.Time
	// key signs frames; empty before there is one.
	key []byte
	// jwks are the public keys of tokens, of a site that is given them.
	jwks []byte
}

// load gives each worker what the site should use now, after a while that is the worker's own.
func (s *site) load(ctx context.Context, now time.Time) {
	given, ok := s.given(ctx)
	if !ok {
		return
	}
	for i := range s.workers {
		w := &s.workers[i]
		switch {
		case given.version == w.version:
			w.coming = ""
			continue
		case w.key != nil && w.coming == "":
			w.coming, w.due = given.version, now
			if s.late {
				w.due = now.Add(time.Duration(s.dice.Int64N(int64(lateness))))
			}
			continue
		case now.Before(w.due):
			continue
		}
		*w = given
	}
}

// given is what the operator, or a person, has published for the site.
func (s *site) given(ctx context.Context) (worker, bool) {
	if s.bridge.kind != generated {
		key := s.bridge.person.published(ctx)
		return worker{version: string(key), key: key}, len(key) > 0
	}
	object := s.bridge.object(ctx)
	var secret corev1.Secret
	found, err := s.bridge.world.read(ctx, object.SiteSecretName(), &secret)
	if !found || err != nil {
		return worker{}, false
	}
	w := worker{version: secret.ResourceVersion, key: secret.Data[v1alpha1.SiteHMACKey], jwks: secret.Data[v1alpha1.SiteJWKS]}
	return w, len(w.key) > 0
}

// send has every worker send a frame. A frame of an honest site that the bot does not accept is a failure.
func (s *site) send(now time.Time) {
	if !s.bridge.bot.runsAlready() {
		return
	}
	for i := range s.workers {
		if s.workers[i].key == nil {
			continue
		}
		if err := s.bridge.bot.accept(v1alpha1.KeyID(s.workers[i].key), now); err != nil {
			s.bridge.world.fail("%s (%s), worker %d: %v", s.bridge.name, s.bridge.kind, i, err)
		}
		s.bridge.world.sent()
	}
}

// answer has the bot connect to one of the workers now and then: with the token, and at once with the one before where
// the worker refuses that. A bot that none of its tokens lets in is a failure.
func (s *site) answer(now time.Time) {
	if now.Before(s.redial) {
		return
	}
	tokens := s.bridge.bot.tokens()
	w := &s.workers[s.dice.IntN(workers)]
	if len(tokens) == 0 || w.key == nil {
		return
	}
	s.redial = now.Add(time.Duration(s.dice.Int64N(int64(3 * time.Second))))
	var errs []error
	for _, token := range tokens {
		keyID, err := s.check(w, token)
		if err == nil {
			s.bridge.bot.dialled(keyID, now)
			return
		}
		errs = append(errs, err)
	}
	s.bridge.world.fail("%s (%s): the site refuses every token: %v", s.bridge.name, s.bridge.kind, errors.Join(errs...))
}

// check is what a site does with a token; it returns the token's kid.
func (s *site) check(w *worker, token string) (string, error) {
	if s.bridge.kind == generated && w.jwks == nil {
		return "", errors.New("the site has no public keys")
	}
	parsed, err := jwt.Parse(token, func(t *jwt.Token) (any, error) {
		if s.bridge.kind == generated {
			return publicKey(w.jwks, t.Header["kid"])
		}
		return []byte(s.bridge.name + " signs"), nil
	}, jwt.WithValidMethods([]string{"HS256", "ES256"}), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
	if err != nil {
		return "", err
	}
	keyID, ok := parsed.Header["kid"].(string)
	if !ok {
		return "", nil
	}
	return keyID, nil
}

// publicKey finds a key in a JSON Web Key Set.
func publicKey(jwks []byte, keyID any) (*ecdsa.PublicKey, error) {
	var set struct {
		Keys []struct{ Kid, Kty, Crv, X, Y string }
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	var ids []string
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
		if k.Kid != keyID || k.Kty != "EC" || k.Crv != "P-256" {
			continue
		}
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil {
			return nil, err
		}
		y, err := base64.RawURLEncoding.DecodeString(k.Y)
		if err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	}
	return nil, fmt.Errorf("the token's key %v is none of %v", keyID, ids)
}
