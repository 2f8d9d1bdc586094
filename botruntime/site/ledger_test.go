// SPDX-License-Identifier: Apache-2.0

package site

import (
	"slices"
	"strconv"
	"testing"
)

// arrivals are the seqs that a lane was told of.
func arrivals(l *lane) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acks)
}

func TestAnAckIsForTheOldestFrameOfItsID(t *testing.T) {
	for _, c := range []struct {
		name string
		sent []int64 // seqs of the frames of one id; 0 for a refusal, which nobody keeps
		acks int
		want []int64
	}{
		{"one", []int64{7}, 1, []int64{7}},
		{"none", []int64{7}, 0, nil},
		{"acknowledged twice", []int64{7}, 2, []int64{7}},
		{"a refusal and the result that follows it", []int64{0, 7}, 1, nil},
		{"both acknowledged", []int64{0, 7}, 2, []int64{7}},
		{"sent again", []int64{7, 7}, 1, []int64{7}},
		{"sent again, and another result after it", []int64{7, 7, 9}, 2, []int64{7}},
		{"all three acknowledged", []int64{7, 7, 9}, 3, []int64{7, 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ledger, l := newLedger(), newLane(1, nil)
			for _, seq := range c.sent {
				if seq == 0 {
					ledger.note("id", nil, 0)
				} else {
					ledger.note("id", l, seq)
				}
			}
			ledger.acked("another id")
			for range c.acks {
				ledger.acked("id")
			}
			if got := arrivals(l); !slices.Equal(got, c.want) {
				t.Errorf("arrived: %v, want %v", got, c.want)
			}
		})
	}
}

func TestARefusalThatWasNotSentHasNoAck(t *testing.T) {
	ledger, l := newLedger(), newLane(1, nil)
	ledger.note("id", nil, 0)
	ledger.note("id", l, 7)
	ledger.note("id", nil, 0)
	ledger.takeBack("id") // the last one
	ledger.acked("id")
	if got := arrivals(l); len(got) != 0 {
		t.Errorf("the ack of the first refusal is taken for one of %v", got)
	}
	ledger.acked("id")
	if got := arrivals(l); !slices.Equal(got, []int64{7}) || len(ledger.sent) != 0 {
		t.Errorf("arrived: %v, %d ids left", got, len(ledger.sent))
	}
	ledger.note("other", nil, 0)
	if ledger.takeBack("other"); len(ledger.sent) != 0 {
		t.Errorf("%d ids left", len(ledger.sent))
	}
}

func TestALedgerIsBounded(t *testing.T) {
	ledger, l := newLedger(), newLane(1, nil)
	for i := range int64(10) {
		ledger.note("kept-"+strconv.FormatInt(i, 10), l, i)
	}
	for i := range maxSent * 3 { // refusals that the site does not acknowledge make room for each other
		if !ledger.note(strconv.Itoa(i), nil, 0) {
			t.Fatalf("no room for refusal %d", i)
		}
	}
	if n := len(ledger.sent); n > maxSent {
		t.Errorf("%d ids", n)
	}
	for i := range int64(10) {
		ledger.acked("kept-" + strconv.FormatInt(i, 10))
	}
	if got := arrivals(l); len(got) != 10 {
		t.Errorf("arrived: %v", got)
	}
	for i := 0; ledger.note("parcel-"+strconv.Itoa(i), l, int64(i)); i++ {
		if i > maxSent {
			t.Fatal("parcels without end")
		}
	}
}
