// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// rotation is one of a bridge's keys that change by phases.
type rotation struct {
	name, short string // "HMAC key", "HMAC"
	generated   bool   // the operator makes it; else it is the user's own
	status      v1alpha1.RotationStatus
}

// rotationsOf are the keys of a bridge that change by phases.
func rotationsOf(b *v1alpha1.FeedbackBridge) []rotation {
	c := &b.Spec.Credentials
	out := []rotation{{name: "HMAC key", short: "HMAC", generated: c.HMAC.Generate != nil, status: hmacOf(b)}}
	if c.JWT.Generate != nil {
		out = append(out, rotation{name: "signing key", short: "JWT", generated: true, status: signingOf(b)})
	}
	return out
}

// short is the beginning of a key's id, which is enough to tell one from another.
func short(keyID string) string {
	const enough = 8
	if len(keyID) <= enough {
		return keyID
	}
	return keyID[:enough] + "…"
}

// phaseSentence says what a rotation's phase means, and what it waits for.
func phaseSentence(r rotation) string {
	s := r.status
	switch s.Phase {
	case v1alpha1.RotationStable:
		text := "Stable: key " + short(s.CurrentKeyID) + " is in use"
		if s.NextRotation != nil {
			text += "; the next is due " + stamp(s.NextRotation)
		}
		return text
	case v1alpha1.RotationStaged:
		if r.short == "JWT" {
			return fmt.Sprintf("Staged: key %s was made; waiting for it to be in the site's Secret", short(s.NextKeyID))
		}
		return fmt.Sprintf("Staged: waiting for the bot to accept key %s", short(s.NextKeyID))
	case v1alpha1.RotationPublished:
		if r.short == "JWT" {
			return fmt.Sprintf("Published: waiting for the site to accept a token by key %s, when the bot next connects", short(s.NextKeyID))
		}
		return fmt.Sprintf("Published: waiting for the site to sign with key %s", short(s.NextKeyID))
	case v1alpha1.RotationAdopted:
		return fmt.Sprintf("Adopted: key %s is in use; key %s is accepted until %s", short(s.CurrentKeyID), short(s.PreviousKeyID), stamp(s.RetireAt))
	}
	return "not known yet"
}

// plan is what the rotate-now annotation will do to a bridge.
type plan struct {
	// rotates are the keys that will be replaced; renewsToken is whether the token will.
	rotates     []string
	renewsToken bool
	// yours says of each credential that is the user's own how to change it.
	yours []string
}

// planRotation reads from the spec what the operator makes, and what is the user's.
func planRotation(b *v1alpha1.FeedbackBridge) plan {
	var p plan
	c := &b.Spec.Credentials
	if c.HMAC.Generate != nil {
		p.rotates = append(p.rotates, "HMAC key")
	} else if ref := c.HMAC.SecretRef; ref != nil {
		p.yours = append(p.yours, fmt.Sprintf("The HMAC key is yours: put a new value under %q into Secret %s and into the site; "+
			"the bot accepts both until the site has moved over.", ref.Key, ref.Name))
	}
	switch {
	case c.JWT.Generate != nil:
		p.rotates = append(p.rotates, "signing key")
		p.renewsToken = true
	case c.JWT.SigningKeySecretRef != nil:
		p.renewsToken = true
		p.yours = append(p.yours, fmt.Sprintf("The signing key is yours: put a new one under %q into Secret %s, and let the site accept it first.",
			c.JWT.SigningKeySecretRef.Key, c.JWT.SigningKeySecretRef.Name))
	case c.JWT.TokenSecretRef != nil:
		p.yours = append(p.yours, fmt.Sprintf("The token is yours: put a new one under %q into Secret %s.",
			c.JWT.TokenSecretRef.Key, c.JWT.TokenSecretRef.Name))
	}
	return p
}

// empty is whether the annotation would do nothing at all.
func (p plan) empty() bool { return len(p.rotates) == 0 && !p.renewsToken }

// sentence says what will happen.
func (p plan) sentence() string {
	parts := slices.Clone(p.rotates)
	if p.renewsToken {
		parts = append(parts, "token")
	}
	return "A new " + strings.Join(parts, ", a new ") + " will be made."
}
