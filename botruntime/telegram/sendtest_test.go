// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestATestMessageIsPostedInTheSpecsLanguageAndIsNoTicket(t *testing.T) {
	for language, begin := range map[string]string{"ru": "Проверка связи:", "en": "Connection test:"} {
		t.Run(language, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Limits{})
				defer w.end()
				w.cfg.Language = language
				w.start()
				synctest.Wait()
				posted, err := w.bot.SendTest(t.Context(), "after the move,\n <b>second</b> try")
				if err != nil {
					t.Fatal(err)
				}
				messages := w.Messages(group)
				if len(messages) != 1 || posted.ChatID != group || posted.MessageID != int64(messages[0].ID) {
					t.Fatalf("posted %+v, in the chat: %+v", posted, messages)
				}
				text := messages[0].Text
				if !strings.HasPrefix(text, begin) || !strings.HasSuffix(text, "\n\nafter the move, <b>second</b> try") {
					t.Errorf("text: %q", text)
				}
				if c := w.store.Counts(); c.Received != 0 || len(w.results()) != 0 {
					t.Errorf("the store knows of it: %+v", c)
				}
			})
		})
	}
}

func TestARefusedTestMessageSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Limits{})
		defer w.end()
		w.start()
		synctest.Wait()
		if err := w.AddChat(sim.Chat{ID: group, Title: "Feedback group", BotStatus: sim.Kicked}); err != nil {
			t.Fatal(err)
		}
		_, err := w.bot.SendTest(t.Context(), "")
		var refused *TestError
		if !errors.As(err, &refused) || refused.Reason != v1alpha1.ReasonNoRights || !strings.Contains(refused.Message, "add it to the group") {
			t.Errorf("got %v", err)
		}
	})
}

func TestATestMessageKeepsToTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := Limit{Messages: 2, Window: time.Minute}
		w := newWorld(t, sim.Limits{})
		defer w.end()
		w.cfg.Limits = Limits{PerChat: limit}
		w.start()
		w.admit(counted(2)...)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var refused *TestError
		if _, err := w.bot.SendTest(ctx, ""); !errors.As(err, &refused) || refused.Reason != v1alpha1.ReasonRateLimited {
			t.Errorf("with no room left: %v", err)
		}
		began := time.Now()
		if _, err := w.bot.SendTest(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited < 45*time.Second || waited > time.Minute {
			t.Errorf("waited %s for a place in the limit's window", waited)
		}
	})
}
