// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"testing"
	"time"
)

func TestFresh(t *testing.T) {
	const ttl = 45 * time.Second
	now := time.Unix(testTS, 0)
	for name, c := range map[string]struct {
		ts   int64
		now  time.Time
		ttl  time.Duration
		want bool
	}{
		"now":                      {testTS, now, ttl, true},
		"as old as allowed":        {testTS - 45, now, ttl, true},
		"as early as allowed":      {testTS + 45, now, ttl, true},
		"a nanosecond too old":     {testTS - 45, now.Add(1), ttl, false},
		"a nanosecond too early":   {testTS + 45, now.Add(-1), ttl, false},
		"a second too old":         {testTS - 46, now, ttl, false},
		"milliseconds for ts":      {testTS * 1000, now, ttl, false},
		"the smallest ts":          {math.MinInt64, now, ttl, false},
		"the largest ts":           {math.MaxInt64, now, ttl, false},
		"before the epoch":         {-10, time.Unix(-20, 0), ttl, true},
		"fraction of a second":     {testTS, now.Add(1500 * time.Millisecond), 1500 * time.Millisecond, true},
		"no ttl, at once":          {testTS, now, 0, true},
		"no ttl, later":            {testTS, now.Add(1), 0, false},
		"negative ttl":             {testTS, now, -1, false},
		"the longest ttl":          {testTS - 1e9, now, math.MaxInt64, true},
		"longest ttl, smallest ts": {math.MinInt64, now, math.MaxInt64, false},
		"longest ttl, largest ts":  {math.MaxInt64, now, math.MaxInt64, false},
	} {
		if got := fresh(c.ts, c.now, c.ttl); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// For as long as a frame passes, from the first moment to the last, its nonce
// has to be remembered.
func TestNonceTTL(t *testing.T) {
	const ttl = 45 * time.Second
	first := time.Unix(testTS, 0).Add(-ttl)
	last := first.Add(NonceTTL(ttl))
	if !fresh(testTS, first, ttl) || !fresh(testTS, last, ttl) || fresh(testTS, last.Add(1), ttl) {
		t.Errorf("NonceTTL(%v) = %v", ttl, NonceTTL(ttl))
	}
	if got := NonceTTL(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("NonceTTL(max) = %v", got)
	}
}
