// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/django"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// oldBot is the directory of a bot that is to be replaced.
func oldBot(w *world.World) (dir string) {
	w.T.Helper()
	token, err := django.Token(w.SigningKey, nil)
	fatal(w.T, err)
	dir = w.T.TempDir()
	fatal(w.T, os.Mkdir(filepath.Join(dir, "logs"), 0o700))
	for name, text := range map[string]string{
		".env": fmt.Sprintf("TELEGRAM_BOT_TOKEN=%s\nFEEDBACK_TELEGRAM_CHANNEL_ID=%d\nSITE_WS_URL=%s?token=%s\nHMAC_SECRET=%s\nSITE_ADMIN_URL=https://shop.test/admin/\n",
			w.Token, world.Group, w.SiteURL, token, w.HMACKey),
		"logs/ticket_counter.json": `{"site": 40, "tg": 811, "last_updated": "2026-01-31T12:00:00"}`,
		"logs/rate_limit.json":     `{}`,
	} {
		fatal(w.T, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// migrating are the commands of docs/migrating.md, in the blocks that have these words, for the bot in a directory and the peers of a test.
func migrating(w *world.World, dir string, words ...string) string {
	w.T.Helper()
	return "cd " + dir + "; " + strings.NewReplacer("cd /srv/feedback-bot", "", "kubectl create namespace support", "",
		"  site:\n", "  site:\n    allowInsecure: true\n", "  telegram:\n", "  telegram:\n    allowInsecure: true\n    apiURL: "+w.APIURL+"\n",
		"support", w.Namespace, "shop", w.Name).Replace(documented(w.T, "migrating.md", words...))
}

// What the page on migrating says, to the letter, and back: numbers go on, buttons under old posts work, and no bot works before it is told to.
func TestTheOldBotIsReplacedAsDocumented(t *testing.T) {
	w := world.New(t)
	dir := oldBot(w)
	old, err := w.Telegram.AddMessage(telegram.Message{ChatID: world.Group, Text: "НОВОЕ ОБРАЩЕНИЕ ticket_tg_811\n\n#bug #new",
		Buttons: [][]telegram.Button{{{Text: "В работе", CallbackData: ticket.CallbackData("ticket_tg_811", ticket.StatusInProgress)}}}})
	fatal(t, err)

	shell(w, migrating(w, dir, ". ./.env", "suspend: true"))
	w.WaitCondition(v1alpha1.ConditionCredentialsReady, metav1.ConditionTrue, "", time.Minute)
	if pods := botPods(w); len(pods) > 0 {
		t.Errorf("%d bots run beside the old one", len(pods))
	}
	if out := shell(w, migrating(w, dir, "ticket_counter.json rate_limit.json")); !strings.Contains(out, "812") {
		t.Errorf("the import does not say what the next number is:\n%s", out)
	}
	shell(w, migrating(w, dir, `"suspend":false`))

	press, err := w.Telegram.Press(world.Group, old, "status_ticket_tg_811_in_progress", telegram.User{ID: 1001, FirstName: "Support", Username: "support_desk"})
	fatal(t, err)
	world.Eventually(t, time.Minute, "the old post is changed", func() (bool, string) {
		m, _ := w.Telegram.Message(world.Group, old)
		return m.Edited && strings.Contains(m.Text, "#in_progress"), m.Text
	})
	if answer, ok := w.Telegram.CallbackAnswer(press); !ok || answer.Text == "" {
		t.Errorf("the press was answered with %+v", answer)
	}
	if r := w.Result(w.Send(41, "from the site"), 15*time.Second); !r.OK || postsOf(w, "ticket_site_41") != 1 {
		t.Errorf("a feedback of the site's: %+v", r)
	}
	if post := writesFeedback(w, telegram.User{ID: 2001, FirstName: "Writer"}); !strings.Contains(post.Text, "ticket_tg_812") {
		t.Errorf("the numbers do not go on:\n%s", post.Text)
	}

	shell(w, migrating(w, dir, `"suspend":true`))
	if pods := botPods(w); len(pods) > 0 {
		t.Errorf("%d bots run beside the old one that is back", len(pods))
	}

	shell(w, migrating(w, dir, `"suspend":false`))
	if r := w.Result(w.Send(42, "from the site, after all"), 15*time.Second); !r.OK {
		t.Errorf("a feedback after there and back: %+v", r)
	}
}

func botPods(w *world.World) []corev1.Pod {
	w.T.Helper()
	return world.Pods(w.T, w.Namespace, client.MatchingLabels{"app.kubernetes.io/name": "feedbackbridge-bot"})
}

// writesFeedback has a person write feedback in a direct message, and returns its post.
func writesFeedback(w *world.World, who telegram.User) telegram.Message {
	w.T.Helper()
	asked := func(after int) (question telegram.Message) {
		world.Eventually(w.T, time.Minute, "the bot's question", func() (bool, string) {
			all := w.Telegram.Messages(who.ID)
			for _, m := range all {
				if m.ID > after && m.From.IsBot {
					question = m
				}
			}
			return question.ID != 0, fmt.Sprintf("%d messages", len(all))
		})
		return question
	}
	says := func(text string) int {
		id, err := w.Telegram.Write(telegram.Incoming{ChatID: who.ID, By: who, Text: text})
		fatal(w.T, err)
		return id
	}
	asked(says("/feedback"))
	categories := asked(says("/skip"))
	_, err := w.Telegram.Press(who.ID, categories.ID, "cat_bug", who)
	fatal(w.T, err)
	asked(categories.ID)
	says("The map does not open. " + world.SecretText)
	return posted(w, "The map does not open.")
}
