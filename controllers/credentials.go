// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/x509"
	"errors"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// held is what the operator's own Secrets hold, as far as the operator wrote it itself.
type held struct {
	// uid is the bridge's.
	uid string
	// stored is the bot's Secret as it was read.
	stored stored
	hmac   hmacKeys
	tokens tokens
	pairs  keyPairs
	// jwks are the public keys in the site's Secret.
	jwks jwks
	// handled is the hash of the rotate-now value that was last acted on.
	handled string
}

// credentials is what the referenced Secrets come to.
type credentials struct {
	// hold is what the operator's Secrets are to hold.
	hold held
	// problems are what keeps the bridge from working; empty when all is well.
	problems []*problem
	// unmounted is whether a Secret that the bot's pod mounts lacks, or may lack, the key: a new pod could not start.
	unmounted bool
	jwt       *v1alpha1.JWTStatus
	hmac      *v1alpha1.HMACStatus
	// handledRotateNow is the value of the rotate-now annotation that was last acted on.
	handledRotateNow string
	// nextChange is when time alone changes the outcome; zero for never.
	nextChange time.Time
	// events are what is so once the bot's Secret is written; signingEvents and siteEvents are of the other Secrets.
	events, signingEvents, siteEvents []event
	// hmacWatch and jwtWatch are the rotations, to be judged again when the bot reports.
	hmacWatch, jwtWatch watch
	// source says where the site finds keys, for people.
	source struct{ hmac, jwks string }
	// overdue is that a rotation is held up by the site.
	overdue *problem
}

// credentialsInput is what computeCredentials decides from.
type credentialsInput struct {
	spec    *v1alpha1.FeedbackBridgeSpec
	secrets secretSet
	have    held
	bot     keyReport
	now     time.Time
	make    keyMaker
	// rotateNow is the value of the annotation.
	rotateNow string
	// siteSecret is the name of the site's Secret; empty where there is none.
	siteSecret string
}

// sighting begins what a rotation is judged by, in whole seconds, for no finer times are stored: a timer that rings at a
// fraction of one would ring again and again until the second is over.
func (in credentialsInput) sighting(overlap time.Duration) sighting {
	return sighting{
		now: in.now.UTC().Truncate(time.Second), overlap: (overlap + time.Second - 1).Truncate(time.Second),
		forced: strings.HasPrefix(in.rotateNow, v1alpha1.RotateForce),
	}
}

// computeCredentials checks every referenced Secret and decides what the operator's Secrets hold. Each part stands alone:
// a missing Telegram token does not keep the JWT from being renewed, and what was held stays held while its source is
// out of order.
func computeCredentials(in credentialsInput) credentials {
	c := credentials{hold: held{stored: in.have.stored, handled: in.handled(in.have.stored)}}
	c.source.hmac, c.source.jwks = in.hmacSource(), "Secret "+quote(in.siteSecret)
	c.computeHMAC(in)
	jwt := in.spec.Credentials.JWT
	switch {
	case jwt.TokenSecretRef != nil:
		c.computeReady(in, *jwt.TokenSecretRef)
	default:
		c.computeMinted(in)
	}
	c.check(in, in.spec.Telegram.TokenSecretRef, "the Telegram bot's token", checkTelegramToken)
	if ref := caRef(in.spec); ref != nil {
		c.check(in, *ref, "PEM certificates to trust", checkCA)
	}
	if ref := dsnRef(in.spec); ref != nil {
		c.check(in, *ref, "the database's connection string", checkDSN)
	}
	c.describe(in, c.hold)
	c.findOverdue()
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

// mounted is the value of a Secret that the pod mounts.
func (c *credentials) mounted(in credentialsInput, ref v1alpha1.SecretKeyRef, holding string) ([]byte, bool) {
	value, missing := in.secrets.value(ref, holding)
	if missing != nil {
		c.fail(missing)
		c.unmounted = true
	}
	return value, missing == nil
}

// check reports a value that is missing or malformed.
func (c *credentials) check(in credentialsInput, ref v1alpha1.SecretKeyRef, holding string, check func([]byte) error) {
	value, ok := c.mounted(in, ref, holding)
	if !ok {
		return
	}
	if err := check(value); err != nil {
		c.fail(malformed(ref, err))
	}
}

// computeMinted finds the key that tokens are signed with, and the tokens. Without a key, those that are held stay.
func (c *credentials) computeMinted(in credentialsInput) {
	c.hold.tokens, c.hold.pairs = in.have.tokens, in.have.pairs
	spec, err := tokenSpecOf(in.spec.Credentials.JWT)
	if err != nil {
		c.fail(problemf(v1alpha1.ReasonInvalidSpec, "%v", err))
		return
	}
	var public []jwk
	publish := func(keys ...signingKey) {
		for _, key := range keys {
			if k, ok := publicJWK(key); ok {
				public = append(public, k)
			}
		}
	}
	if ref := in.spec.Credentials.JWT.SigningKeySecretRef; ref != nil {
		if key, ok := c.userSigningKey(in, *ref); ok {
			c.computeTokens(in, spec, tokenKeys{sign: key})
			publish(key)
		}
	} else {
		pairs := c.computeKeyPairs(in, spec)
		c.hold.pairs = pairs
		if keys := pairs.use(); keys.sign.method != nil {
			c.computeTokens(in, spec, keys)
			publish(pairs.keys[pairs.current])
			if pairs.next != "" {
				publish(pairs.keys[pairs.next])
			}
		}
	}
	c.publishFormer(in, public)
	c.expire(in.now, c.hold.tokens.token, "The minted token expired at %s and could not be renewed")
}

// userSigningKey reads the user's signing key.
func (c *credentials) userSigningKey(in credentialsInput, ref v1alpha1.SecretKeyRef) (signingKey, bool) {
	value, missing := in.secrets.value(ref, "the key that tokens are signed with")
	if missing != nil {
		c.fail(missing)
		return signingKey{}, false
	}
	key, err := parseSigningKey(in.spec.Credentials.JWT.Algorithm, value)
	if err != nil {
		c.fail(malformed(ref, err))
		return signingKey{}, false
	}
	return key, true
}

// publishFormer sets the public keys that the site gets: those in use, and of keys that are not there any more, as long as
// the bot holds a token that they signed, what the site's Secret says of them.
func (c *credentials) publishFormer(in credentialsInput, public []jwk) {
	set := jwks{Keys: public}
	for _, token := range []string{c.hold.tokens.token, c.hold.tokens.previous} {
		kid, _ := aboutToken(token)
		if _, known := set.find(kid); known || kid == "" {
			continue
		}
		if k, ok := in.have.jwks.find(kid); ok {
			set.Keys = append(set.Keys, k)
		}
	}
	c.hold.jwks = set
}

// computeReady checks the user's own token. Tokens that the operator minted before stay until the pod can mount it.
func (c *credentials) computeReady(in credentialsInput, ref v1alpha1.SecretKeyRef) {
	value, ok := c.mounted(in, ref, "the token for the site")
	if !ok {
		c.hold.tokens, c.hold.jwks = in.have.tokens, in.have.jwks
		return
	}
	if _, err := parseReadyToken(value); err != nil {
		c.fail(malformed(ref, err))
		return
	}
	c.expire(in.now, string(value), "The token in Secret \""+ref.Name+"\" expired at %s: store a new one under the key \""+ref.Key+"\"")
}

// expire reports a token that has run out, or remembers when it will. format takes the time.
func (c *credentials) expire(now time.Time, token, format string) {
	status, err := parseReadyToken([]byte(token))
	if err != nil || status.ExpiresAt == nil {
		return
	}
	if end := status.ExpiresAt; now.Before(end.Time) {
		c.changesAt(end.Time)
	} else {
		c.fail(problemf(v1alpha1.ReasonTokenExpired, format, rfc3339(end.Time)))
	}
}

// describe sets what the status tells, by what is held.
func (c *credentials) describe(in credentialsInput, have held) {
	c.hmac = have.hmac.status(in.rotateEvery(in.spec.Credentials.HMAC.Generate))
	c.jwt, c.handledRotateNow = nil, ""
	if have.handled != "" && have.handled == rotateNowHash(in.rotateNow) {
		c.handledRotateNow = truncate(in.rotateNow, maxNameBytes)
	}
	spec := in.spec.Credentials.JWT
	token := []byte(have.tokens.token)
	if spec.TokenSecretRef != nil {
		token, _ = in.secrets.value(*spec.TokenSecretRef, "")
	}
	status, err := parseReadyToken(token)
	if err != nil {
		return
	}
	if spec.TokenSecretRef == nil && status.IssuedAt != nil {
		// The claim lies in the past, for sites whose clock is behind.
		status.IssuedAt = new(metav1.NewTime(status.IssuedAt.Add(clockSkew)))
	}
	if spec.Generate != nil && have.pairs.current != "" {
		status.Rotation = new(have.pairs.status(have.pairs.nextRotation(in.rotateEvery(spec.Generate))))
	}
	c.jwt = &status
}

func checkCA(value []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(value) {
		return errors.New(`holds no PEM certificate (a block "-----BEGIN CERTIFICATE-----")`)
	}
	return nil
}

// checkDSN tells a connection string in either of libpq's forms from something else; its words are never repeated.
func checkDSN(value []byte) error {
	text := string(value)
	u, err := url.Parse(text)
	isURL := err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
	if !isURL && !strings.Contains(text, "host=") || strings.ContainsAny(text, "\r\n") {
		return errors.New("is no connection string: store one such as postgres://user:password@host:5432/database, in one line")
	}
	return nil
}
