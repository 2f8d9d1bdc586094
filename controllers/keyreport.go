// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// keyReport is what a bot's report says of keys, its times by the operator's clock.
type keyReport struct {
	// accepts are the ids of the HMAC keys that the bot accepts now; none while it is not heard.
	accepts []string
	// hmacUsed is when the site last signed with which HMAC key.
	hmacUsed map[string]time.Time
	// hmacLast is the key that the site signed with last.
	hmacLast string
	// jwtUsed is when the site last accepted a token of which signing key, one at most. A bot of the version before does not
	// say when: it was after its start.
	jwtUsed map[string]time.Time
}

// keyReportOf reads the report of an observed bot.
func keyReportOf(h health, heard, now time.Time) keyReport {
	var k keyReport
	r := h.report
	if r == nil {
		return k
	}
	var ahead time.Duration
	if !heard.IsZero() && !h.heartbeat.IsZero() {
		ahead = h.heartbeat.Sub(heard)
	}
	byOurClock := func(t time.Time) time.Time {
		if t = t.Add(-ahead); t.After(now) {
			return now
		}
		return t
	}
	if h.fresh {
		k.accepts = r.HMACKeyIDs
	}
	k.hmacLast, k.hmacUsed = r.SiteKeyID, make(map[string]time.Time, len(r.HMACKeysUsed)+1)
	if r.SiteKeyID != "" {
		k.hmacUsed[r.SiteKeyID] = byOurClock(r.StartedAt.Time)
	}
	for _, use := range r.HMACKeysUsed {
		last := use.Last.Time
		if last.Before(use.First.Time) {
			last = use.First.Time
		}
		k.hmacUsed[use.ID] = byOurClock(last)
	}
	if r.JWTKeyID != "" {
		accepted := r.StartedAt.Time
		if r.JWTAcceptedAt != nil {
			accepted = r.JWTAcceptedAt.Time
		}
		k.jwtUsed = map[string]time.Time{r.JWTKeyID: byOurClock(accepted)}
	}
	return k
}

// acceptedJWTKey is the id of the key whose token the site accepted last, as far as it is known.
func (k keyReport) acceptedJWTKey() string {
	for id := range k.jwtUsed {
		return id
	}
	return ""
}

// watch is a rotation and what it was last judged by, kept so that a report that moves nothing costs no read.
type watch struct {
	rotation
	seen sighting
}

// newWatch forgets what a rotation was asked for, which is done with.
func newWatch(r rotation, s sighting) watch {
	s.asked, s.forced, s.due = false, false, false
	return watch{r, s}
}

// hmac is the watch by another report.
func (w watch) hmac(bot keyReport, now time.Time) watch {
	w.seen.now = now
	w.seen.seeHMAC(w.rotation, bot)
	return w
}

// jwt is the same for a signing key; whether its next one is ready does not depend on the report.
func (w watch) jwt(bot keyReport, now time.Time) watch {
	w.seen.now = now
	w.seen.seeJWT(w.rotation, bot)
	return w
}

// moves is whether the rotation has a step to take.
func (w watch) moves() bool {
	_, did := w.advance(w.seen)
	return did != stepNone
}

// overdueProblem is that the site did not take up a key that it was given; nil while that is not so, or not known.
func (c *credentials) overdueProblem() *problem { return c.overdue }

// findOverdue looks for rotations that the site holds up.
func (c *credentials) findOverdue() {
	c.overdue = nil
	if w := c.hmacWatch; w.rotation.overdue(w.seen) {
		c.overdue = problemf(v1alpha1.ReasonSiteKeyNotAdopted,
			"The site has had HMAC key %s since %s and goes on signing with %s, which stays accepted: let the site load the new key "+
				"from %s, and restart it if it reads the key only when it starts",
			w.next, rfc3339(w.publishedAt), w.lingering(w.seen), c.source.hmac)
		return
	}
	if w := c.jwtWatch; w.rotation.overdue(w.seen) {
		c.overdue = problemf(v1alpha1.ReasonSigningKeyNotAdopted,
			"The site refuses tokens that are signed with key %s, published at %s, and accepts those of %s, which the bot still "+
				"presents: let the site load the public keys again, from jwks.json in %s",
			w.next, rfc3339(w.publishedAt), w.current, c.source.jwks)
	}
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
