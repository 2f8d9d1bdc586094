// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const (
	// shortForm is how many rotations are made where ROTATIONS says nothing.
	shortForm = 60
	// leastPerBridge is how many rotations are left to one bridge at least, and mostBridges how many share the others.
	leastPerBridge, mostBridges = 5, 30
	// patience is how long the start may take, and the rotations beyond a second for each: machines may be busy.
	patience = 4 * time.Minute
	// ending is what is left of the test's time for its end.
	ending = 90 * time.Second
)

// TestRotations is what the package is for.
func TestRotations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	rotations, seed := setting(t, "ROTATIONS", shortForm), setting(t, "ROTATION_SEED", time.Now().UnixNano()%1e9)
	t.Logf("%d rotations; ROTATION_SEED=%d", rotations, seed)
	bot := buildBot(t)
	w := newWorld(t, bot, uint64(seed), crew(rotations))
	w.startOperator(t)
	w.startBridges(t)

	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(rotations)*time.Second)
	defer cancel()
	if deadline, ok := t.Deadline(); ok { // so that there is time to stop everything
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-ending))
		defer cancel()
	}
	w.rotate(ctx, t, rotations)
	took := time.Since(began)
	w.settle(ctx, t)
	w.judge(t, took)
}

// setting is a number of the environment's.
func setting(t *testing.T, name string, fallback int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value <= 0 {
		t.Fatalf("%s=%q is not a positive number", name, text)
	}
	return value
}

// character is what a bridge and its site are like.
type character struct {
	kind kind
	keys keys
}

// crew are the bridges for a number of rotations: every combination, and more of those that bring rotations to an end.
func crew(rotations int64) []character {
	all := []character{
		{adopts, generated}, {swaps, own}, {adopts, own}, {swaps, generated}, {stays, generated}, {stays, own},
	}
	busy := all[:4]
	for i := len(busy); i < mostBridges && int64(i*leastPerBridge) < rotations; i++ {
		all = append(all, busy[i%len(busy)])
	}
	if rotations > shortForm {
		all = append(all, character{stays, generated}, character{stays, own})
	}
	return all
}

// source is the randomness of one actor: the same seed makes the same choices.
func source(seed uint64, actor string, number int) *rand.Rand {
	var stream uint64
	for _, c := range fmt.Sprint(actor, number) {
		stream = stream*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, stream))
}

// between is a random duration.
func between(dice *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(dice.Int64N(int64(most-least)))
}

// pause waits; false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// until asks for a condition until it is met; false when ctx ends first.
func until(ctx context.Context, met func() bool) bool {
	for !met() {
		if !pause(ctx, glance) {
			return false
		}
	}
	return true
}

// glance is how often the cache is looked at.
const glance = 50 * time.Millisecond

// root is the repository's folder.
func root() string { return filepath.Join("..", "..") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
