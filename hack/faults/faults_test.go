// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bridges is how many there are, of all kinds together.
const bridges = 30

// TestFaults rotates keys under traffic while leaders, networks and the API server fail, and then wants everything to
// be as if nothing had happened.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	seed, lasts := uint64(time.Now().UnixNano()), 20*time.Second
	if text := os.Getenv("FAULTS_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	if text := os.Getenv("FAULTS_TIME"); text != "" {
		var err error
		lasts, err = time.ParseDuration(text)
		must(t, err)
	}
	t.Logf("FAULTS_SEED=%d FAULTS_TIME=%s", seed, lasts)
	began := time.Now()
	phase := func(what string) { t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what) }
	binary := buildOperator(t)
	phase("the operator is built")
	w := newWorld(t, seed, bridges)
	phase("the API server runs, the bridges are made")
	w.startOperators(t, binary, seed)
	defer w.tellMore(t)
	eventually(t, 3*time.Minute*slowness, "every bridge settles at first", func() error { return w.complaints(t) })
	phase("all is settled")

	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	people := make(chan struct{})
	w.spawn(func() {
		defer close(people)
		w.people(ctx, rand.New(rand.NewPCG(seed, 1)))
	})
	c := &chaos{world: w, dice: rand.New(rand.NewPCG(seed, 2)), done: map[string]int{}}
	for end := time.Now().Add(lasts); ; {
		for _, f := range c.shuffled() {
			c.do(t, f)
			wait(ctx, time.Second+time.Duration(c.dice.Int64N(int64(time.Second))))
		}
		if time.Now().After(end) {
			break
		}
	}
	cancel()
	<-people
	phase("the failures are over")
	eventually(t, 3*time.Minute*slowness, "every bridge settles in the end", func() error { return w.complaints(t) })
	phase("all is settled again")
	w.checkQuiet(t)
	w.checkHistory(t, c.paused)
	phase("all is checked")
	t.Log(c, w)
}

// people have a bridge's person act, one after the other, and a bot end now and then, until the context ends.
func (w *world) people(ctx context.Context, dice *rand.Rand) {
	for ctx.Err() == nil {
		b := w.bridges[dice.IntN(len(w.bridges))]
		// What was begun is done to its end.
		if err := b.person.act(context.WithoutCancel(ctx), dice); err != nil {
			w.fail("%s: a person's change: %v", b.name, err)
		}
		if dice.IntN(10) == 0 {
			w.bridges[dice.IntN(len(w.bridges))].bot.restart()
		}
		wait(ctx, 100*time.Millisecond)
	}
}

// chaos is what is done to the operators, and how often it was.
type chaos struct {
	world *world
	dice  *rand.Rand
	done  map[string]int
	// paused are the times in which an operator may have written that no longer led, for it could not know.
	paused []pause
}

// failure is one kind of what is done.
type failure struct {
	name string
	do   func(*testing.T)
}

// shuffled is each kind once, in an order of the seed's.
func (c *chaos) shuffled() []failure {
	kinds := []failure{
		{"leader killed", c.kill}, {"leader terminated", c.terminate}, {"leader isolated", c.isolate},
		{"leader paused", c.pause}, {"API server restarted", c.restart},
	}
	c.dice.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	return kinds
}

func (c *chaos) do(t *testing.T, f failure) {
	t.Helper()
	began := time.Now()
	f.do(t)
	c.done[f.name]++
	t.Logf("%s %s; done after %s", began.UTC().Format("15:04:05"), f.name, time.Since(began).Round(time.Millisecond))
}

// leader waits until an operator leads that is not the one before, and knows it: who never heard that the Lease was taken would not
// end when it is lost.
func (c *chaos) leader(t *testing.T, before string) (o *operator, identity string) {
	t.Helper()
	eventually(t, time.Minute, "another operator leads", func() error {
		user, holder, at := leader(c.world.plane.audit.read(t))
		if holder == "" || holder == before {
			return fmt.Errorf("the Lease is %q's", holder)
		}
		for _, candidate := range c.world.operators {
			if operatorUser(candidate.index) != user {
				continue
			}
			p := candidate.running()
			if p == nil || at.Before(p.started) {
				return fmt.Errorf("the Lease is still that of %s before it ended", user)
			}
			if candidate.proxy.electedAt.Load() < p.started.UnixNano() {
				return fmt.Errorf("%s has not heard yet that it leads", user)
			}
			o, identity = candidate, holder
		}
		return nil
	})
	return o, identity
}

// kill ends the leader in the middle of whatever it does.
func (c *chaos) kill(t *testing.T) {
	o, identity := c.leader(t, "")
	_, err := o.signal(syscall.SIGKILL)
	must(t, err)
	c.leader(t, identity)
}

// terminate asks the leader to end. It does, and lets the Lease go so that nobody waits for it to run out, unless that
// very call is one of those that fail.
func (c *chaos) terminate(t *testing.T) {
	o, identity := c.leader(t, "")
	faults, releases := o.proxy.electionFaults.Load(), released(c.world.plane.audit.read(t))
	p, err := o.signal(syscall.SIGTERM)
	must(t, err)
	writes := c.world.plane.audit.read(t)
	if released(writes) == releases && o.proxy.electionFaults.Load() == faults {
		t.Errorf("the leader ended at SIGTERM and did not let the Lease go: %v", p.err)
	}
	c.leader(t, identity)
}

// isolate takes the network from the leader for longer than its Lease lasts: it ends by itself.
func (c *chaos) isolate(t *testing.T) {
	o, identity := c.leader(t, "")
	cut := o.running()
	o.proxy.cutOff()
	defer o.proxy.heal()
	c.leader(t, identity)
	eventually(t, time.Minute, "a leader without network ends", func() error {
		if !cut.ended() {
			return errors.New("it runs")
		}
		return nil
	})
}

// pause stops the leader's time for longer than its Lease lasts, in the middle of whatever it does, and lets it go on: what
// it had decided then must not undo what another has done since. It ends as soon as it notices.
func (c *chaos) pause(t *testing.T) {
	o, identity := c.leader(t, "")
	p := o.running()
	must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	c.leader(t, identity)
	began := time.Now()
	must(t, p.cmd.Process.Signal(syscall.SIGCONT))
	eventually(t, time.Minute, "a leader that was paused ends", func() error {
		if !p.ended() {
			return errors.New("it runs")
		}
		return nil
	})
	c.paused = append(c.paused, pause{operatorUser(o.index), began, time.Now()})
}

// pause is when an operator that had been paused had not noticed it yet.
type pause struct {
	user       string
	began, end time.Time
}

// restart ends the API server, properly or not, and starts it again.
func (c *chaos) restart(t *testing.T) {
	signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[c.dice.IntN(2)]
	c.world.plane.restartAPI(t, signal)
}

func (c *chaos) String() string { return fmt.Sprint(c.done) }

// tellMore prints, of a test that failed, what the operators said last.
func (w *world) tellMore(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, o := range w.operators {
		t.Logf("the last words of %s:\n%s", operatorUser(o.index), o.running().tail())
	}
}

// sent counts a frame.
func (w *world) sent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames++
}

func (w *world) String() string {
	var calls, refused, dropped, late, cut, held int64
	var out strings.Builder
	for _, o := range w.operators {
		p := o.proxy
		calls, refused, dropped = calls+p.calls.Load(), refused+p.refused.Load(), dropped+p.dropped.Load()
		cut, held, late = cut+p.watchesCut.Load(), held+p.held.Load(), late+p.late.Load()
		o.mu.Lock()
		fmt.Fprintf(&out, "; %s was started %d times, ended by itself: %q", operatorUser(o.index), o.starts, o.ends)
		o.mu.Unlock()
	}
	asked, made, changed := 0, 0, 0
	for _, b := range w.bridges {
		asked += len(b.person.asks)
		made += b.person.made(hmacKey) + b.person.made(signingKey)
		changed += max(0, len(b.person.keys)-1)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("; calls of operators %d: %d refused, %d without an answer, %d delivered late, %d watches cut, %d without a network; "+
		"rotations asked for %d times: %d keys made, and others refused; people's keys changed %d times; frames %d",
		calls, refused, dropped, late, cut, held, asked, made, changed, w.frames) + out.String()
}
