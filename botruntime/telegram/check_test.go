// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		prepare func(*world)
		want    string // what is in order (+) and what is not (-)
		says    string
	}{
		"all is well":   {func(*world) {}, "+token +chat +rights +staff +updates", `@feedback_sim_bot`},
		"wrong token":   {func(w *world) { w.cfg.Token = "99:OTHER" }, "-token", "BotFather"},
		"no token":      {func(w *world) { w.cfg.Token = "hello" }, "-token", "BotFather"},
		"unknown chat":  {func(w *world) { w.cfg.ChatID = -100 }, "+token -chat +updates", "add the bot to the group"},
		"removed":       {func(w *world) { _ = w.AddChat(sim.Chat{ID: group, BotStatus: sim.Kicked}) }, "+token -chat +updates", "add it to the group"},
		"muted":         {func(w *world) { _ = w.AddChat(sim.Chat{ID: group, BotStatus: sim.Restricted, Muted: true}) }, "+token +chat -rights +updates", "let it send messages"},
		"migrated":      {func(w *world) { _ = w.Migrate(group, -1007) }, "+token -chat +updates", `set spec.telegram.chatID to`},
		"a running bot": {func(w *world) { w.start(); settle(time.Second) }, "+token +chat +rights +staff -updates", "right now"},
		"topics":        {func(w *world) { asForum(w, sim.Chat{}) }, "+token +chat +rights +topics +staff +updates", "may manage its topics"},
		"no topics": {func(w *world) { w.cfg.Topics = TopicsPerTicket }, "+token +chat +rights -topics +staff +updates",
			"turn topics on in the group"},
		"no right to topics": {func(w *world) { asForum(w, sim.Chat{NoTopicRight: true}) }, "+token +chat +rights -topics +staff +updates",
			"can_manage_topics"},
		"no administrator": {func(w *world) { _ = w.AddChat(sim.Chat{ID: group, BotStatus: sim.Member}) },
			"+token +chat +rights +staff +updates", "replies to colleagues do not reach it"},
		"no administrator, in topics": {func(w *world) { asForum(w, sim.Chat{BotStatus: sim.Member}) },
			"+token +chat +rights -topics -staff +updates", "its privacy mode is on: make the bot an administrator"},
		"no administrator, without privacy mode": {func(w *world) {
			w.SetPrivacy(false)
			_ = w.AddChat(sim.Chat{ID: group, BotStatus: sim.Member})
		}, "+token +chat +rights +staff +updates", "may not tell it who is an administrator"},
		"a route's chat": {func(w *world) {
			w.cfg.Routes = []Route{{Category: "bug", ChatID: -100}, {Category: "wish", ChatID: group}}
		},
			"+token +chat +rights +staff -chat +updates", "no chat -100"},
		"unreachable": {func(w *world) { _ = w.SetFaults(sim.Fault{Kind: sim.FaultBadGateway}) }, "-token", "HTTP 502"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
				tc.prepare(w)
				var got, words []string
				for _, f := range Check(t.Context(), w.cfg, false) {
					got = append(got, map[bool]string{true: "+", false: "-"}[f.OK]+f.What)
					words = append(words, f.Message)
				}
				if fmt.Sprint(got) != "["+tc.want+"]" {
					t.Errorf("found %v, want %s\n%s", got, tc.want, strings.Join(words, "\n"))
				}
				if !strings.Contains(strings.Join(words, "\n"), tc.says) {
					t.Errorf("%q is not said in\n%s", tc.says, strings.Join(words, "\n"))
				}
			})
		})
	}
}

// asForum has the group have topics, and the bot use one for each ticket.
func asForum(w *world, c sim.Chat) {
	c.ID, c.Forum = group, true
	_ = w.AddChat(c)
	w.cfg.Topics = TopicsPerTicket
}
