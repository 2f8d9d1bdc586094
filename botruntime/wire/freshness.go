// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"time"
)

// fresh says whether |now - ts| <= ttl, for any ts at all.
func fresh(ts int64, now time.Time, ttl time.Duration) bool {
	seconds := now.Unix()
	whole := int64(ttl/time.Second) + 1
	if ts < seconds-whole || ts > seconds+whole {
		return false // and the difference below cannot overflow
	}
	return now.Sub(time.Unix(ts, 0)).Abs() <= ttl
}

// NonceTTL is how long a nonce has to be remembered: 2 x ttl, because a frame
// that was sent ttl early by the site's clock passes until ttl after it.
func NonceTTL(ttl time.Duration) time.Duration {
	if ttl > math.MaxInt64/2 {
		return math.MaxInt64
	}
	return 2 * ttl
}
