// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const testOverlap = 24 * time.Hour

// ago is a time before testNow; the zero duration is the zero time.
func ago(d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return testNow.Add(-d)
}

// The rotations of the tables below: A is current, B next, Z previous.
func stable() rotation { return rotation{current: "A", stagedAt: ago(1000 * time.Hour)} }

func staged() rotation {
	return rotation{current: "A", next: "B", stagedAt: ago(time.Hour)}
}

func published(age time.Duration) rotation {
	return rotation{current: "A", next: "B", stagedAt: ago(age + time.Hour), publishedAt: ago(age)}
}

func adopted(age time.Duration) rotation {
	return rotation{current: "A", previous: "Z", stagedAt: ago(age + time.Hour), publishedAt: ago(age + time.Hour),
		rotatedAt: ago(age), retireAt: ago(age).Add(testOverlap)}
}

// The steps by name: what a person who reads ROTATION would look up.
func TestRotationSteps(t *testing.T) {
	generated := func(change func(*sighting)) sighting {
		s := sighting{now: testNow, overlap: testOverlap, generates: true, used: map[string]time.Time{}}
		if change != nil {
			change(&s)
		}
		return s
	}
	users := func(key string) sighting {
		return sighting{now: testNow, overlap: testOverlap, wanted: key, used: map[string]time.Time{}}
	}
	usedAt := func(key string, age time.Duration) func(*sighting) {
		return func(s *sighting) { s.used[key] = ago(age) }
	}
	with := func(r rotation, change func(*rotation)) rotation { change(&r); return r }
	ask := func(s *sighting) { s.asked = true }
	force := func(s *sighting) { s.asked, s.forced = true, true }
	due := func(s *sighting) { s.due = true }
	ready := func(s *sighting) { s.ready = true }
	inOverlap := testNow.Add(testOverlap)
	tests := map[string]struct {
		from rotation
		seen sighting
		step step
		want rotation
	}{
		"the first key is made": {rotation{}, generated(nil), stepBegun, rotation{current: newKey, stagedAt: testNow}},
		"the user's first key":  {rotation{}, users("U"), stepBegun, rotation{current: "U", stagedAt: testNow}},
		"no first key is there": {rotation{}, sighting{now: testNow, overlap: testOverlap}, stepNone, rotation{}},
		"the current key was taken away, and the next one is left": {rotation{next: "B", publishedAt: ago(time.Hour)}, generated(nil), stepBegun,
			rotation{current: "B"}},

		"Stable: nothing to do":            {stable(), generated(nil), stepNone, stable()},
		"Stable: the key is due":           {stable(), generated(due), stepStaged, rotation{current: "A", next: newKey, stagedAt: testNow}},
		"Stable: a rotation is asked for":  {stable(), generated(ask), stepStaged, rotation{current: "A", next: newKey, stagedAt: testNow}},
		"Stable: the user's key changes":   {stable(), users("U"), stepStaged, rotation{current: "A", next: "U", stagedAt: testNow}},
		"Stable: asking does not move it":  {stable(), with2(users("A"), ask), stepNone, stable()},
		"Stable: a use of current is none": {stable(), generated(usedAt("A", time.Minute)), stepNone, stable()},

		"Staged: the bot does not accept it yet": {staged(), generated(nil), stepNone, staged()},
		"Staged: the bot accepts it":             {staged(), generated(ready), stepPublished, with(staged(), func(r *rotation) { r.publishedAt = testNow })},
		"Staged: another is asked for":           {staged(), generated(ask), stepRefused, staged()},
		"Staged: a due key waits":                {staged(), generated(due), stepNone, staged()},
		"Staged: another is forced":              {staged(), generated(force), stepStaged, rotation{current: "A", next: newKey, previous: "B", stagedAt: testNow, retireAt: inOverlap}},
		"Staged: the user changes again":         {staged(), users("U"), stepStaged, rotation{current: "A", next: "U", previous: "B", stagedAt: testNow, retireAt: inOverlap}},
		"Staged: the user goes back":             {staged(), users("A"), stepReturned, rotation{current: "A", previous: "B", stagedAt: ago(time.Hour), retireAt: inOverlap}},

		"Published: nobody uses it":       {published(time.Hour), generated(nil), stepNone, published(time.Hour)},
		"Published: the site goes on":     {published(time.Hour), generated(usedAt("A", time.Minute)), stepNone, published(time.Hour)},
		"Published: another is asked for": {published(time.Hour), generated(ask), stepRefused, published(time.Hour)},
		"Published: another is forced": {published(time.Hour), generated(force), stepStaged,
			rotation{current: "A", next: newKey, previous: "B", stagedAt: testNow, retireAt: inOverlap}},
		"Published: the site uses it": {published(time.Hour), generated(usedAt("B", time.Second)), stepAdopted, rotation{current: "B", previous: "A",
			stagedAt: ago(2 * time.Hour), publishedAt: ago(time.Hour), rotatedAt: testNow, retireAt: inOverlap}},
		"Published, long overdue: the site uses it": {published(1000 * time.Hour), generated(usedAt("B", time.Second)), stepAdopted, rotation{current: "B", previous: "A",
			stagedAt: ago(1001 * time.Hour), publishedAt: ago(1000 * time.Hour), rotatedAt: testNow, retireAt: inOverlap}},
		"Published, a key from before: its old uses say nothing": {published(time.Hour), generated(usedAt("B", 3*time.Hour)), stepNone, published(time.Hour)},
		"Published, a key from before: the site signed with it last": {published(time.Hour), generated(func(s *sighting) { s.used["B"], s.last = ago(3*time.Hour), "B" }),
			stepAdopted, rotation{current: "B", previous: "A", stagedAt: ago(2 * time.Hour), publishedAt: ago(time.Hour), rotatedAt: testNow, retireAt: inOverlap}},
		"Published: the user goes back": {published(time.Hour), users("A"), stepReturned,
			rotation{current: "A", previous: "B", stagedAt: ago(2 * time.Hour), retireAt: inOverlap}},

		"Adopted: the overlap is running":        {adopted(time.Hour), generated(nil), stepNone, adopted(time.Hour)},
		"Adopted: the overlap is over":           {adopted(testOverlap), generated(nil), stepRetired, with(adopted(testOverlap), func(r *rotation) { r.previous, r.retireAt = "", time.Time{} })},
		"Adopted: previous was used lately":      {adopted(testOverlap), generated(usedAt("Z", time.Hour)), stepPostponed, with(adopted(testOverlap), func(r *rotation) { r.retireAt = inOverlap.Add(-time.Hour) })},
		"Adopted: previous is used, by the step": {adopted(8 * time.Hour), generated(usedAt("Z", 0)), stepNone, adopted(8 * time.Hour)},
		"Adopted: previous is used, a step on":   {adopted(8 * time.Hour), generated(usedAt("Z", time.Hour)), stepPostponed, with(adopted(8*time.Hour), func(r *rotation) { r.retireAt = inOverlap.Add(-time.Hour) })},
		"Adopted: another is asked for":          {adopted(time.Hour), generated(ask), stepRefused, adopted(time.Hour)},
		"Adopted: another is forced":             {adopted(time.Hour), generated(force), stepStaged, with(adopted(time.Hour), func(r *rotation) { r.next, r.stagedAt, r.publishedAt = newKey, testNow, time.Time{} })},
		"Adopted: the user goes back to it": {adopted(time.Hour), users("Z"), stepStaged, with(adopted(time.Hour), func(r *rotation) {
			r.next, r.stagedAt, r.publishedAt, r.previous, r.retireAt = "Z", testNow, time.Time{}, "", time.Time{}
		})},

		"three keys: the next one is used, and waits for the previous to retire": {with(adopted(time.Hour), func(r *rotation) { r.next = "B" }),
			generated(usedAt("B", time.Second)), stepNone, with(adopted(time.Hour), func(r *rotation) { r.next = "B" })},
		"three keys, the next one published: not even force": {with(adopted(time.Hour), func(r *rotation) { r.next = "B" }), generated(force), stepRefused,
			with(adopted(time.Hour), func(r *rotation) { r.next = "B" })},
		"three keys, the next one unseen: it gives way": {with(adopted(time.Hour), func(r *rotation) { r.next, r.publishedAt = "B", time.Time{} }), generated(force), stepStaged,
			with(adopted(time.Hour), func(r *rotation) { r.next, r.publishedAt, r.stagedAt = newKey, time.Time{}, testNow })},
		"three keys: the user's newest is always accepted": {with(adopted(time.Hour), func(r *rotation) { r.next = "B" }), users("U"), stepStaged,
			with(adopted(time.Hour), func(r *rotation) {
				r.next, r.publishedAt, r.stagedAt, r.previous, r.retireAt = "U", time.Time{}, testNow, "B", inOverlap
			})},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, did := tc.from.advance(tc.seen)
			if did != tc.step {
				t.Errorf("the step is %d, want %d", did, tc.step)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(rotation{})); diff != "" {
				t.Errorf("rotation (-want +got):\n%s", diff)
			}
		})
	}
}

// with3 is a rotation with a key that was to follow, and was given up.
func with3(r rotation) rotation { r.previous, r.retireAt = "Z", testNow.Add(testOverlap); return r }

func with2(s sighting, change func(*sighting)) sighting { change(&s); return s }

// Every phase meets every sighting; what has to come of it is said in general.
func TestEveryPhaseMeetsEverySighting(t *testing.T) {
	phases := map[string]rotation{
		"none": {}, "Stable": stable(), "Staged": staged(), "Published": published(time.Hour), "Published, late": published(2 * testOverlap),
		"Adopted": adopted(time.Hour), "Adopted, over": adopted(2 * testOverlap),
	}
	for _, late := range []bool{false, true} {
		three := adopted(time.Hour)
		three.next = "B"
		if late {
			three.retireAt = ago(time.Hour)
		}
		phases[fmt.Sprintf("Published with previous, over: %t", late)] = three
		three.publishedAt = time.Time{}
		phases[fmt.Sprintf("Staged with previous, over: %t", late)] = three
	}
	cases := 0
	for name, r := range phases {
		for _, s := range everySighting() {
			cases++
			after, did := r.advance(s)
			if complaint := wrongStep(r, s, after, did); complaint != "" {
				t.Errorf("%s, given %+v, becomes %+v by step %d: %s", name, s, after, did, complaint)
			}
			// What is done is done: the same sighting, no longer asked, does it only once.
			s.asked, s.due = false, false
			settled := after.named("N")
			for range 4 {
				settled, did = settled.advance(s)
				settled = settled.named("N")
			}
			if did != stepNone {
				t.Errorf("%s, given %+v, never comes to rest: step %d of %+v", name, s, did, settled)
			}
		}
	}
	if want := 11 * 2 * 2 * 6 * 5 * 4; cases != want {
		t.Errorf("%d pairs were tried, want %d", cases, want)
	}
}

// everySighting is the cross product of all that a rotation can be shown.
func everySighting() []sighting {
	var out []sighting
	for _, ready := range []bool{false, true} {
		for _, due := range []bool{false, true} {
			for _, wanted := range []string{"", "A", "B", "Z", "U", "generated"} {
				for _, used := range []string{"", "A", "B", "Z", "other"} {
					for _, asked := range []string{"", "asked", "forced", "forced before"} {
						s := sighting{now: testNow, overlap: testOverlap, ready: ready, due: due, used: map[string]time.Time{}}
						if s.wanted = wanted; wanted == "generated" {
							s.wanted, s.generates = "", true
						}
						if used != "" {
							s.used[used] = ago(time.Minute)
						}
						s.asked, s.forced = asked == "asked" || asked == "forced", asked != "" && asked != "asked"
						out = append(out, s)
					}
				}
			}
		}
	}
	return out
}

// wrongStep is what is wrong with a step; empty where it is right.
func wrongStep(before rotation, s sighting, after rotation, did step) string {
	changed := !cmp.Equal(before, after, cmp.AllowUnexported(rotation{}))
	switch {
	case changed != (did != stepNone && did != stepRefused):
		return "it changes without a step, or steps without a change"
	case after.current == after.next && after.next != "", after.previous != "" && (after.previous == after.current || after.previous == after.next):
		return "a key is in two slots"
	case before.current != "" && after.current == "":
		return "there is no current key any more"
	case s.wanted != "" && !after.has(s.wanted):
		return "the bot does not accept what the user's Secret holds"
	case !s.generates && (after.current == newKey || after.next == newKey):
		return "a key is made that nobody asked for"
	case did == stepPublished && !s.ready:
		return "the next key is given away before it may be used"
	case did == stepAdopted && (before.publishedAt.IsZero() || s.used[before.next].IsZero() || after.previous != before.current):
		return "the next key is adopted before it is used, or the one before is lost"
	case did == stepRetired && (s.now.Before(before.retireAt) || s.now.Before(s.used[before.previous].Add(s.overlap))):
		return "the previous key is dropped within the overlap"
	case after.previous != "" && after.retireAt.IsZero():
		return "the previous key has no end"
	case (after.phase() == v1alpha1.RotationPublished) && after.publishedAt.IsZero():
		return "it is published at no time"
	case s.asked && s.generates && before.current != "" && did != stepStaged && did != stepRefused:
		return "what was asked for is neither done nor refused"
	case s.generates || s.wanted == "":
		// Only a person's own Secret may push out a key that can be in use.
		for _, key := range []string{before.current, before.previous} {
			if key != "" && !after.has(key) && did != stepRetired {
				return "key " + key + " is lost"
			}
		}
		if before.phase() == v1alpha1.RotationPublished && !after.has(before.next) {
			return "the published key is lost"
		}
	}
	return ""
}

// Overdue is a site that goes on with the key before; not one that is idle, nor one that has begun.
func TestOverdue(t *testing.T) {
	tests := map[string]struct {
		r    rotation
		used map[string]time.Time
		want bool
	}{
		"before the deadline":            {published(23 * time.Hour), map[string]time.Time{"A": ago(time.Minute)}, false},
		"the site goes on":               {published(25 * time.Hour), map[string]time.Time{"A": ago(time.Minute)}, true},
		"the site is idle":               {published(25 * time.Hour), map[string]time.Time{"A": ago(26 * time.Hour)}, false},
		"nothing is known of the site":   {published(25 * time.Hour), nil, false},
		"some of the site has moved on":  {published(25 * time.Hour), map[string]time.Time{"A": ago(time.Minute), "B": ago(time.Minute)}, false},
		"it used the key once, long ago": {published(25 * time.Hour), map[string]time.Time{"A": ago(time.Minute), "B": ago(30 * time.Hour)}, true},
		"it goes on with one given up":   {with3(published(25 * time.Hour)), map[string]time.Time{"A": ago(30 * time.Hour), "Z": ago(time.Minute)}, true},
		"it was never published":         {staged(), map[string]time.Time{"A": ago(time.Minute)}, false},
		"there is nothing to be adopted": {adopted(25 * time.Hour), map[string]time.Time{"A": ago(time.Minute)}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.r.overdue(sighting{now: testNow, overlap: testOverlap, used: tc.used}); got != tc.want {
				t.Errorf("overdue is %t", got)
			}
		})
	}
}

func TestRotationTimers(t *testing.T) {
	s := sighting{now: testNow, overlap: testOverlap}
	every := 720 * time.Hour
	tests := map[string]struct {
		r                rotation
		change, rotation time.Time
	}{
		"Stable, never rotated":    {stable(), time.Time{}, ago(1000 * time.Hour).Add(every)},
		"Staged":                   {staged(), time.Time{}, time.Time{}},
		"Published":                {published(time.Hour), ago(time.Hour).Add(testOverlap), time.Time{}},
		"Published, past its time": {published(25 * time.Hour), time.Time{}, time.Time{}},
		"Adopted":                  {adopted(time.Hour), ago(time.Hour).Add(testOverlap), ago(time.Hour).Add(every)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.r.nextChange(s); !got.Equal(tc.change) {
				t.Errorf("the next change is at %s, want %s", got, tc.change)
			}
			if got := tc.r.nextRotation(every); !got.Equal(tc.rotation) {
				t.Errorf("the next rotation is at %s, want %s", got, tc.rotation)
			}
			if got := tc.r.nextRotation(0); !got.IsZero() {
				t.Errorf("a key that is never due is due at %s", got)
			}
		})
	}
	if got := adopted(time.Hour).nextRotation(time.Minute); !got.Equal(ago(time.Hour).Add(testOverlap)) {
		t.Errorf("the next rotation is at %s, before the key before is retired", got)
	}
}

// Who is refused a rotation is told what helps, and force only where it does.
func TestRefusalsSayWhatHelps(t *testing.T) {
	three := with3(published(time.Hour))
	tests := map[string]struct {
		r    rotation
		want string
	}{
		"Published": {published(time.Hour), "until the site has been seen to use B and, after that, for the overlap: set " +
			`feedbackbridge.dev/rotate-now to a new value after that, or to one that begins with "force"`},
		"Adopted": {adopted(time.Hour), "until 2026-03-02T11:00:00Z: set feedbackbridge.dev/rotate-now to a new value after that, or to one that begins with \"force\""},
		"three keys": {three, "until the site has been seen to use B and, after that, for the overlap: set feedbackbridge.dev/rotate-now to a new value " +
			`after that; "force" does not help before 2026-03-02T12:00:00Z, as long as Z is accepted too`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if note := refused("HMAC key", tc.r).note; !strings.HasSuffix(note, tc.want) {
				t.Errorf("it says %q, want %q at the end", note, tc.want)
			}
			_, did := tc.r.advance(sighting{now: testNow, overlap: testOverlap, generates: true, asked: true, forced: true})
			if helps := did == stepStaged; helps == strings.Contains(tc.want, "does not help") {
				t.Errorf("force does step %d", did)
			}
		})
	}
}
