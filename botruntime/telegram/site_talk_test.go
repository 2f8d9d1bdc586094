// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// picture is as much of an image as Telegram looks at.
var picture = []byte("\x89PNG\r\n\x1a\n and so on")

// What a site sends along: a picture, a page that Telegram fetches, and one that is not there.
var (
	aPicture     = wire.Attachment{Name: "map.png", MIME: "image/png", Size: 15, Content: picture}
	aLog         = wire.Attachment{Name: "log.txt", MIME: "text/plain; charset=utf-8", Size: 4, Content: []byte("text")}
	aPage        = wire.Attachment{Name: "page.pdf", MIME: "application/pdf", URL: "https://site.example/page.pdf"}
	aMissingPage = wire.Attachment{Name: "gone.pdf", MIME: "application/pdf", URL: "https://site.invalid/gone.pdf"}
)

// receive has the effect of a frame of the site's.
func (w *world) receive(apply func(tx store.SiteTx) error) {
	w.t.Helper()
	w.seq++
	id := fmt.Sprint("frame-", w.seq)
	received, err := w.store.Receive(context.Background(), []store.Incoming{{ID: id, Nonce: id, ReadAt: time.Now(),
		NonceUntil: time.Now().Add(time.Minute), Apply: apply}})
	if err != nil || received[0].Verdict != store.Accepted {
		w.t.Fatal(err, received)
	}
}

// siteStatus is a status that was given at the site.
func (w *world) siteStatus(name string, status ticket.Status, by wire.Actor, at time.Time) (taken bool) {
	w.t.Helper()
	desk := w.bot.Desk()
	w.receive(func(tx store.SiteTx) (err error) {
		taken, err = tx.TakeStatus(store.StatusChange{TicketID: name, Status: status, ActorName: desk.Name(by), At: at})
		if err != nil || !taken {
			return err
		}
		t, err := tx.Ticket(name)
		if err != nil {
			return err
		}
		return desk.ShowStatus(tx, t)
	})
	return taken
}

// siteReply is a message that was written at the site.
func (w *world) siteReply(name string, r wire.Reply) {
	w.t.Helper()
	desk := w.bot.Desk()
	if r.At.IsZero() {
		r.At = time.Now()
	}
	w.receive(func(tx store.SiteTx) error {
		t, err := tx.Ticket(name)
		if err != nil {
			return err
		}
		return desk.Reply(tx, t, r)
	})
}

// admitWith puts a bug of the site's into the store, with files.
func (w *world) admitWith(telegramID int64, message string, files ...wire.Attachment) {
	w.t.Helper()
	desk := w.bot.Desk()
	w.seq++
	id := fmt.Sprint("request-", w.seq)
	_, err := w.store.Admit(context.Background(), []store.Request{{ID: id, Nonce: id, Signature: wire.Signature{KeyID: "key"},
		ReadAt: time.Now(), NonceUntil: time.Now().Add(time.Minute), Ticket: ticket.Ticket{Source: ticket.SourceSite,
			FeedbackID: w.seq, TelegramID: telegramID, Category: "bug", Message: message, Attachments: len(files)},
		Then: func(tx store.Tx, name string) {
			if err := desk.Attach(tx, name, wire.SiteFeedback{Attachments: files}); err != nil {
				w.t.Error(err)
			}
		}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// What happens at the site, in conversations.
func init() {
	deeds = append(deeds, []struct {
		form *regexp.Regexp
		do   func(s *stage, by sim.User, p []string) error
	}{
		{regexp.MustCompile(`(?s)^(Operator) has the site send files(?:, from (\w+))?: (.*)$`), func(s *stage, _ sim.User, p []string) error {
			s.admitWith(s.people[p[2]].ID, p[3], aPicture, aLog, aPage, aMissingPage)
			return nil
		}},
		{regexp.MustCompile(`^(Operator) has (\w+) at the site set (\w+) to (\w+)$`), func(s *stage, _ sim.User, p []string) error {
			by := wire.Actor{Name: p[2]}
			if p[2] == "nobody" {
				by = wire.Actor{}
			}
			s.siteStatus(p[3], ticket.Status(p[4]), by, time.Now())
			return nil
		}},
		{regexp.MustCompile(`(?s)^(Operator) has (\w+) at the site (answer|add to) (\w+)( with a picture)?(?:: (.*))?$`), func(s *stage, _ sim.User, p []string) error {
			r := wire.Reply{From: wire.FromStaff, Text: p[6], Author: wire.Actor{Name: p[2]}}
			if p[3] != "answer" {
				r.From = wire.FromUser
			}
			if p[5] != "" {
				r.Attachments = []wire.Attachment{aPicture}
			}
			s.siteReply(p[4], r)
			return nil
		}},
	}...)
}
