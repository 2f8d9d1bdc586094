// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	// ackPatience is how long the site has to acknowledge a frame before it is sent again.
	ackPatience = 30 * time.Second
	// settlePause is how long acks wait to be settled together: each settling is a commit. settleGrace is how long the last
	// one of a session may take.
	settlePause = 100 * time.Millisecond
	settleGrace = time.Second
)

const (
	// bytesInFlight is how many bytes of a lane may be on their way, but for one frame: a slow connection must not have them
	// wait until they have expired.
	bytesInFlight = 2 << 20
	// stuckAfter is how often a parcel is sent before it is taken to be stuck: it does not hold up the others then, and is sent
	// again at pauses that double up to longestPatience. More than mostStuck hold them up.
	stuckAfter      = 3
	longestPatience = time.Hour
	mostStuck       = 512
)

// parcel is a frame for the site that is kept until the site has acknowledged it.
type parcel struct {
	// seq orders the parcels of a lane; id is the frame's, however often it is sent.
	seq int64
	id  string
	// body is what is in it, made anew for every sending; alone says that this may take a while.
	body  func(ctx context.Context) wire.Body
	alone bool
	// sent is when it was last sent, times how often, size how long it was.
	sent  time.Time
	times int
	size  int
}

// due is when a parcel is to be sent again.
func (p *parcel) due() time.Time {
	patience := ackPatience
	for n := stuckAfter; n <= p.times && patience < longestPatience; n++ {
		patience *= 2
	}
	return p.sent.Add(min(patience, longestPatience))
}

// together is how many of the first parcels are sent at once: one that may take a while alone.
func together(parcels []parcel) int {
	n := 1
	for n < len(parcels) && !parcels[0].alone && !parcels[n].alone {
		n++
	}
	return n
}

// lane carries parcels to the site, in order: at most so many at once, and again those that the site leaves unacknowledged.
type lane struct {
	// most is how many may be on their way.
	most int
	// next returns parcels behind a seq, at most so many; ready is signalled when there may be more.
	next  func(ctx context.Context, after int64, limit int) ([]parcel, error)
	ready <-chan struct{}
	// settle ends the wait of parcels.
	settle func(ctx context.Context, seqs []int64) error
	// send signs and writes parcels, and notes their sizes.
	send func(ctx context.Context, l *lane, parcels []parcel) error

	kick chan struct{} // has it look for more, and at acks

	mu   sync.Mutex
	acks []int64 // seqs that the site acknowledged

	after   int64
	more    bool // there may be more behind after
	flying  []parcel
	settled []int64 // acknowledged, and not settled yet
}

func newLane(most int, send func(context.Context, *lane, []parcel) error) *lane {
	return &lane{most: most, send: send, kick: make(chan struct{}, 1)}
}

// arrived notes that the site has a parcel. It never waits: the reader calls it.
func (l *lane) arrived(seq int64) {
	l.mu.Lock()
	l.acks = append(l.acks, seq)
	l.mu.Unlock()
	l.wake()
}

// wake has the lane look again.
func (l *lane) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// run carries parcels until ctx is done.
func (l *lane) run(ctx context.Context) error {
	settle, overdue := time.NewTimer(0), time.NewTimer(0)
	defer settle.Stop()
	defer overdue.Stop()
	settle.Stop()
	l.more = true
	for {
		if err := l.load(ctx); err != nil {
			return err
		}
		if overdue.Stop(); len(l.flying) > 0 {
			overdue.Reset(time.Until(l.firstDue()))
		}
		select {
		case <-ctx.Done():
			return l.last(ctx)
		case <-l.ready:
			l.more = true
		case <-l.kick:
			l.more = true
			if l.land() {
				settle.Reset(settlePause)
			}
		case <-settle.C:
			if err := l.end(ctx); err != nil {
				return err
			}
		case now := <-overdue.C:
			if err := l.again(ctx, now); err != nil {
				return err
			}
		}
	}
}

// load sends as many more parcels as there is room for.
func (l *lane) load(ctx context.Context) error {
	for room := l.room(); l.more && room > 0; room = l.room() {
		parcels, err := l.next(ctx, l.after, room)
		if err != nil {
			return explainStore(err)
		}
		l.more = len(parcels) == room
		for len(parcels) > 0 {
			if l.room() <= 0 {
				l.more = true // what was read is read again
				return nil
			}
			n := together(parcels)
			if err := l.fly(ctx, parcels[:n]); err != nil {
				return err
			}
			l.after, parcels = parcels[n-1].seq, parcels[n:]
		}
	}
	return nil
}

// room is how many more parcels may be on their way.
func (l *lane) room() int {
	flying, stuck, size := 0, 0, 0
	for i := range l.flying {
		if p := &l.flying[i]; p.times >= stuckAfter && stuck < mostStuck {
			stuck++
		} else {
			flying++
			size += p.size
		}
	}
	if size >= bytesInFlight {
		return 0
	}
	return l.most - flying
}

// fly sends parcels.
func (l *lane) fly(ctx context.Context, parcels []parcel) error {
	if err := l.send(ctx, l, parcels); err != nil {
		return err
	}
	now := time.Now()
	for i := range parcels {
		parcels[i].sent = now
		parcels[i].times++
	}
	l.flying = append(l.flying, parcels...)
	return nil
}

// firstDue is when a parcel has to be sent again.
func (l *lane) firstDue() (first time.Time) {
	for i := range l.flying {
		if due := l.flying[i].due(); first.IsZero() || due.Before(first) {
			first = due
		}
	}
	return first
}

// again sends what the site has left unacknowledged for too long.
func (l *lane) again(ctx context.Context, now time.Time) error {
	var late []parcel
	l.flying = slices.DeleteFunc(l.flying, func(p parcel) bool {
		if p.due().After(now) {
			return false
		}
		late = append(late, p)
		return true
	})
	for len(late) > 0 {
		n := together(late)
		if err := l.fly(ctx, late[:n]); err != nil {
			return err
		}
		late = late[n:]
	}
	return nil
}

// land takes the parcels that arrived out of those on their way; true where a settling is to follow that was not to before.
func (l *lane) land() (first bool) {
	l.mu.Lock()
	acks := l.acks
	l.acks = nil
	l.mu.Unlock()
	was := len(l.settled)
	l.settled = append(l.settled, acks...)
	l.flying = slices.DeleteFunc(l.flying, func(p parcel) bool { return slices.Contains(acks, p.seq) })
	return was == 0 && len(l.settled) > 0
}

// end settles what was acknowledged.
func (l *lane) end(ctx context.Context) error {
	if len(l.settled) == 0 {
		return nil
	}
	if err := l.settle(ctx, l.settled); err != nil {
		return explainStore(fmt.Errorf("note what the site has: %w", err))
	}
	l.settled = nil
	return nil
}

// last settles what was acknowledged before the session ended: the site need not be sent it again.
func (l *lane) last(ctx context.Context) error {
	l.land()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleGrace)
	defer cancel()
	if err := l.end(grace); err != nil {
		return err
	}
	return ctx.Err()
}
