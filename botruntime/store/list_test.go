// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// withTickets is a store with a posted ticket (1), one that Telegram refused (2), and two that wait (3, 4).
func withTickets(t *testing.T, l *lab) *Store {
	t.Helper()
	s := l.open()
	admit(t, s, request("a", 1), request("b", 2), request("c", 3), request("d", 4))
	job := advance(t, s, group, nil, true)
	job = advance(t, s, group, sent(job, 71), true)
	advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, At: epoch.Add(2 * time.Second), Failure: "message is too long"}, false)
	return s
}

func TestTicketsAreListedWithoutWhatPeopleWrote(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := withTickets(t, l)
		posted := TicketInfo{ID: "ticket_site_1", FeedbackID: 1, State: StatePosted, Status: ticket.StatusNew, Category: "bug",
			ReceivedAt: epoch, SettledAt: epoch.Add(time.Second), ChatID: group, MessageID: 71}
		failed := TicketInfo{ID: "ticket_site_2", FeedbackID: 2, State: StateFailed, Status: ticket.StatusNew, Category: "bug",
			ReceivedAt: epoch, SettledAt: epoch.Add(2 * time.Second), ChatID: group, Failure: "message is too long"}
		third := TicketInfo{ID: "ticket_site_3", FeedbackID: 3, State: StatePending, Status: ticket.StatusNew, Category: "bug", ReceivedAt: epoch,
			ChatID: group}
		fourth := third
		fourth.ID, fourth.FeedbackID = "ticket_site_4", 4
		for name, c := range map[string]struct {
			filter Filter
			want   TicketList
		}{
			"all, the newest first": {Filter{Limit: 20}, TicketList{[]TicketInfo{fourth, third, failed, posted}, 4}},
			"a part of them":        {Filter{Limit: 1}, TicketList{[]TicketInfo{fourth}, 4}},
			"those that wait":       {Filter{State: StatePending, Limit: 20}, TicketList{[]TicketInfo{fourth, third}, 2}},
			"those refused":         {Filter{State: StateFailed, Limit: 20}, TicketList{[]TicketInfo{failed}, 1}},
		} {
			t.Run(name, func(t *testing.T) {
				got, err := s.ListTickets(t.Context(), c.filter)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				if l.opts.Dir == "" {
					return
				}
				if got, err = ListTickets(t.Context(), l.opts.Dir, c.filter); err != nil || !cmp.Equal(c.want, got) {
					t.Errorf("beside the bot: %v %s", err, cmp.Diff(c.want, got))
				}
			})
		}
	})
}

func TestListingLeavesTheStoreAsItIs(t *testing.T) {
	for name, running := range map[string]bool{"while a bot works in it": true, "of a bot that stopped": false} {
		t.Run(name, func(t *testing.T) {
			l := inDirectory(t)
			dir, s := l.opts.Dir, withTickets(t, l)
			if !running {
				mustClose(t, s)
			}
			before := contents(t, dir)
			if _, err := ListTickets(t.Context(), dir, Filter{Limit: 20}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
				t.Errorf("files changed: %s", diff)
			}
			if running {
				admit(t, s, request("e", 5)) // the bot goes on
			}
		})
	}
}

// contents are the hashes of the files of a store that survive its bot. SQLite's -shm is no such file: readers note there
// that they read.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{fileName, fileName + "-wal", "lock"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if len(data) > 0 {
			out[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		}
	}
	return out
}

func TestListingWithoutAStoreMakesNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := ListTickets(t.Context(), dir, Filter{Limit: 1}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("want that there is none, got %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

func TestListingEndsWithItsContext(t *testing.T) {
	l := inDirectory(t)
	dir := l.opts.Dir
	mustClose(t, withTickets(t, l))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ListTickets(ctx, dir, Filter{Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
