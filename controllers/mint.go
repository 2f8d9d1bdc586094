// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// clockSkew is how far back a minted token's iat and nbf lie, for sites whose clock is behind.
const clockSkew = time.Minute

// minTokenUse is how long a minted token is used at least, whatever renewBefore says; the shortest ttl is a minute.
const minTokenUse = 10 * time.Second

// tokenSpec is the token that the operator is asked to mint.
type tokenSpec struct {
	issuer, subject, audience string
	ttl, renewBefore          time.Duration
}

// tokenSpecOf reads the spec; what it leaves out has the defaults that the API documents.
func tokenSpecOf(s v1alpha1.JWTSpec) (tokenSpec, error) {
	ttl, err := s.TTL.Or(v1alpha1.DefaultJWTTTL).Value()
	if err != nil {
		return tokenSpec{}, fmt.Errorf("spec.credentials.jwt.ttl: %w", err)
	}
	renewBefore := ttl / 3
	if s.RenewBefore != "" {
		if renewBefore, err = s.RenewBefore.Value(); err != nil {
			return tokenSpec{}, fmt.Errorf("spec.credentials.jwt.renewBefore: %w", err)
		}
	}
	subject := s.Subject
	if subject == "" {
		subject = v1alpha1.DefaultJWTSubject
	}
	return tokenSpec{issuer: s.Issuer, subject: subject, audience: s.Audience, ttl: ttl, renewBefore: renewBefore}, nil
}

// mint makes a token that is valid from now for the ttl; id is its jti.
func mint(spec tokenSpec, key signingKey, now time.Time, id string) (string, error) {
	now = now.Truncate(time.Second)
	claims := jwt.RegisteredClaims{
		Issuer:    spec.issuer,
		Subject:   spec.subject,
		IssuedAt:  jwt.NewNumericDate(now.Add(-clockSkew)),
		NotBefore: jwt.NewNumericDate(now.Add(-clockSkew)),
		ExpiresAt: jwt.NewNumericDate(now.Add(spec.ttl)),
		ID:        id,
	}
	var token *jwt.Token
	if spec.audience == "" {
		token = jwt.NewWithClaims(key.method, claims)
	} else {
		// A single audience is a plain string, as every JWT library accepts it.
		token = jwt.NewWithClaims(key.method, singleAudience{RegisteredClaims: claims, Audience: spec.audience})
	}
	token.Header["kid"] = key.id
	signed, err := token.SignedString(key.sign)
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	return signed, nil
}

type singleAudience struct {
	jwt.RegisteredClaims
	Audience string `json:"aud"`
}

// renewal says whether a held token has to be replaced at now (why is the reason, for people) and, if not, when it
// will have to be. A token is kept only when this key signed it, it says what the spec wants and its end is not near.
func renewal(held string, spec tokenSpec, key signingKey, now time.Time) (why string, at time.Time) {
	if held == "" {
		return "there was none", time.Time{}
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(held, &claims, func(*jwt.Token) (any, error) { return key.verify, nil },
		jwt.WithValidMethods([]string{key.method.Alg()}), jwt.WithoutClaimsValidation())
	if err != nil {
		return "the signing key changed", time.Time{}
	}
	if !spec.describes(claims) {
		return "its claims changed in the spec", time.Time{}
	}
	at = claims.ExpiresAt.Add(-spec.renewBefore - spread(claims.ID, min(spec.renewBefore, spec.ttl-spec.renewBefore)/10))
	if least := claims.NotBefore.Add(clockSkew + minTokenUse); at.Before(least) {
		at = least
	}
	if !now.Before(at) {
		return "its expiry is near", time.Time{}
	}
	return "", at
}

// describes is whether a token says what the spec wants.
func (s tokenSpec) describes(c jwt.RegisteredClaims) bool {
	var audience jwt.ClaimStrings
	if s.audience != "" {
		audience = jwt.ClaimStrings{s.audience}
	}
	return c.Issuer == s.issuer && c.Subject == s.subject && slices.Equal(c.Audience, audience) &&
		c.NotBefore != nil && c.ExpiresAt != nil && c.ExpiresAt.Sub(c.NotBefore.Time) == clockSkew+s.ttl.Truncate(time.Second)
}

// spread is a duration in [0, limit) that depends on the id alone: what began together, tokens that were minted or bridges
// that were made, is not renewed together, and the same one always at the same time.
func spread(id string, limit time.Duration) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(id))
	return time.Duration(float64(limit) * float64(h.Sum32()) / (1 << 32))
}
