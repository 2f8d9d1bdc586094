// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// newKey is the id, in what advance returns, of a key that is yet to be made. No key has it.
const newKey = "(new)"

// rotation is where one kind of key stands, HMAC keys or pairs for tokens: ids and times, as they are stored, and never a
// key. Its phase follows from it. One step a call takes it on (advance), driven by what was seen and not by what was
// done, so that an operator that ends between any two writes goes on where it was.
type rotation struct {
	// current was the last key seen in use. next is to follow it. previous was used before, or was to be.
	current, next, previous string
	// stagedAt is when the newest key was made or first seen.
	stagedAt time.Time
	// publishedAt is when next could first be used; zero while it cannot.
	publishedAt time.Time
	// rotatedAt is when current replaced another key; zero where it never did.
	rotatedAt time.Time
	// retireAt is when previous is dropped, if nobody uses it until then.
	retireAt time.Time
}

// sighting is what moves a rotation, as it was at one time.
type sighting struct {
	now time.Time
	// overlap is how long previous is accepted after its last use, and how long the site may take to use next.
	overlap time.Duration
	// wanted is the id of the key that the user's Secret holds; empty where it cannot be read, and for generated keys.
	wanted string
	// generates is whether the operator makes the keys.
	generates bool
	// due is whether a generated key has been used for long enough; asked, whether a person wants another one now, and
	// forced, although a rotation may be running.
	due, asked, forced bool
	// ready is whether next may be used: the bot accepts it, or the site can check tokens that are signed with it.
	ready bool
	// used is when each key was last used by the site, by the operator's clock, and last the one that was used last.
	used map[string]time.Time
	last string
}

// step is what advance did.
type step int

const (
	stepNone step = iota
	// stepBegun: there is a first key.
	stepBegun
	// stepStaged: there is a next key. The one that was next before may be previous now.
	stepStaged
	// stepPublished: the next key may be used.
	stepPublished
	// stepAdopted: the next key was used, and is current.
	stepAdopted
	// stepPostponed: previous was used, and stays for longer.
	stepPostponed
	// stepRetired: previous is no longer accepted.
	stepRetired
	// stepReturned: the user went back to current; what was next is previous.
	stepReturned
	// stepRefused: what was asked for is not done, for a rotation is running.
	stepRefused
)

// phase is where the rotation stands, by what is stored.
func (r rotation) phase() v1alpha1.RotationPhase {
	switch {
	case r.next != "" && r.publishedAt.IsZero():
		return v1alpha1.RotationStaged
	case r.next != "":
		return v1alpha1.RotationPublished
	case r.previous != "":
		return v1alpha1.RotationAdopted
	default:
		return v1alpha1.RotationStable
	}
}

// newest is the key that was made or seen last.
func (r rotation) newest() string {
	if r.next != "" {
		return r.next
	}
	return r.current
}

// has is whether a key is in one of the slots.
func (r rotation) has(id string) bool {
	return id != "" && (id == r.current || id == r.next || id == r.previous)
}

// named gives the key that advance asked for its id.
func (r rotation) named(id string) rotation {
	for _, slot := range []*string{&r.current, &r.next} {
		if *slot == newKey {
			*slot = id
		}
	}
	return r
}

// advance takes at most one step. A key that may be in use is never pushed out by a generated one: adoption waits until
// the previous key is retired, and a rotation that has no slot left is refused, forced or not.
func (r rotation) advance(s sighting) (rotation, step) {
	switch {
	case r.current == "":
		return r.begin(s)
	case s.wanted == r.current && r.next != "":
		return r.goBack(s), stepReturned
	case s.wanted != "" && s.wanted != r.newest():
		return r.stage(s.wanted, s), stepStaged
	case s.asked && s.generates:
		if r.phase() == v1alpha1.RotationStable || (s.forced && r.hasRoom()) {
			return r.stage(newKey, s), stepStaged
		}
		return r, stepRefused
	case s.due && s.generates && r.phase() == v1alpha1.RotationStable:
		return r.stage(newKey, s), stepStaged
	case r.phase() == v1alpha1.RotationStaged && s.ready:
		r.publishedAt = s.now
		return r, stepPublished
	case r.previous != "":
		return r.retire(s)
	case r.phase() == v1alpha1.RotationPublished && r.begun(s):
		return r.adopt(s), stepAdopted
	default:
		return r, stepNone
	}
}

// begin fills the first slot. A next key that is all that is left takes it; a published one is what the site has.
func (r rotation) begin(s sighting) (rotation, step) {
	switch {
	case r.next != "" && (s.generates || s.wanted == r.next || s.wanted == ""):
		r.current, r.next, r.publishedAt = r.next, "", time.Time{}
	case s.wanted != "":
		r.current, r.stagedAt = s.wanted, s.now
	case s.generates:
		r.current, r.stagedAt = newKey, s.now
	default:
		return r, stepNone
	}
	if r.previous == r.current {
		r.previous, r.retireAt = "", time.Time{}
	}
	return r, stepBegun
}

// hasRoom is whether another key can be staged without dropping one that may be in use.
func (r rotation) hasRoom() bool {
	return r.phase() != v1alpha1.RotationPublished || r.previous == ""
}

// stage makes a key the next one. A next key that it supersedes becomes previous: the site may have taken it up already.
// Only one that nobody can have seen gives way to a previous key that may be in use.
func (r rotation) stage(key string, s sighting) rotation {
	superseded, seen := r.next, s.wanted != "" || !r.publishedAt.IsZero()
	if r.previous == key {
		r.previous, r.retireAt = "", time.Time{}
	}
	r.next, r.stagedAt, r.publishedAt = key, s.now, time.Time{}
	if superseded != "" && (seen || r.previous == "") {
		r.previous, r.retireAt = superseded, s.now.Add(s.overlap)
	}
	return r
}

// goBack gives up the next key, which the site may have taken up already.
func (r rotation) goBack(s sighting) rotation {
	r.previous, r.retireAt = r.next, s.now.Add(s.overlap)
	r.next, r.publishedAt = "", time.Time{}
	return r
}

func (r rotation) adopt(s sighting) rotation {
	r.previous, r.retireAt = r.current, s.now.Add(s.overlap)
	r.current, r.next, r.rotatedAt = r.next, "", s.now
	return r
}

// retire drops the previous key when nobody has used it for the overlap. Its time moves on in steps, so that a site that
// uses it for long causes few writes.
func (r rotation) retire(s sighting) (rotation, step) {
	end := r.retireAt
	if last := s.used[r.previous]; !last.IsZero() && last.Add(s.overlap).After(end) {
		end = last.Add(s.overlap)
	}
	switch {
	case !s.now.Before(end):
		r.previous, r.retireAt = "", time.Time{}
		return r, stepRetired
	case end.Sub(r.retireAt) >= s.overlap/4, !s.now.Before(r.retireAt):
		// At least to the next second, for no finer time is stored.
		r.retireAt = end.Add(time.Second - 1).Truncate(time.Second)
		return r, stepPostponed
	default:
		return r, stepNone
	}
}

// begun is whether the site uses the next key. A user may go back to a key that was in use before: its old uses say
// nothing. Reported times are of whole seconds.
func (r rotation) begun(s sighting) bool {
	at, ok := s.used[r.next]
	return r.next != "" && (s.last == r.next || ok && !at.Before(r.stagedAt.Add(-time.Second)))
}

// overdue is whether the site goes on with another key although it had the next one for the whole overlap. A site that is
// idle is not overdue, nor one that has begun to use the next key.
func (r rotation) overdue(s sighting) bool {
	return r.phase() == v1alpha1.RotationPublished && !s.now.Before(r.publishedAt.Add(s.overlap)) &&
		s.used[r.lingering(s)].After(r.publishedAt.Add(time.Second)) && !r.begun(s)
}

// lingering is the key that the site goes on with while it does not use the next one: the current one, or one that was to
// follow and was given up.
func (r rotation) lingering(s sighting) string {
	if r.previous != "" && s.used[r.previous].After(s.used[r.current]) {
		return r.previous
	}
	return r.current
}

// nextChange is when time alone can take the rotation on, or make it overdue; zero for never.
func (r rotation) nextChange(s sighting) time.Time {
	var at time.Time
	if r.previous != "" {
		at = r.retireAt
	}
	if deadline := r.publishedAt.Add(s.overlap); r.phase() == v1alpha1.RotationPublished && s.now.Before(deadline) {
		at = earliest(at, deadline)
	}
	return at
}

// nextRotation is when a generated key that is used for every becomes due; zero for never, and while a rotation runs that
// only the site can bring to its end.
func (r rotation) nextRotation(every time.Duration) time.Time {
	if every == 0 || r.next != "" || r.current == "" {
		return time.Time{}
	}
	since := r.rotatedAt
	if since.IsZero() {
		since = r.stagedAt
	}
	at := since.Add(every)
	if at.Before(r.retireAt) {
		at = r.retireAt
	}
	return at
}

// status is the rotation as people see it. Of a rotation that is over, only its end is told.
func (r rotation) status(nextRotation time.Time) v1alpha1.RotationStatus {
	s := v1alpha1.RotationStatus{
		Phase: r.phase(), CurrentKeyID: r.current, NextKeyID: r.next, PreviousKeyID: r.previous,
		RotatedAt: apiTime(r.rotatedAt), RetireAt: apiTime(r.retireAt), NextRotation: apiTime(nextRotation),
	}
	if s.Phase != v1alpha1.RotationStable {
		s.StagedAt, s.PublishedAt = apiTime(r.stagedAt), apiTime(r.publishedAt)
	}
	return s
}
