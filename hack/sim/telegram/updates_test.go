// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestGetUpdatesOffsets(t *testing.T) {
	for _, tc := range []struct {
		name          string
		offset, limit int // offset relative to the first update; 0 is none
		want, left    int // first of the updates got, by number; how many are left
	}{
		{"without an offset nothing is confirmed", 0, 0, 1, 5},
		{"an offset confirms what is before it", 3, 0, 3, 3},
		{"the limit does not confirm", 3, 1, 3, 3},
		{"an offset past the end confirms all", 9, 0, 0, 0},
		{"a negative offset keeps the last", -2, 0, 4, 2},
		{"a large negative offset keeps all", -50, 0, 1, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSim(t, telegram.Config{})
			for i := range 5 {
				s.say(group, fmt.Sprint("m", i), support)
			}
			all, _ := s.updates(s.call("getUpdates"))
			if len(all) != 5 || !slices.IsSorted(all) {
				t.Fatalf("got %v", all)
			}
			offset := int64(tc.offset)
			if tc.offset > 0 {
				offset += all[0] - 1
			}
			got, _ := s.updates(s.call("getUpdates", "offset", fmt.Sprint(offset), "limit", fmt.Sprint(tc.limit)))
			if tc.want == 0 && len(got) > 0 || tc.want > 0 && (len(got) == 0 || got[0] != all[tc.want-1]) {
				t.Errorf("got %v of %v", got, all)
			}
			if tc.limit > 0 && len(got) != tc.limit {
				t.Errorf("got %d updates", len(got))
			}
			if left := s.Stats().PendingUpdates; left != tc.left {
				t.Errorf("%d left", left)
			}
		})
	}
}

func TestAllowedUpdatesAreRemembered(t *testing.T) {
	s := newSim(t, telegram.Config{})
	s.call("getUpdates", "allowed_updates", `["callback_query"]`)
	s.say(group, "unwanted", support)
	s.call("getUpdates")
	s.say(group, "unwanted", support)
	s.call("getUpdates", "allowed_updates", `[]`)
	s.say(group, "wanted", support)
	if _, kinds := s.updates(s.call("getUpdates")); !slices.Equal(kinds, []string{"message"}) {
		t.Errorf("got %v", kinds)
	}
}

func TestLongPollWakes(t *testing.T) {
	s := newSim(t, telegram.Config{})
	got := poll(s)
	s.until(func() bool { return s.Stats().Polls == 1 })
	s.say(group, "x", support)
	if a := <-got; !a.OK || len(a.Result) < 10 {
		t.Errorf("got %+v", a)
	}
}

// poll starts a long poll.
func poll(s *sim) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(soon(s.t), "getUpdates", "timeout", "50")
		if err != nil {
			a.Description = err.Error()
		}
		got <- a
	}()
	return got
}

func TestTheOlderOfTwoPollersIsTerminated(t *testing.T) {
	s := newSim(t, telegram.Config{})
	older := poll(s)
	s.until(func() bool { return s.Stats().Polls == 1 })
	newer := poll(s)
	s.wants(<-older, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")
	s.until(func() bool { return s.Stats().Polls == 2 })
	s.say(group, "x", support)
	s.wants(<-newer, "")
	if st := s.Stats(); st.Conflicts != 1 || st.Errors[409] != 1 {
		t.Errorf("got %+v", st)
	}
}

func TestAPollerThatLeftTakesNothingAlong(t *testing.T) {
	s := newSim(t, telegram.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := s.try(ctx, "getUpdates", "timeout", "50")
		left <- err
	}()
	s.until(func() bool { return s.Stats().Polls == 1 })
	cancel()
	if err := <-left; err == nil {
		t.Fatal("the poll was answered")
	}
	s.say(group, "x", support)
	if ids, _ := s.updates(s.call("getUpdates", "timeout", "50")); len(ids) != 1 {
		t.Errorf("got %v", ids)
	}
}

func TestWhatTheBotSeesInGroups(t *testing.T) {
	for _, tc := range []struct {
		status, text string
		toBot        bool
		sees         bool
	}{
		{telegram.Administrator, "hello", false, true},
		{telegram.Member, "hello", false, false},
		{telegram.Member, "hello", true, true},
		{telegram.Member, "/help", false, true},
		{telegram.Member, "/help@feedback_sim_bot now", false, true},
		{telegram.Member, "/help@other_bot", false, false},
		{telegram.Kicked, "/help", false, false},
	} {
		s := newSim(t, telegram.Config{})
		s.send("a post")
		if err := s.AddChat(telegram.Chat{ID: group, BotStatus: tc.status}); err != nil {
			t.Fatal(err)
		}
		replyTo := 0
		if tc.toBot {
			replyTo = 1
		}
		if _, err := s.Reply(group, replyTo, tc.text, support); err != nil {
			t.Fatal(err)
		}
		_, kinds := s.updates(s.call("getUpdates"))
		if slices.Contains(kinds, "message") != tc.sees {
			t.Errorf("%+v: got %v", tc, kinds)
		}
	}
}

func TestDropPendingUpdates(t *testing.T) {
	s := newSim(t, telegram.Config{})
	s.say(group, "x", support)
	s.wants(s.call("deleteWebhook"), "")
	if n := s.Stats().PendingUpdates; n != 1 {
		t.Errorf("%d pending", n)
	}
	s.wants(s.call("deleteWebhook", "drop_pending_updates", "true"), "")
	if n := s.Stats().PendingUpdates; n != 0 {
		t.Errorf("%d pending", n)
	}
}
