// SPDX-License-Identifier: Apache-2.0

package site

import (
	"slices"
	"sync"
)

// maxSent bounds the ids that a ledger knows.
const maxSent = 4096

// ledger knows the frames that the site has to acknowledge. A refusal and the result that follows it have the same id, and
// so has what is sent again: of the frames of an id, an ack is for the oldest that has none.
type ledger struct {
	mu   sync.Mutex
	sent map[string][]sending
}

// sending is a frame, as often as it was sent.
type sending struct {
	// lane and seq say whose parcel it is; no lane's where nobody keeps it.
	lane  *lane
	seq   int64
	times int
	// done is set once it was acknowledged, though it was sent more often.
	done bool
}

func newLedger() *ledger { return &ledger{sent: map[string][]sending{}} }

// note notes that a frame is sent; false where too many are unacknowledged, and it must not be.
func (l *ledger) note(id string, by *lane, seq int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.sent[id]
	if n := len(all); n > 0 && all[n-1].lane == by && all[n-1].seq == seq {
		all[n-1].times++
		return true
	}
	if len(all) == 0 && len(l.sent) >= maxSent && !l.prune() {
		return false
	}
	l.sent[id] = append(all, sending{lane: by, seq: seq, times: 1, done: by == nil})
	return true
}

// takeBack has an answer that nobody keeps, the last frame of its id that was noted, not sent after all.
func (l *ledger) takeBack(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.sent[id]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].lane != nil {
			continue
		}
		if all[i].times--; all[i].times == 0 {
			all = slices.Delete(all, i, i+1)
		}
		break
	}
	if l.sent[id] = all; len(all) == 0 {
		delete(l.sent, id)
	}
}

// acked takes an ack, and tells the lane whose parcel has arrived.
func (l *ledger) acked(id string) {
	l.mu.Lock()
	all := l.sent[id]
	if len(all) == 0 {
		l.mu.Unlock()
		return // nobody asked for it
	}
	first := &all[0]
	first.times--
	arrived, lane, seq := !first.done, first.lane, first.seq
	first.done = true
	if first.times == 0 {
		all = all[1:]
	}
	if l.sent[id] = all; len(all) == 0 {
		delete(l.sent, id)
	}
	l.mu.Unlock()
	if arrived {
		lane.arrived(seq)
	}
}

// prune forgets what waits for nothing but the ack of a repeat, or of an answer that nobody keeps; under the lock.
func (l *ledger) prune() (room bool) {
	for id, all := range l.sent {
		settled := true
		for _, s := range all {
			settled = settled && s.done
		}
		if settled {
			delete(l.sent, id)
		}
	}
	return len(l.sent) < maxSent
}
