// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

func TestTicketStats(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		old := request("old", 99)
		old.ReadAt = epoch.Add(-48 * time.Hour)
		admit(t, s, old)
		for i := range int64(5) { // settled a second after the epoch, and read after 1, 2, ... minutes
			addDirect(t, s, 100+i)
			inTx(t, s, func(tx Tx) error {
				name := fmt.Sprintf("ticket_tg_%d", i+1)
				at := epoch.Add(time.Second + time.Duration(i+1)*time.Minute)
				return errors.Join(tx.SetStatus(StatusChange{TicketID: name, Status: ticket.StatusRead, At: at}),
					tx.SetStatus(StatusChange{TicketID: name, Status: ticket.StatusClosed, At: at.Add(time.Hour)}))
			})
		}
		admit(t, s, request("a", 1), request("b", 2))
		job := advance(t, s, group, nil, true)
		for job.Ticket.ID != "ticket_site_1" {
			job = advance(t, s, group, sent(job, 1), true)
		}
		advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, At: epoch, Failure: "no"}, false)
		stats := func() {
			got, err := s.TicketStats(t.Context(), epoch.Add(-time.Hour))
			want := TicketStats{ByStatus: map[ticket.Status]int{ticket.StatusClosed: 5, ticket.StatusNew: 2},
				BySource: map[ticket.Source]int{ticket.SourceTelegram: 5, ticket.SourceSite: 2}, Failed: 1, Open: 3, FirstReaction: 3 * time.Minute}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		}
		stats()
		if err := s.writer.write(t.Context(), func(*txn) error { stats(); return nil }); err != nil { // it needs no writer
			t.Error(err)
		}
	})
}
