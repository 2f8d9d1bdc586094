// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// shownIn is what a chat has from a place on: what is attached, and the first line of the words.
func (w *world) shownIn(chatID int64, n int) (out []string) {
	for _, m := range w.Messages(chatID)[n:] {
		first, _, _ := strings.Cut(shown(m), "\n")
		out = append(out, first)
	}
	return out
}

// The files of the site's arrive as what they are: with their contents, or from where Telegram fetches them. The bot itself
// fetches nothing.
func TestFilesOfTheSite(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, w *world) {
		w.reconfigure(func(c *Config) { c.Language = "en" })
		w.start()
		large := bytes.Repeat([]byte{0, 1, 2, 0xff}, 180_000)
		w.admitWith(0, "with files", aPicture, aLog,
			wire.Attachment{Name: `C:\logs\"client" ` + "\r\n" + `log.txt`, MIME: "no type", Content: large},
			wire.Attachment{Name: "a.gif", MIME: "image/gif", URL: "https://site.example/a.gif"},
			wire.Attachment{Name: "/", Content: []byte("x")})
		settle(time.Minute)
		var got []string
		for _, m := range w.Messages(group)[1:] {
			content, _ := w.File(m.Media.FileID)
			if m.Media.URL != "" {
				content = nil
			}
			got = append(got, fmt.Sprintf("%s %s %s %s %d %s", m.Media.Kind, m.Media.FileName, m.Media.MIMEType, m.Media.URL, len(content), m.Text))
			if m.ReplyTo != w.Messages(group)[0].ID {
				t.Errorf("%q answers %d, want the post", shown(m), m.ReplyTo)
			}
		}
		want := []string{
			"photo map.png image/png  18 📎 ticket_site_1", "document log.txt text/plain  4 📎 ticket_site_1",
			`document "client" log.txt application/octet-stream  720000 📎 ticket_site_1`,
			"animation a.gif  https://site.example/a.gif 0 📎 ticket_site_1", "document file application/octet-stream  1 📎 ticket_site_1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, w.logs)
		}
		if content, _ := w.File(w.Messages(group)[3].Media.FileID); !bytes.Equal(content, large) {
			t.Error("the large file arrived with another content")
		}
		if w.Stats().Methods["download"] != 0 {
			t.Error("the bot fetched something")
		}
	})
}

// A file that Telegram does not take is said under the ticket, and holds nothing up. What it does not take for what it is it
// may take as a document.
func TestFilesThatTelegramDoesNotTake(t *testing.T) {
	const refused = "⚠️ A file from the site did not get here: Telegram did not take it (ticket_site_1)."
	noPicture := wire.Attachment{Name: "a.png", MIME: "image/png", Content: []byte("no picture")}
	for _, tc := range []struct {
		what  string
		files []wire.Attachment
		chat  sim.Chat
		fault sim.Fault
		want  []string
	}{
		{"no picture", []wire.Attachment{noPicture, aLog}, sim.Chat{}, sim.Fault{}, []string{"[document] 📎 ticket_site_1", "[document] 📎 ticket_site_1"}},
		{"nothing at the address", []wire.Attachment{aMissingPage, aLog}, sim.Chat{}, sim.Fault{}, []string{"[document] 📎 ticket_site_1", refused}},
		{"only named", []wire.Attachment{{Name: "a", Size: 1 << 22}, aLog}, sim.Chat{}, sim.Fault{},
			[]string{"⚠️ A file is on the site only: the site did not send it along (ticket_site_1).", "[document] 📎 ticket_site_1"}},
		{"a chat that forbids files", []wire.Attachment{aPicture}, sim.Chat{NoMedia: true}, sim.Fault{}, []string{refused}},
		{"too large for Telegram", []wire.Attachment{aLog}, sim.Chat{},
			sim.Fault{Kind: sim.FaultRefused, Methods: []string{"sendDocument"}, Description: "Request Entity Too Large"}, []string{refused}},
		{"no answer, ever", []wire.Attachment{aPicture, aLog}, sim.Chat{}, sim.Fault{Kind: sim.FaultHang, Methods: []string{"sendPhoto"}},
			[]string{"[document] 📎 ticket_site_1", refused}},
		{"no answer for a while", []wire.Attachment{aPicture, aLog}, sim.Chat{}, sim.Fault{Kind: sim.FaultHang, Methods: []string{"sendPhoto"}, Times: 2},
			[]string{"[photo] ⚠️ This may be a repeat: the same message may have come already.", "[document] 📎 ticket_site_1"}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
				tc.chat.ID, tc.chat.Title = group, "Feedback group"
				if err := w.AddChat(tc.chat); err != nil {
					t.Fatal(err)
				}
				if tc.fault.Kind != "" {
					if err := w.SetFaults(tc.fault); err != nil {
						t.Fatal(err)
					}
				}
				w.reconfigure(func(c *Config) { c.Language = "en" })
				w.start()
				w.admitWith(0, "with files", tc.files...)
				settle(20 * time.Minute)
				if diff := cmp.Diff(tc.want, w.shownIn(group, 1)); diff != "" {
					t.Errorf("(-want +got):\n%s\n%s", diff, w.logs)
				}
				w.admit("what follows")
				settle(time.Minute)
				if last := w.last(group); !strings.Contains(last.Text, "what follows") {
					t.Errorf("the last message is %q", last.Text)
				}
				if state, _ := w.health.now(); state != "true Reachable" {
					t.Errorf("health is %s", state)
				}
			})
		})
	}
}

// Where a file can be had, the notice that it is missing leads there.
func TestNoticesLeadToFiles(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admitWith(0, "with a file", aMissingPage)
		settle(time.Minute)
		notice := w.last(group)
		if len(notice.Entities) != 1 || notice.Entities[0].URL != aMissingPage.URL || notice.Preview {
			t.Errorf("the notice: %q %+v", notice.Text, notice.Entities)
		}
	})
}

// Files survive the end of the bot in the middle of them, and the limit on messages holds for them.
func TestFilesOverRestarts(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, w *world) {
		w.reconfigure(func(c *Config) { c.Limits.PerChat = Limit{Messages: 20, Window: time.Minute} })
		w.SetLimits(sim.RealLimits())
		w.start()
		for range 5 {
			w.admitWith(0, "with files", aPicture, aLog, aPicture, aLog, aPicture, aLog)
		}
		for range 4 {
			settle(20 * time.Second)
			w.restart()
		}
		settle(10 * time.Minute)
		if n := len(w.Messages(group)); n != 35 {
			t.Errorf("%d messages\n%s", n, w.logs)
		}
	})
}

// The author's copy of an answer's files goes to the author, and the staff hears of those that do not arrive.
func TestFilesOfAnswers(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		post := w.feedback(author, "The map does not open")
		inGroup, inPrivate := len(w.Messages(group)), len(w.Messages(author.ID))
		w.siteReply("ticket_tg_1", wire.Reply{From: wire.FromStaff, Text: "See", Attachments: []wire.Attachment{aPicture, aMissingPage, {Name: "large.mp4"}}})
		settle(time.Minute)
		want := []string{"Answer on the site to ticket_tg_1", "[photo] 📎 ticket_tg_1", "⚠️ A file from the site did not get here: Telegram did not take it (ticket_tg_1).",
			"⚠️ A file is on the site only: the site did not send it along (ticket_tg_1).",
			"⚠️ A file of the answer did not reach the author of ticket_tg_1: Telegram did not take it."}
		got := w.shownIn(group, inGroup)
		slices.Sort(got[2:]) // what did not reach the author is known in its own time
		slices.Sort(want[2:])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the group has (-want +got):\n%s", diff)
		}
		want = []string{"Reply to your feedback ticket_tg_1", "[photo] 📎 ticket_tg_1"}
		if diff := cmp.Diff(want, w.shownIn(author.ID, inPrivate)); diff != "" {
			t.Errorf("the author has (-want +got):\n%s", diff)
		}
		// What either side answers to a file of the site's goes to the other.
		w.reply(support, w.Messages(group)[inGroup+1].ID, "And this?")
		if m := w.last(author.ID); !strings.HasSuffix(m.Text, "And this?") {
			t.Errorf("the author has %q", m.Text)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, ReplyTo: w.Messages(author.ID)[inPrivate+1].ID, Text: "It does"})
		if m := w.last(group); !strings.HasSuffix(m.Text, "It does") || m.ReplyTo != post.ID {
			t.Errorf("the group has %q, answering %d", m.Text, m.ReplyTo)
		}
		inGroup = len(w.Messages(group))
		if err := w.Block(author.ID); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		w.siteReply("ticket_tg_1", wire.Reply{From: wire.FromStaff, Text: "Hello?", Attachments: []wire.Attachment{aPicture}})
		settle(time.Minute)
		want = []string{"Answer on the site to ticket_tg_1", "[photo] 📎 ticket_tg_1", "⚠️ Not delivered: the author of ticket_tg_1 blocked the bot."}
		if diff := cmp.Diff(want, w.shownIn(group, inGroup)); diff != "" {
			t.Errorf("the group has (-want +got):\n%s", diff)
		}
	})
}

// fullTx has no room for files.
type fullTx struct {
	store.Tx
	sent []store.Outgoing
}

func (tx *fullTx) Send(m store.Outgoing) error {
	if m.File {
		return fmt.Errorf("keep a file: %w", store.ErrNoRoom)
	}
	tx.sent = append(tx.sent, m)
	return nil
}

// Of files that the store has no room for, the staff reads that there were such.
func TestFilesWithoutRoom(t *testing.T) {
	tx := &fullTx{}
	desk := &Desk{handlers: handlers{cfg: &Config{Language: "en"}}}
	if err := desk.Attach(tx, "ticket_site_1", wire.SiteFeedback{Attachments: []wire.Attachment{aPicture, aLog}}); err != nil {
		t.Fatal(err)
	}
	if len(tx.sent) != 2 || tx.sent[1].Ticket != "ticket_site_1" || !strings.Contains(string(tx.sent[1].Payload), "too many others wait") ||
		!strings.Contains(string(tx.sent[1].Payload), "log.txt") {
		t.Errorf("sent %+v", tx.sent)
	}
}
