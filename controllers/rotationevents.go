// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The reasons of the events that mark a rotation's steps.
const (
	// eventKeyGenerated: the first key of its kind was made.
	eventKeyGenerated = "KeyGenerated"
	// eventRotationStaged: there is a next key, which is being made known.
	eventRotationStaged = "RotationStaged"
	// eventRotationPublished: the next key may be used.
	eventRotationPublished = "RotationPublished"
	// eventRotationAdopted: the next key was used, and is the current one.
	eventRotationAdopted = "RotationAdopted"
	// eventRotationRetired: the key before is no longer accepted.
	eventRotationRetired = "RotationRetired"
	// eventRotationReturned: the user's Secret holds the key before again.
	eventRotationReturned = "RotationReturned"
	// eventRotationRefused: a rotation was asked for while one runs; the note says how long to wait.
	eventRotationRefused = "RotationRefused"
)

func quote(name string) string { return strconv.Quote(name) }

// hmacSource is where the site finds the HMAC key.
func (in credentialsInput) hmacSource() string {
	if in.siteSecret != "" {
		return "Secret " + quote(in.siteSecret)
	}
	if ref := in.spec.Credentials.HMAC.SecretRef; ref != nil {
		return "the value of Secret " + quote(ref.Name)
	}
	return "its Secret"
}

// tellHMAC makes the events of a step, each with the write that makes it so.
func (c *credentials) tellHMAC(in credentialsInput, did step, before, after rotation) {
	switch did {
	case stepBegun:
		if in.spec.Credentials.HMAC.Generate != nil && !before.has(after.current) {
			c.events = append(c.events, normal(eventKeyGenerated, "Made the HMAC key %s", after.current))
		}
	case stepStaged:
		c.events = append(c.events, normal(eventRotationStaged,
			"HMAC key %s is to follow %s: the bot is to accept it before anything else happens%s", after.next, after.current, superseded(before, after)))
	case stepPublished:
		e := normal(eventRotationPublished, "The bot accepts HMAC key %s: the site may sign with it, from %s; until it does, %s is accepted",
			after.next, c.source.hmac, after.current)
		if in.siteSecret != "" {
			c.siteEvents = append(c.siteEvents, e)
		} else {
			c.events = append(c.events, e)
		}
	case stepAdopted:
		c.events = append(c.events, normal(eventRotationAdopted, "The site signs with HMAC key %s; %s is accepted until %s, and for longer if it is used",
			after.current, after.previous, rfc3339(after.retireAt)))
	case stepRetired:
		c.events = append(c.events, normal(eventRotationRetired, "HMAC key %s is no longer accepted", before.previous))
	case stepReturned:
		c.events = append(c.events, normal(eventRotationReturned, "The HMAC key is to be %s as before; %s is accepted until %s, and for longer if it is used",
			after.current, after.previous, rfc3339(after.retireAt)))
	case stepRefused:
		c.events = append(c.events, refused("HMAC key", before))
	case stepNone, stepPostponed:
	}
}

// tellSigning is the same for the generated signing keys.
func (c *credentials) tellSigning(in credentialsInput, did step, before, after rotation) {
	switch did {
	case stepBegun:
		if !before.has(after.current) {
			c.signingEvents = append(c.signingEvents, normal(eventKeyGenerated, "Made the signing key %s", after.current))
		}
	case stepStaged:
		c.signingEvents = append(c.signingEvents, normal(eventRotationStaged,
			"Signing key %s is to follow %s: the site is to get its public part before a token is signed with it%s",
			after.next, after.current, superseded(before, after)))
	case stepPublished:
		c.events = append(c.events, normal(eventRotationPublished,
			"The public part of signing key %s is in Secret %q: the bot presents a token by it, and one by %s where the site refuses that",
			after.next, in.siteSecret, after.current))
	case stepAdopted:
		c.signingEvents = append(c.signingEvents, normal(eventRotationAdopted,
			"The site accepts tokens that are signed with key %s; no more are signed with %s", after.current, after.previous))
	case stepRetired:
		c.events = append(c.events, normal(eventRotationRetired, "The last token that was signed with key %s has expired", before.previous))
	case stepRefused:
		c.signingEvents = append(c.signingEvents, refused("signing key", before))
	case stepNone, stepPostponed, stepReturned:
	}
}

// superseded says, where a key that was to follow is given up, what becomes of it.
func superseded(before, after rotation) string {
	switch {
	case before.next == "":
		return ""
	case after.previous == before.next:
		return fmt.Sprintf("; %s, which was to follow, is accepted until %s", before.next, rfc3339(after.retireAt))
	default:
		return fmt.Sprintf("; %s, which was to follow, is dropped, for nobody has seen it", before.next)
	}
}

// refused says why a rotation that was asked for does not begin, and until when.
func refused(what string, r rotation) event {
	until := fmt.Sprintf("until the site has been seen to use %s and, after that, for the overlap", r.next)
	if r.phase() == v1alpha1.RotationAdopted {
		until = "until " + rfc3339(r.retireAt)
	}
	force := fmt.Sprintf(", or to one that begins with %q", v1alpha1.RotateForce)
	if !r.hasRoom() {
		force = fmt.Sprintf("; %q does not help before %s, as long as %s is accepted too", v1alpha1.RotateForce, rfc3339(r.retireAt), r.previous)
	}
	return event{corev1.EventTypeWarning, eventRotationRefused, "Reconcile", fmt.Sprintf(
		"No other %s is made while a rotation runs (%s), %s: set %s to a new value after that%s",
		what, r.phase(), until, v1alpha1.AnnotationRotateNow, force)}
}
