// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

func TestTicketFromRequestToConfirmedResult(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		if got := admit(t, s, request("a", 123)); got[0] != Accepted {
			t.Fatalf("verdict: %v", got)
		}
		if ids := due(t, s); len(ids) != 0 {
			t.Fatalf("a result is due before the ticket was posted: %v", ids)
		}
		job := advance(t, s, group, nil, true)
		if job.Kind != JobPost || job.Ticket.ID != "ticket_site_123" || job.Ticket.Message != "message of a" || job.MaybeSent {
			t.Fatalf("job: %+v", job)
		}
		if next := advance(t, s, group, sent(job, 456), true); next != nil {
			t.Fatalf("a second job: %+v", next)
		}
		s = l.reopen(s)
		results, err := s.DueResults(t.Context(), 0, 10)
		if len(results) != 1 {
			t.Fatalf("%d results", len(results))
		}
		want := []Result{{Seq: results[0].Seq, RequestID: "a", Signature: wire.Signature{KeyID: "key", Form: wire.FormASCII},
			TicketID: "ticket_site_123", MessageID: 456, SentAt: epoch.Add(time.Second)}}
		if diff := cmp.Diff(want, results); err != nil || diff != "" {
			t.Fatalf("due results: %v %s", err, diff)
		}
		if err := s.ConfirmResults(t.Context(), results[0].Seq); err != nil {
			t.Fatal(err)
		}
		if ids := due(t, s); len(ids) != 0 {
			t.Fatalf("still due after the site has it: %v", ids)
		}
		if got := s.Counts(); got != (Counts{Received: 1, Posted: 1, LastPosted: epoch.Add(time.Second)}) {
			t.Fatalf("counts: %+v", got)
		}
	})
}

func TestRepeatsAndReplays(t *testing.T) {
	replay := request("other", 9)
	replay.Nonce = "nonce-a"
	late := replay
	late.ReadAt = epoch.Add(91 * time.Second)
	again := request("a", 1)
	again.Nonce = "fresh"
	again.Signature.KeyID = "new-key"
	for _, tc := range []struct {
		name     string
		then     Request
		want     Verdict
		wantDue  []string
		wantJobs int
	}{
		{"another request for another ticket", request("b", 2), Accepted, []string{"a"}, 1},
		{"the same frame", request("a", 1), Repeated, []string{"a"}, 0},
		{"the same id, signed afresh", again, Repeated, []string{"a"}, 0},
		{"the same feedback under another id", request("b", 1), Repeated, []string{"a", "b"}, 0},
		{"the same nonce under another id", replay, Replayed, []string{"a"}, 0},
		{"the same nonce after its time", late, Accepted, []string{"a"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			each(t, func(t *testing.T, l *lab) {
				s := l.open()
				admit(t, s, request("a", 1))
				advance(t, s, group, sent(advance(t, s, group, nil, true), 456), false)
				if got := admit(t, s, tc.then); got[0] != tc.want {
					t.Errorf("verdict %v, want %v", got[0], tc.want)
				}
				if diff := cmp.Diff(tc.wantDue, due(t, s)); diff != "" {
					t.Errorf("due: %s", diff)
				}
				if job := advance(t, s, group, nil, true); (job != nil) != (tc.wantJobs > 0) {
					t.Errorf("job: %+v", job)
				}
			})
		})
	}
}

func TestARepeatWhileTheTicketWaitsIsAnsweredWithIt(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		if got := admit(t, s, request("a", 1), request("b", 1), request("a", 1)); !cmp.Equal(got, []Verdict{Accepted, Repeated, Repeated}) {
			t.Fatalf("verdicts: %v", got)
		}
		advance(t, s, group, sent(advance(t, s, group, nil, true), 7), false)
		if got := due(t, s); !cmp.Equal(got, []string{"a", "b"}) {
			t.Fatalf("due: %v", got)
		}
	})
}

func TestARepeatIsAnsweredBySignatureOfTheRepeat(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		again := request("a", 1)
		again.Nonce, again.Signature = "fresh", wire.Signature{KeyID: "next", Form: wire.FormUTF8}
		admit(t, s, again)
		advance(t, s, group, sent(advance(t, s, group, nil, true), 7), false)
		results, err := s.DueResults(t.Context(), 0, 10)
		if err != nil || len(results) != 1 || results[0].Signature != again.Signature {
			t.Fatalf("results: %+v %v", results, err)
		}
	})
}

func TestTicketNames(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 0), request("b", 2), request("c", 0), request("d", 3), request("e", 1))
		var names []string
		for job := advance(t, s, group, nil, true); job != nil; job = advance(t, s, group, sent(job, 1), true) {
			names = append(names, job.Ticket.ID)
		}
		// The counter gives 1; 2 is a feedback's, so the counter goes on to 3; that takes the name of feedback 3, and so on.
		want := []string{"ticket_site_1", "ticket_site_2", "ticket_site_3", "ticket_site_4", "ticket_site_5"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAClaimWithoutAnEndMayHaveBeenSent(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		advance(t, s, group, nil, true)
		s = l.reopen(s)
		job := advance(t, s, group, nil, true)
		if !job.MaybeSent {
			t.Fatal("a job that was claimed before the crash is not marked")
		}
		if job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Unsure}, true); !job.MaybeSent {
			t.Fatal("it lost its mark on the way")
		}
		advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Released}, false)
		if job = advance(t, s, group, nil, true); job.MaybeSent {
			t.Fatal("a released job is still marked")
		}
	})
}

func TestARefusedTicketAnswersWhy(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		job := advance(t, s, group, nil, true)
		advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "text is empty", At: epoch}, false)
		results, err := s.DueResults(t.Context(), 0, 1)
		if err != nil || len(results) != 1 || results[0].Failure != "text is empty" || results[0].MessageID != 0 {
			t.Fatalf("results: %+v %v", results, err)
		}
		if got := s.Counts(); got.Failed != 1 || got.Pending != 0 {
			t.Fatalf("counts: %+v", got)
		}
	})
}

func TestOutboxOrderAndCollapsingEdits(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		saveUpdates(t, s, 1, 2)
		edit := func(update, message int64, payload string) {
			t.Helper()
			handle(t, s, update, func(tx Tx) error {
				return errors.Join(tx.Edit(Edit{ChatID: group, MessageID: message, Payload: []byte(payload)}),
					tx.Send(Outgoing{ChatID: group, Payload: []byte("answer " + payload)}))
			})
		}
		edit(1, 10, "first")
		edit(2, 10, "second")
		edit(2, 10, "an update that is finished has no effects again")
		var got []string
		for job := advance(t, s, group, nil, true); job != nil; job = advance(t, s, group, sent(job, 1), true) {
			got = append(got, fmt.Sprintf("%s %s", job.Kind, job.Payload))
		}
		want := []string{"message answer first", "message answer second", "post ", "edit second"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAnEditReplacedWhileItIsSentIsSentAgain(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		edit := func(p string) {
			inTx(t, s, func(tx Tx) error { return tx.Edit(Edit{ChatID: group, MessageID: 5, Payload: []byte(p)}) })
		}
		edit("old")
		old := advance(t, s, group, nil, true)
		edit("new")
		if job := advance(t, s, group, sent(old, 5), true); job == nil || string(job.Payload) != "new" {
			t.Fatalf("job: %+v", job)
		}
	})
}

func TestUpdatesWaitUntilTheyAreFinished(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		if offset, err := s.NextOffset(t.Context()); err != nil || offset != 0 {
			t.Fatalf("offset of an empty store: %d %v", offset, err)
		}
		for range 2 {
			if err := s.SaveUpdates(t.Context(), []Update{{ID: 7, Payload: []byte("seven")}, {ID: 8, Payload: []byte("eight")}}); err != nil {
				t.Fatal(err)
			}
		}
		handle(t, s, 7, func(Tx) error { return nil })
		s = l.reopen(s)
		got, err := s.PendingUpdates(t.Context(), 0, 10)
		if diff := cmp.Diff([]Update{{ID: 8, Payload: []byte("eight")}}, got); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
		if offset, err := s.NextOffset(t.Context()); err != nil || offset != 9 {
			t.Fatalf("offset: %d %v", offset, err)
		}
		s.opts.Now = func() time.Time { return epoch.Add(25 * time.Hour) }
		if offset, err := s.NextOffset(t.Context()); err != nil || offset != 0 {
			t.Fatalf("offset after a day without updates: %d %v", offset, err)
		}
		mustClose(t, s)
	})
}

func TestTicketsThatWaitFollowTheChat(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		mustClose(t, s)
		l.opts.Route = func(string) (chatID, threadID int64) { return -2002, 7 }
		s = l.open()
		if job := advance(t, s, -2002, nil, true); job == nil || job.ThreadID != 7 {
			t.Fatalf("job: %+v", job)
		}
	})
}

func TestOnlyOneBotWorksWithAStore(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		l.open()
		if _, err := Open(t.Context(), l.opts); !errors.Is(err, ErrInUse) {
			t.Fatalf("second open: %v", err)
		}
	})
}

func TestANewerStoreIsLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		if err := s.writer.write(t.Context(), func(tx *txn) error {
			_, err := tx.exec(fmt.Sprintf(s.engine.schema().note, 1000))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
		if s, err := Open(t.Context(), l.opts); err == nil {
			mustClose(t, s)
			t.Fatal("a store of a newer bot was opened")
		}
	})
}
