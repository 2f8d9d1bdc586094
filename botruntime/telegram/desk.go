// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// Desk is what the site does in the chat, besides its feedback. Its methods with a transaction may run again after their
// changes were undone. Nothing that they do is told to the site, but what it does not know.
type Desk struct {
	handlers
	store Store
}

// Desk is the bot's desk.
func (b *Bot) Desk() *Desk { return &Desk{b.handlers, b.store} }

// Meet notes whether the staff's answers reach the site of a new connection.
func (d *Desk) Meet(ctx context.Context, replies bool) error {
	return d.store.NoteSiteTakesReplies(ctx, replies)
}

// Name is how somebody at the site is named in a status line. A username is Telegram's only where there is a Telegram id.
func (d *Desk) Name(a wire.Actor) string {
	if who := nameAtSite(a); who != "" {
		return d.texts().Staff.SiteActor.With(ticket.Values{"Who": who})
	}
	return d.texts().Staff.Site
}

// nameAtSite is how somebody at the site is named; "" for nobody in particular.
func nameAtSite(a wire.Actor) string {
	if a.TelegramID > 0 {
		return ticket.ActorName(a.Username, a.Name, "", a.TelegramID)
	}
	return cmp.Or(ticket.Line(a.Name, maxNickname), ticket.Line(a.Username, maxNickname))
}

// Attach has the files that came with a feedback follow the post of its ticket.
func (d *Desk) Attach(tx store.Tx, name string, f wire.SiteFeedback) error {
	return d.sendFiles(tx, store.Outgoing{Ticket: name}, f.Attachments, "", d.texts().Staff.SiteFileRefused)
}

// ShowStatus has the post of a ticket show its status, which was given at the site.
func (d *Desk) ShowStatus(tx store.Tx, t store.TicketRecord) error { return d.redraw(tx, t) }

// Reply brings a message of the site's under its ticket and, from the staff, to the ticket's author.
func (d *Desk) Reply(tx store.Tx, t store.TicketRecord, r wire.Reply) error {
	staff := d.texts().Staff
	header := staff.SiteAddition
	if r.From == wire.FromStaff {
		header = staff.SiteReply
	}
	texts := written(about(header, t.ID), nameAtSite(r.Author), r.Text, d.texts())
	if err := d.sendAll(tx, store.Outgoing{Ticket: t.ID}, texts, ""); err != nil {
		return err
	}
	if err := d.sendFiles(tx, store.Outgoing{Ticket: t.ID}, r.Attachments, "", staff.SiteFileRefused); err != nil {
		return err
	}
	if r.From != wire.FromStaff {
		return nil
	}
	return d.answer(tx, t, r)
}

// answer brings a ticket's author an answer that the staff wrote at the site, where the author can be reached in Telegram,
// and has the ticket show that it was answered. Who wrote at the site reads the answer there, whatever becomes of it here.
func (d *Desk) answer(tx store.Tx, t store.TicketRecord, r wire.Reply) error {
	author := store.Person{}
	if t.TelegramID > 0 {
		var err error
		if author, err = tx.Person(t.TelegramID); err != nil {
			return fmt.Errorf("look up a ticket's author: %w", err)
		}
	}
	switch reached := reachOf(t.Ticket, author); {
	case reached == reachable:
		if err := d.deliverAnswer(tx, t, author, r); err != nil {
			return err
		}
	case t.Source == ticket.SourceSite:
	case reached == reachBlocked:
		return send(tx, store.Outgoing{Ticket: t.ID}, payload{Text: about(d.texts().Staff.AuthorBlocked, t.ID)})
	default:
		return send(tx, store.Outgoing{Ticket: t.ID}, payload{Text: about(d.texts().Staff.AuthorUnreachable, t.ID)})
	}
	return d.markAnswered(tx, t, r)
}

// deliverAnswer sends an answer of the site's to the author.
func (d *Desk) deliverAnswer(tx store.Tx, t store.TicketRecord, author store.Person, r wire.Reply) error {
	texts := ticket.Texts(d.languageOf(author.Language))
	to := store.Outgoing{ChatID: author.ID, Ticket: t.ID}
	if t.Source == ticket.SourceTelegram {
		body, err := payload{Text: about(d.texts().Staff.ReplyRefused, t.ID)}.encode()
		if err != nil {
			return errors.Join(errBadUpdate, err)
		}
		to.IfRefused = []store.Outgoing{{Ticket: t.ID, Payload: body}}
	}
	if err := d.sendAll(tx, to, written(about(texts.Staff.Reply, t.ID), "", r.Text, texts), author.Language); err != nil {
		return err
	}
	if err := d.sendFiles(tx, to, r.Attachments, author.Language, d.texts().Staff.ReplyFileRefused); err != nil {
		return err
	}
	if err := d.invite(tx, &author, t); err != nil {
		return err
	}
	return wrapped("have the author's answer go under the ticket", tx.SavePerson(author))
}

// markAnswered gives a ticket the status of one that was answered, at the time of the answer, unless it is closed or has a
// later status. The site is told: it may not do so by itself.
func (d *Desk) markAnswered(tx store.Tx, t store.TicketRecord, r wire.Reply) error {
	if t.Status == ticket.StatusClosed || t.StatusAt.After(r.At) {
		return nil
	}
	at := d.now()
	if r.At.Before(at) {
		at = r.At
	}
	return d.giveStatus(tx, t, ticket.Change{Status: ticket.StatusReplied, Actor: d.Name(r.Author), At: at},
		store.Actor{TelegramID: r.Author.TelegramID, Username: r.Author.Username, Name: r.Author.Name})
}

// Fetch returns the content of a file of Telegram's, of at most so many bytes.
func (d *Desk) Fetch(ctx context.Context, f store.Attachment, most int) ([]byte, error) {
	content, err := d.api.fetch(ctx, f.FileID, most)
	return content, wrapped("fetch a file from Telegram", err)
}
