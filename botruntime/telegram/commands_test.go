// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// shownMenu is what Telegram shows of a menu.
func (w *world) shownMenu(scope sim.CommandScope, language string) string {
	var out []string
	for _, c := range w.Commands(scope, language) {
		out = append(out, c.Command+": "+c.Description)
	}
	return strings.Join(out, ", ")
}

// calls counts calls of a method.
func (w *world) calls(method string) (n int) {
	for _, r := range w.Requests(0) {
		if strings.EqualFold(r.Method, method) {
			n++
		}
	}
	return n
}

func TestMenusOfCommands(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.cfg.Intake = testIntake
		w.cfg.Routes = []Route{{Category: "bug", ChatID: anotherGroup}, {Category: "wish", ChatID: group, ThreadID: 5}}
		if err := w.AddChat(sim.Chat{ID: anotherGroup, Title: "Bugs"}); err != nil {
			t.Fatal(err)
		}
		w.start()
		settle(time.Second)
		private := sim.CommandScope{Type: "all_private_chats"}
		const ru = "feedback: Написать обращение, status: Мои обращения, cancel: Прервать обращение, help: Справка"
		const en = "feedback: Write feedback, status: My tickets, cancel: Stop writing, help: Help"
		for language, want := range map[string]string{"": ru, "ru": ru, "en": en, "de": ""} {
			if got := w.shownMenu(private, language); got != want {
				t.Errorf("to people who speak %q: %s", language, got)
			}
		}
		for _, chat := range []int64{group, anotherGroup} {
			got := w.shownMenu(sim.CommandScope{Type: "chat_administrators", ChatID: chat}, "")
			if !strings.HasPrefix(got, "open: Открытые обращения, ticket: ") || !strings.HasSuffix(got, "help: Справка") {
				t.Errorf("to administrators of %d: %s", chat, got)
			}
		}
		if n := w.calls("setMyCommands"); n != 5 {
			t.Errorf("%d menus were written, want 5", n)
		}
		w.restart()
		settle(time.Second)
		if n := w.calls("setMyCommands"); n != 5 {
			t.Errorf("%d menus were written after a restart: nothing had changed", n-5)
		}
		w.SetToken("123456:ANOTHER-ONE")
		if err := w.bot.SetToken("123456:ANOTHER-ONE"); err != nil {
			t.Fatal(err)
		}
		w.cfg.Token = "123456:ANOTHER-ONE"
		settle(time.Second)
		if n := w.calls("getMyCommands"); n != 15 {
			t.Errorf("the menus were looked at %d times, want 5 a start and 5 a token", n)
		}
	})
}

func TestMenusAreRegisteredOnceTelegramIsThere(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.cfg.Intake.Enabled = false
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultBadGateway, Methods: []string{"setMyCommands"}}); err != nil {
			t.Fatal(err)
		}
		w.start()
		settle(time.Minute)
		if err := w.SetFaults(); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Minute)
		if got := w.shownMenu(sim.CommandScope{Type: "all_private_chats"}, "en"); got != "start: About the bot, help: Help" {
			t.Errorf("the menu is %q", got)
		}
	})
}
