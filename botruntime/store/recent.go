// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"slices"
	"sync"
)

// maxRecent bounds the results that are kept in memory.
const maxRecent = 4096

// recent has the results that became due lately, so that those who send them need not read them back. It has all of them
// from behind a number on; where somebody asks for earlier ones, the database is read.
type recent struct {
	mu      sync.Mutex
	from    int64
	results []Result // by Seq
}

// add takes the newest results.
func (r *recent) add(results []Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, results...)
	if excess := len(r.results) - maxRecent; excess > 0 {
		r.drop(excess)
	}
}

// drop forgets the first results; under the lock.
func (r *recent) drop(n int) {
	if n == 0 {
		return
	}
	r.from = r.results[n-1].Seq
	if r.results = slices.Delete(r.results, 0, n); len(r.results) == 0 {
		r.results = nil
	}
}

// confirm forgets results up to a Seq.
func (r *recent) confirm(upTo int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(r.position(upTo))
}

// reset forgets all results, up to a number.
func (r *recent) reset(upTo int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from, r.results = max(r.from, upTo), nil
}

// between returns at most limit results from behind after up to until; ok is false where not all of them are here.
func (r *recent) between(after, until int64, limit int) (results []Result, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if after < r.from {
		return nil, false
	}
	first, end := r.position(after), r.position(until)
	end = max(first, min(end, first+limit))
	return slices.Clone(r.results[first:end]), true
}

// position is that of the first result behind a number; under the lock.
func (r *recent) position(seq int64) int {
	i, _ := slices.BinarySearchFunc(r.results, seq+1, func(r Result, seq int64) int { return cmp.Compare(r.Seq, seq) })
	return i
}
