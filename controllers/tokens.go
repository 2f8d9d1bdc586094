// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// tokens are the minted tokens that the bot's Secret holds: the bot dials with token, and with previous where the site
// refuses that one.
type tokens struct{ token, previous string }

// tokenKeys are the keys to mint with.
type tokenKeys struct {
	sign signingKey
	// fallback signs the previous token; nil where that is only kept until it expires.
	fallback *signingKey
}

// aboutToken is the key id and the end of a token that the operator minted; no id where it is none.
func aboutToken(token string) (kid string, end time.Time) {
	if token == "" {
		return "", time.Time{}
	}
	var claims jwt.RegisteredClaims
	parsed, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	if err != nil || claims.ExpiresAt == nil {
		return "", time.Time{}
	}
	kid, _ = parsed.Header["kid"].(string)
	return kid, claims.ExpiresAt.UTC()
}

// computeTokens keeps the held tokens, or mints others when they have to be replaced.
func (c *credentials) computeTokens(in credentialsInput, spec tokenSpec, keys tokenKeys) {
	token, why := c.tokenOf(in, spec, keys.sign, in.asked(in.have.stored))
	c.hold.tokens.token = token
	if why != "" && in.have.tokens.token != "" {
		c.events = append(c.events, normal(eventTokenMinted, "Minted a token for the site, valid until %s: %s",
			rfc3339(in.now.Add(spec.ttl)), why))
	}
	if keys.fallback != nil {
		c.hold.tokens.previous, _ = c.tokenOf(in, spec, *keys.fallback, false)
		return
	}
	c.hold.tokens.previous = in.formerToken(keys.sign.id)
	_, end := aboutToken(c.hold.tokens.previous)
	c.changesAt(end)
}

// tokenOf is a token that is signed with a key: one that is held and good, or else a new one, and then why.
func (c *credentials) tokenOf(in credentialsInput, spec tokenSpec, key signingKey, renew bool) (token, why string) {
	candidate := in.have.tokens.token
	if kid, _ := aboutToken(in.have.tokens.previous); kid == key.id {
		if first, _ := aboutToken(candidate); first != key.id {
			candidate = in.have.tokens.previous
		}
	}
	why, at := renewal(candidate, spec, key, in.now)
	if why == "" && renew {
		why = "it was asked for"
	}
	if why == "" {
		c.changesAt(at)
		return candidate, ""
	}
	token, err := mint(spec, key, in.now, in.make.tokenID())
	if err != nil {
		c.fail(problemf(v1alpha1.ReasonSecretMalformed, "The signing key cannot sign tokens: %v", err))
		return candidate, ""
	}
	_, at = renewal(token, spec, key, in.now)
	c.changesAt(at)
	return token, why
}

// formerToken is the token to fall back to while the site may not know the key that tokens are signed with now: the one
// that it accepted last, or else the one held before, until it expires.
func (in credentialsInput) formerToken(signedBy string) string {
	best := ""
	for _, token := range []string{in.have.tokens.token, in.have.tokens.previous} {
		kid, end := aboutToken(token)
		if kid == "" || kid == signedBy || !in.now.Before(end) {
			continue
		}
		if best == "" || kid == in.bot.acceptedJWTKey() {
			best = token
		}
	}
	return best
}
