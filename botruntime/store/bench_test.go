// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// BenchmarkDelivery is a ticket's whole way through the store: admitted a hundred at a time, claimed and settled one by one,
// and its result read and confirmed, a hundred at a time. It reports the processor's time, of all threads, a ticket.
func BenchmarkDelivery(b *testing.B) {
	for name, lab := range map[string]func(testing.TB) *lab{"sqlite": inDirectory, "postgres": inSchema} {
		b.Run(name, func(b *testing.B) {
			s := lab(b).open()
			batch := make([]Request, 0, 100)
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime(b)
			for n := 0; n < b.N; {
				for batch = batch[:0]; len(batch) < cap(batch) && n < b.N; n++ {
					batch = append(batch, request(fmt.Sprintf("%08x-6a0c-4c1e-9d1f-2b7f0d1c3a55", n*2654435761), int64(n)+1))
				}
				deliver(b, s, batch)
			}
			b.ReportMetric(float64((processorTime(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func deliver(b *testing.B, s *Store, batch []Request) {
	b.Helper()
	admit(b, s, batch...)
	posted := 0
	for job := advance(b, s, group, nil, true); job != nil; job = advance(b, s, group, sent(job, job.Ticket.FeedbackID), true) {
		posted++
	}
	results, err := s.DueResults(b.Context(), 0, 256)
	if err != nil || len(results) != len(batch) || posted != len(batch) {
		b.Fatalf("%d posted, %d results of %d: %v", posted, len(results), len(batch), err)
	}
	if err := s.ConfirmResults(b.Context(), results[len(results)-1].Seq); err != nil {
		b.Fatal(err)
	}
}

// processorTime is what this process has used, of all processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
