// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// heldSecret is what the bot's Secret holds, as far as the operator wrote it itself.
type heldSecret struct {
	hmac  hmacKeys
	token string
}

// credentials is what the referenced Secrets come to.
type credentials struct {
	// hold is what the bot's Secret is to hold.
	hold heldSecret
	// problems are what keeps the bridge from working; empty when all is well.
	problems []*problem
	jwt      *v1alpha1.JWTStatus
	hmac     *v1alpha1.HMACStatus
	// nextChange is when time alone changes the outcome; zero for never.
	nextChange time.Time
	// events are what happened now, to be recorded once the bot's Secret is written.
	events []event
}

// credentialsInput is what computeCredentials decides from.
type credentialsInput struct {
	spec    *v1alpha1.FeedbackBridgeSpec
	secrets secretSet
	have    heldSecret
	now     time.Time
	// newID makes the jti of a minted token.
	newID func() string
}

// computeCredentials checks every referenced Secret and decides what the bot's Secret holds. Each part stands alone: a
// missing Telegram token does not keep the JWT from being renewed, and what was held stays held while its source is
// out of order.
func computeCredentials(in credentialsInput) credentials {
	var c credentials
	c.computeHMAC(in)
	if in.spec.Credentials.JWT.SigningKeySecretRef != nil {
		c.computeMinted(in, *in.spec.Credentials.JWT.SigningKeySecretRef)
	} else if in.spec.Credentials.JWT.TokenSecretRef != nil {
		c.computeReady(in, *in.spec.Credentials.JWT.TokenSecretRef)
	}
	c.check(in, in.spec.Telegram.TokenSecretRef, "the Telegram bot's token", checkTelegramToken)
	if ref := caRef(in.spec); ref != nil {
		c.check(in, *ref, "PEM certificates to trust", checkCA)
	}
	return c
}

// problem is all problems as one, under the first one's reason; nil when there is none.
func (c *credentials) problem() *problem {
	if len(c.problems) == 0 {
		return nil
	}
	messages := make([]string, len(c.problems))
	for i, p := range c.problems {
		messages[i] = p.message
	}
	return &problem{reason: c.problems[0].reason, message: strings.Join(messages, "; ")}
}

func (c *credentials) fail(p *problem) { c.problems = append(c.problems, p) }

func (c *credentials) changesAt(t time.Time) { c.nextChange = earliest(c.nextChange, t) }

// check reports a value that is missing or malformed.
func (c *credentials) check(in credentialsInput, ref v1alpha1.SecretKeyRef, holding string, check func([]byte) error) {
	value, missing := in.secrets.value(ref, holding)
	if missing != nil {
		c.fail(missing)
	} else if err := check(value); err != nil {
		c.fail(malformed(ref, err))
	}
}

func (c *credentials) computeHMAC(in credentialsInput) {
	if in.spec.Credentials.HMAC.SecretRef == nil {
		return
	}
	ref := *in.spec.Credentials.HMAC.SecretRef
	key, missing := in.secrets.value(ref, "the HMAC key that the site signs with")
	switch {
	case missing != nil:
		c.fail(missing)
		c.hold.hmac = in.have.hmac.retire(in.now)
	case len(key) == 0:
		c.fail(malformed(ref, errors.New("is empty: it should hold the HMAC key that the site signs with")))
		c.hold.hmac = in.have.hmac.retire(in.now)
	default:
		c.hold.hmac = rollHMAC(in.have.hmac, key, in.now)
	}
	c.hmac = c.hold.hmac.status()
	c.changesAt(c.hold.hmac.nextChange())
	if previous := c.hold.hmac.previous; len(previous) > 0 && c.hold.hmac.rotatedAt != in.have.hmac.rotatedAt {
		c.events = append(c.events, normal(eventHMACKeyChanged,
			"The HMAC key changed from %s to %s; the one before is accepted for %s more",
			c.hmac.PreviousKeyID, c.hmac.CurrentKeyID, shortDuration(hmacOverlap)))
	}
}

// computeMinted keeps the held token, or mints another when it has to be replaced.
func (c *credentials) computeMinted(in credentialsInput, ref v1alpha1.SecretKeyRef) {
	c.hold.token = in.have.token
	defer c.describeMinted(in.now)
	value, missing := in.secrets.value(ref, "the key that tokens are signed with")
	if missing != nil {
		c.fail(missing)
		return
	}
	key, err := parseSigningKey(in.spec.Credentials.JWT.Algorithm, value)
	if err != nil {
		c.fail(malformed(ref, err))
		return
	}
	spec, err := tokenSpecOf(in.spec.Credentials.JWT)
	if err != nil {
		c.fail(problemf(v1alpha1.ReasonInvalidSpec, "%v", err))
		return
	}
	why, at := renewal(in.have.token, spec, key, in.now)
	if why != "" {
		token, err := mint(spec, key, in.now, in.newID())
		if err != nil {
			c.fail(malformed(ref, err))
			return
		}
		c.hold.token = token
		_, at = renewal(token, spec, key, in.now)
		c.events = append(c.events, normal(eventTokenMinted, "Minted a token for the site, valid until %s: %s",
			in.now.Add(spec.ttl).UTC().Format(time.RFC3339), why))
	}
	c.changesAt(at)
}

// describeMinted fills the status of the token that is held, and reports one that has run out because its signing key
// is not there to renew it.
func (c *credentials) describeMinted(now time.Time) {
	if c.hold.token == "" {
		return
	}
	status, err := parseReadyToken([]byte(c.hold.token))
	if err != nil {
		return
	}
	c.jwt = &status
	c.expire(now, "The minted token expired at %s and could not be renewed")
}

// computeReady describes the user's own token.
func (c *credentials) computeReady(in credentialsInput, ref v1alpha1.SecretKeyRef) {
	value, missing := in.secrets.value(ref, "the token for the site")
	if missing != nil {
		c.fail(missing)
		return
	}
	status, err := parseReadyToken(value)
	if err != nil {
		c.fail(malformed(ref, err))
		return
	}
	c.jwt = &status
	c.expire(in.now, "The token in Secret \""+ref.Name+"\" expired at %s: store a new one under the key \""+ref.Key+"\"")
}

// expire reports a token that has run out, or remembers when it will. format takes the time.
func (c *credentials) expire(now time.Time, format string) {
	end := c.jwt.ExpiresAt
	switch {
	case end == nil:
	case now.Before(end.Time):
		c.changesAt(end.Time)
	default:
		c.fail(problemf(v1alpha1.ReasonTokenExpired, format, end.UTC().Format(time.RFC3339)))
	}
}

func checkCA(value []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(value) {
		return errors.New(`holds no PEM certificate (a block "-----BEGIN CERTIFICATE-----")`)
	}
	return nil
}
