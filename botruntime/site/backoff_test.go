// SPDX-License-Identifier: Apache-2.0

package site

import (
	"math"
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	almostOne := math.Nextafter(1, 0)
	for _, test := range []struct {
		name              string
		failures          int
		refused           bool
		shortest, longest time.Duration
	}{
		{"at once after a good connection", 0, false, 0, 0},
		{"first failure", 1, false, 0, time.Second},
		{"second failure", 2, false, 0, 2 * time.Second},
		{"seventh failure", 7, false, 0, 64 * time.Second},
		{"capped", 8, false, 0, 2 * time.Minute},
		{"does not overflow", math.MaxInt, false, 0, 2 * time.Minute},
		{"refused after a good connection", 0, true, 30 * time.Second, time.Minute},
		{"refused", 1, true, 30 * time.Second, time.Minute},
		{"refused again", 2, true, 30 * time.Second, 2 * time.Minute},
		{"refused many times", math.MaxInt, true, 30 * time.Second, 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := delay(test.failures, test.refused, 0); got != test.shortest {
				t.Errorf("without jitter: %v, want %v", got, test.shortest)
			}
			got := delay(test.failures, test.refused, almostOne)
			if got > test.longest || test.longest-got > time.Millisecond {
				t.Errorf("with full jitter: %v, want just under %v", got, test.longest)
			}
		})
	}
}
