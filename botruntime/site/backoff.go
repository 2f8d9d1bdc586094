// SPDX-License-Identifier: Apache-2.0

package site

import "time"

const (
	// healthyAfter is how long a connection has to live to be a good one.
	healthyAfter = time.Minute

	firstDelay   = time.Second
	longestDelay = 2 * time.Minute
	// refusedDelay is the shortest wait after the site refused the credentials: asking faster would be hammering.
	refusedDelay = 30 * time.Second
)

// delay is how long to wait before the next dial. failures counts the dials and connections in a row that brought no
// minute of health, 0 after one that did; refused says that the last one ended because of the credentials. jitter, in
// [0, 1), spreads clients out: exponential back-off with full jitter.
func delay(failures int, refused bool, jitter float64) time.Duration {
	shortest, ceiling := time.Duration(0), doubled(firstDelay, failures-1)
	switch {
	case refused:
		shortest, ceiling = refusedDelay, doubled(refusedDelay, max(failures, 1))
	case failures <= 0:
		return 0
	}
	return shortest + time.Duration(jitter*float64(ceiling-shortest))
}

// doubled is d doubled n times, longestDelay at most.
func doubled(d time.Duration, n int) time.Duration {
	for ; n > 0 && d < longestDelay; n-- {
		d *= 2
	}
	return min(d, longestDelay)
}
