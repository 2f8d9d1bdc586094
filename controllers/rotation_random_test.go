// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// Whatever happens in whatever order, the invariants hold: the site never has a key that the bot did not confirm; a
// published key is accepted until it is retired; the user's key is always accepted; a generated key is made once.
func TestRotationInvariants(t *testing.T) {
	for seed := range uint64(300) {
		w := newRotationWorld(seed)
		for i := range 200 {
			if complaint := w.happen(); complaint != "" {
				t.Fatalf("seed %d, step %d: %s: %+v", seed, i, complaint, w)
			}
		}
	}
}

func FuzzRotation(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := newRotationWorld(seed)
		for range 500 {
			if complaint := w.happen(); complaint != "" {
				t.Fatalf("%s: %+v", complaint, w)
			}
		}
	})
}

// rotationWorld is a rotation, a bot, a site and a person at random.
type rotationWorld struct {
	random    *rand.Rand
	now       time.Time
	generates bool
	users     string
	r         rotation
	// bot are the keys that the bot has loaded; reported those that it said so of, and used when the site used which.
	bot, reported map[string]bool
	used          map[string]time.Time
	// site is the key that the site signs with; an honest one takes it from what it is given.
	site  string
	keys  int
	given map[string]bool
}

func newRotationWorld(seed uint64) *rotationWorld {
	random := rand.New(rand.NewPCG(seed, 1))
	w := &rotationWorld{
		random: random, now: testNow, generates: random.IntN(2) == 0,
		bot: map[string]bool{}, reported: map[string]bool{}, used: map[string]time.Time{}, given: map[string]bool{},
	}
	if !w.generates {
		w.users = w.key()
	}
	return w
}

func (w *rotationWorld) key() string { w.keys++; return fmt.Sprint("K", w.keys) }

// handed is the key that the site is given to sign with.
func (w *rotationWorld) handed() string {
	if w.r.phase() == v1alpha1.RotationPublished {
		return w.r.next
	}
	return w.r.current
}

// happen lets one thing happen, and complains of what must not be.
func (w *rotationWorld) happen() string {
	w.now = w.now.Add(time.Duration(w.random.IntN(int(testOverlap/8))) + time.Second).Truncate(time.Second)
	asked, forced := false, false
	switch w.random.IntN(8) {
	case 0: // the kubelet brings the bot what its Secret holds
		w.bot = map[string]bool{w.r.current: true, w.r.next: true, w.r.previous: true}
	case 1: // the bot reports
		w.reported = map[string]bool{}
		for key := range w.bot {
			w.reported[key] = true
		}
	case 2: // the site loads its key
		w.site = w.handed()
	case 3, 4: // the site signs
		if w.site == "" {
			break
		}
		if w.generates && !w.r.has(w.site) {
			return "a frame of an honest site is refused"
		}
		w.used[w.site] = w.now
	case 5: // a person wants another key
		asked, forced = true, w.random.IntN(2) == 0
		if !w.generates && w.random.IntN(2) == 0 {
			w.users = w.key()
		}
	}
	s := sighting{
		now: w.now, overlap: testOverlap, wanted: w.users, generates: w.generates, asked: asked, forced: forced,
		ready: w.reported[w.r.next], used: w.used,
	}
	before := w.r
	after, did := w.r.advance(s)
	if after.newest() == newKey {
		after = after.named(w.key())
	}
	w.r = after
	if complaint := wrongStep(before, s, after, did); complaint != "" {
		return complaint
	}
	if key := w.handed(); key != before.current && before.current != "" && !w.given[key] && !w.reported[key] {
		return "the site is given a key that the bot did not confirm"
	}
	w.given[w.handed()] = true
	return ""
}
