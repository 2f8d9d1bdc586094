// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// fileMark and the ticket's name are the words under a file whose own words are the ticket's text.
const fileMark = "📎 "

// listed is how many tickets /status lists.
const listed = 10

// mayWrite tells whether the person may write one more ticket; if not, the person is told when.
func (t *talk) mayWrite() (bool, error) {
	ok, next, err := t.tx.Peek(limitFeedback, t.person.ID, t.limit(), t.now())
	if err != nil || ok {
		return ok, wrapped("look up how much a person wrote", err)
	}
	return false, t.refuse(next)
}

// refuse tells when the person may write again.
func (t *talk) refuse(next time.Time) error {
	limit := t.limit()
	return t.say(t.texts.Direct.TooMany.Count(limit.Uses, t.until(next), ticket.Values{"Window": t.texts.Wait(limit.Window)}))
}

// until is when something will be possible, in words.
func (t *talk) until(next time.Time) ticket.Values {
	now := t.now()
	return ticket.Values{"Wait": t.texts.Wait(next.Sub(now)), "At": t.show().Clock(next, now)}
}

// submit makes a ticket of a draft. Where the person has written too many, the conversation stays where it was, so that
// the text can be sent again.
func (t *talk) submit(m *message, after dialog, d *draft) (dialog, error) {
	now := t.now()
	ok, next, err := t.tx.Take(limitFeedback, t.person.ID, t.limit(), now)
	if err != nil {
		return after, fmt.Errorf("count a ticket: %w", err)
	}
	if !ok {
		return t.dialog, t.refuse(next)
	}
	name, err := t.tx.AddTicket(ticket.Ticket{Source: ticket.SourceTelegram, TelegramID: t.person.ID, Username: t.user.Username,
		FirstName: t.user.FirstName, Nickname: d.nickname, Category: d.category, Message: d.text, CreatedAt: time.Unix(m.Date, 0).UTC(),
		Attachments: len(d.files)}, now)
	if err != nil {
		return after, fmt.Errorf("make a ticket: %w", err)
	}
	if err := t.attach(m, name, d.files); err != nil {
		return after, err
	}
	err = t.tx.Emit(store.Event{Kind: store.EventCreated, Ticket: name, Actor: t.actor(), Text: d.text, At: now})
	if err != nil {
		return after, fmt.Errorf("record a ticket: %w", err)
	}
	err = send(t.tx, store.Outgoing{ChatID: t.person.ID, Ticket: name},
		payload{Text: t.texts.Direct.Accepted.With(ticket.Values{"Ticket": name})})
	return after.expects(name, now.Add(afterTicket)), wrapped("confirm a ticket", err)
}

// attach has copies of files follow a new ticket's post, and links the messages that the ticket was made of.
func (t *talk) attach(m *message, name string, files []int) error {
	for _, id := range files {
		var words payload
		if id == m.ID { // its words stand in the ticket
			words.Text = fileMark + name
		}
		err := send(t.tx, store.Outgoing{Ticket: name, Copy: true, FromChatID: m.Chat.ID, FromMessageID: int64(id)}, words)
		if err != nil {
			return fmt.Errorf("attach a file: %w", err)
		}
		if err := t.link(m.Chat.ID, id, name); err != nil {
			return err
		}
	}
	return t.link(m.Chat.ID, m.ID, name)
}

// link has edits of a person's message, and replies to it, find its ticket.
func (t *talk) link(chatID int64, messageID int, name string) error {
	err := t.tx.LinkMessage(store.Link{ChatID: chatID, MessageID: int64(messageID), Ticket: name, At: t.now()})
	return wrapped("link a message to its ticket", err)
}

func (t *talk) actor() string {
	return ticket.ActorName(t.user.Username, t.user.FirstName, t.user.LastName, t.user.ID)
}

// add passes a message on to the staff, under its ticket. answered is the link of the message that it replies to, if any.
func (t *talk) add(m *message, name string, answered store.Link, quiet bool) error {
	record, err := t.tx.Ticket(name)
	if errors.Is(err, store.ErrNotFound) { // so old that it is forgotten
		return t.sayAll(t.rules().hint())
	}
	if err != nil {
		return fmt.Errorf("look up the ticket of a message: %w", err)
	}
	if ok, err := t.mayAdd(); err != nil || !ok {
		return err
	}
	if err := t.link(m.Chat.ID, m.ID, name); err != nil {
		return err
	}
	header := ticket.Texts(t.cfg.Language).Direct.Addition.With(ticket.Values{"Ticket": name})
	if quiet && m.words() == "" { // one more part of an album
		header = ""
	}
	if err := t.passOn(m, record, answered, header); err != nil || quiet {
		return err
	}
	return t.say(t.texts.Direct.Added.With(ticket.Values{"Ticket": name}))
}

func (t *talk) mayAdd() (bool, error) {
	limit := t.limit()
	limit.Uses *= additionsPerTicket
	ok, next, err := t.tx.Take(limitMore, t.person.ID, limit, t.now())
	if err != nil || ok {
		return ok, wrapped("count an addition", err)
	}
	return false, t.say(t.texts.Direct.TooMuch.With(t.until(next)))
}

// passOn brings the staff a person's message, below a header, if any, and keeps it for the site. It answers what the person
// answered, where that has another side in the staff's chat, or else the ticket's post.
func (t *talk) passOn(m *message, record store.TicketRecord, answered store.Link, header string) error {
	to := store.Outgoing{Ticket: record.ID, FromChatID: m.Chat.ID, FromMessageID: int64(m.ID)}
	if answered.PeerMessageID != 0 && answered.PeerChatID == record.ChatID && t.effectiveChat(record.ChatID) == record.ChatID {
		to.ChatID, to.ReplyTo = record.ChatID, answered.PeerMessageID
	}
	for _, part := range forwarded(m, header) {
		to.Copy = part.copied
		if err := send(t.tx, to, part.payload); err != nil {
			return fmt.Errorf("pass on a message: %w", err)
		}
	}
	err := t.tx.Emit(store.Event{Kind: store.EventMessage, Ticket: record.ID, FeedbackID: record.FeedbackID, Actor: t.actor(),
		Text: ticket.Clean(m.words()), At: t.now()})
	return wrapped("record a message", err)
}

// directEdit handles a change of a message to the bot: where it belongs to a ticket, the staff sees what it says now.
func (h handlers) directEdit(tx store.Tx, m *message) error {
	if m.words() == "" {
		return nil
	}
	link, err := tx.MessageTicket(m.Chat.ID, int64(m.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up the ticket of a message: %w", err)
	}
	record, err := tx.Ticket(link.Ticket)
	if errors.Is(err, store.ErrNotFound) || err == nil && record.Message == ticket.Clean(m.words()) {
		return nil // forgotten; or an edit of something that is not text
	}
	if err != nil {
		return fmt.Errorf("look up a ticket: %w", err)
	}
	t, err := h.meet(tx, m.From)
	if err != nil || t == nil {
		return err
	}
	if ok, err := t.mayAdd(); err != nil || !ok {
		return errors.Join(err, t.save(t.dialog))
	}
	header := ticket.Texts(h.cfg.Language).Direct.Edited.With(ticket.Values{"Ticket": record.ID})
	return errors.Join(t.passOn(m, record, link, header),
		t.say(t.texts.Direct.EditNoted.With(ticket.Values{"Ticket": link.Ticket})), t.save(t.dialog))
}

// list lists the person's tickets, the newest first.
func (t *talk) list() error {
	texts, show := t.texts.Direct, t.show()
	records, total, err := t.tx.Tickets(store.TicketQuery{AuthorID: t.person.ID, Limit: listed})
	if err != nil {
		return fmt.Errorf("list a person's tickets: %w", err)
	}
	switch {
	case len(records) == 0 && t.cfg.Intake.Enabled:
		return t.say(texts.NoTickets)
	case len(records) == 0:
		return t.sayAll(t.rules().hint())
	}
	lines := []string{texts.MyTickets, ""}
	for _, r := range records {
		status := t.texts.Statuses[r.Status]
		if r.MessageID == 0 {
			status = texts.Waiting
		}
		_, category, _ := t.texts.Category(r.Category, show.Categories)
		lines = append(lines, texts.TicketLine.With(ticket.Values{"Ticket": r.ID, "Category": category, "Status": status,
			"Date": show.Date(r.ReceivedAt)}))
	}
	if more := total - len(records); more > 0 {
		lines = append(lines, "", texts.MoreTickets.Count(more))
	}
	return t.say(strings.Join(lines, "\n"))
}

// invite has a person's further messages, though they reply to nothing, go to a ticket for a day: the staff answered it.
func (h handlers) invite(p *store.Person, ticketID string) error {
	body, err := readDialog(p.Dialog).expects(ticketID, h.now().Add(afterReply)).encode()
	if err != nil {
		return errors.Join(errBadUpdate, err)
	}
	p.Dialog = body
	return nil
}
