// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// fault is what befalls the bot.
type fault string

const (
	faultKill     fault = "kill"
	faultClose    fault = "clean close"
	faultReset    fault = "reset"
	faultHalfOpen fault = "half-open connection"
	faultDiskFull fault = "full disk"
	faultMigrate  fault = "group that becomes a supergroup"
)

// step is a fault, and what leads to it.
type step struct {
	fault fault
	// feedback is how many feedbacks the site sends before it; after is how long the bot may work on them.
	feedback int
	after    time.Duration
	// early does not wait until the bot is connected: it meets a bot that is starting.
	early bool
	// down is how long a killed bot stays away; code is what a connection is closed with.
	down time.Duration
	code int
}

// size is how much there is to do.
type size struct {
	tickets, kills, disconnects, people int
}

var (
	shortSize = size{tickets: 600, kills: 10, disconnects: 15, people: 12}
	fullSize  = size{tickets: 10_000, kills: 100, disconnects: 200, people: 24}
)

// lane makes the dice of one of those who act at the same time: what one does must not depend on how fast another is.
func lane(seed uint64, name string, number int) *rand.Rand {
	hash := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		hash = (hash ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, hash+uint64(number)))
}

// plan is the schedule of faults of a round: the same for the same seed. Kills are spread evenly among the rest, because the bot's
// back-off grows from one disconnect to the next and begins anew with its process.
func plan(seed uint64, round int, s size) []step {
	dice := lane(seed, "plan", round)
	disconnects := make([]fault, s.disconnects)
	for i := range disconnects {
		disconnects[i] = []fault{faultClose, faultReset, faultHalfOpen}[i%3]
	}
	dice.Shuffle(len(disconnects), func(i, j int) { disconnects[i], disconnects[j] = disconnects[j], disconnects[i] })
	var faults []fault
	for i := range s.kills {
		group := append([]fault{faultKill}, disconnects[i*len(disconnects)/s.kills:(i+1)*len(disconnects)/s.kills]...)
		dice.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
		faults = append(faults, group...)
		if i == s.kills/3 && round == 0 {
			faults = append(faults, faultMigrate)
		}
		if i == s.kills/2 && round == 0 {
			faults = append(faults, faultDiskFull)
		}
	}
	steps := make([]step, len(faults))
	for i, f := range faults {
		steps[i] = step{fault: f, feedback: (i+1)*s.tickets/len(faults) - i*s.tickets/len(faults),
			after: spread(dice, 400*time.Millisecond), down: spread(dice, 300*time.Millisecond),
			code: []int{1000, 1001, 1011, 1012, 4000}[dice.IntN(5)]}
		if f == faultKill && i > 0 && faults[i-1] == faultKill || f == faultKill && dice.IntN(5) == 0 {
			steps[i].early, steps[i].after = true, spread(dice, 150*time.Millisecond)
		}
	}
	return steps
}

// spread is a time of up to most, and often a short one: much happens at once.
func spread(dice *rand.Rand, most time.Duration) time.Duration {
	f := dice.Float64()
	return time.Duration(f * f * float64(most))
}

func TestThePlanIsTheSeedsAlone(t *testing.T) {
	first, again := plan(7, 0, fullSize), plan(7, 0, fullSize)
	if !reflect.DeepEqual(first, again) {
		t.Fatal("the same seed gives two plans")
	}
	if reflect.DeepEqual(first, plan(8, 0, fullSize)) || reflect.DeepEqual(first, plan(7, 1, fullSize)) {
		t.Fatal("the plan does not depend on seed and round")
	}
	count, feedback := map[fault]int{}, 0
	for _, s := range first {
		count[s.fault]++
		feedback += s.feedback
	}
	if feedback != fullSize.tickets || count[faultKill] != fullSize.kills || count[faultDiskFull] != 1 || count[faultMigrate] != 1 ||
		count[faultClose]+count[faultReset]+count[faultHalfOpen] != fullSize.disconnects {
		t.Errorf("%d feedbacks, %v", feedback, count)
	}
}
