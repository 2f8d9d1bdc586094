// SPDX-License-Identifier: Apache-2.0

package wire

import "math"

const (
	// MaxNameLen bounds the type, id and nonce of a frame, in code points.
	MaxNameLen = 200

	// maxIntDigits is CPython's sys.get_int_max_str_digits(): json.loads raises
	// for a longer integer.
	maxIntDigits = 4300
)

// Limits bounds what a document may hold. A field that is not positive stands
// for its default.
type Limits struct {
	MaxBytes  int // length of the document in bytes; at most 2 GiB - 1
	MaxDepth  int // levels of nesting; a scalar has none, {} has one
	MaxValues int // values of any kind, containers included, keys not
}

// DefaultLimits are the protocol's: 1 MiB, 64 levels, and 100,000 values.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 1 << 20, MaxDepth: 64, MaxValues: 100_000}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	if l.MaxBytes > 0 {
		d.MaxBytes = min(l.MaxBytes, math.MaxInt32) // offsets are kept in 32 bits
	}
	if l.MaxDepth > 0 {
		d.MaxDepth = l.MaxDepth
	}
	if l.MaxValues > 0 {
		d.MaxValues = l.MaxValues
	}
	return d
}
