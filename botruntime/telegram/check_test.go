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
		"all is well":   {func(*world) {}, "+token +chat +rights +updates", `@feedback_sim_bot`},
		"wrong token":   {func(w *world) { w.cfg.Token = "99:OTHER" }, "-token", "BotFather"},
		"no token":      {func(w *world) { w.cfg.Token = "hello" }, "-token", "BotFather"},
		"unknown chat":  {func(w *world) { w.cfg.ChatID = -100 }, "+token -chat +updates", "add the bot to the group"},
		"removed":       {func(w *world) { _ = w.AddChat(sim.Chat{ID: group, BotStatus: sim.Kicked}) }, "+token -chat +updates", "add it to the group"},
		"muted":         {func(w *world) { _ = w.AddChat(sim.Chat{ID: group, BotStatus: sim.Restricted, Muted: true}) }, "+token +chat -rights +updates", "let it send messages"},
		"migrated":      {func(w *world) { _ = w.Migrate(group, -1007) }, "+token -chat +updates", `set spec.telegram.chatID to`},
		"a running bot": {func(w *world) { w.start(); settle(time.Second) }, "+token +chat +rights -updates", "right now"},
		"unreachable":   {func(w *world) { _ = w.SetFaults(sim.Fault{Kind: sim.FaultBadGateway}) }, "-token", "HTTP 502"},
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
