// SPDX-License-Identifier: Apache-2.0

package wire

import "sync"

// maxScratch is how much scratch, in elements of a slice, is worth keeping.
const maxScratch = 1 << 14

// buffer is scratch for canonical JSON that is only hashed.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func getBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) release() {
	if cap(b.b) <= maxScratch {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}
