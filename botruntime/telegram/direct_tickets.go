// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"hash/crc32"
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
		again := t.dialog.cutOff(m.AlbumID)
		again.Refused = m.ID
		return again, t.refuse(next)
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
		payload{Text: t.texts.Direct.Accepted.With(ticket.Values{"Ticket": name}), Language: t.person.Language})
	return after.expects(name, now.Add(afterTicket)).gathered(m.AlbumID, name), wrapped("confirm a ticket", err)
}

// attach has copies of files follow a new ticket's post, and links the messages that the ticket was made of.
func (t *talk) attach(m *message, name string, files []int) error {
	for i, id := range files {
		var words payload
		if id == m.ID { // its words stand in the ticket
			words.Text = fileMark + name
		}
		out := store.Outgoing{Ticket: name, Copy: true, FromChatID: m.Chat.ID, FromMessageID: int64(id)}
		var err error
		if out.IfRefused, err = t.notCopied(out, payload{}, i == 0); err != nil {
			return err
		}
		if err := send(t.tx, out, words); err != nil {
			return fmt.Errorf("attach a file: %w", err)
		}
		if err := t.link(m.Chat.ID, id, name, 0); err != nil {
			return err
		}
	}
	return t.link(m.Chat.ID, m.ID, name, m.wordSum())
}

// link has edits of a person's message, and replies to it, find its ticket.
func (t *talk) link(chatID int64, messageID int, name string, words int64) error {
	err := t.tx.LinkMessage(store.Link{ChatID: chatID, MessageID: int64(messageID), Ticket: name, Words: words, At: t.now()})
	return wrapped("link a message to its ticket", err)
}

// wordSum tells what a message says from what it said before.
func (m *message) wordSum() int64 { return int64(crc32.ChecksumIEEE([]byte(ticket.Clean(m.words())))) }

func (t *talk) actor() string {
	return ticket.ActorName(t.user.Username, t.user.FirstName, t.user.LastName, t.user.ID)
}

// add passes a message on to the staff, under the ticket that do names. answered is the link of the message that it
// replies to, if any.
func (t *talk) add(m *message, after dialog, do move, answered store.Link) (dialog, error) {
	record, err := t.tx.Ticket(do.under)
	if errors.Is(err, store.ErrNotFound) { // so old that it is forgotten
		return after, t.sayAll(t.rules().hint())
	}
	if err != nil {
		return after, fmt.Errorf("look up the ticket of a message: %w", err)
	}
	if ok, err := t.mayAdd(); err != nil || !ok {
		return after.cutOff(m.AlbumID), err
	}
	after = after.gathered(m.AlbumID, record.ID)
	if err := t.link(m.Chat.ID, m.ID, record.ID, m.wordSum()); err != nil {
		return after, err
	}
	header := ticket.Texts(t.cfg.Language).Direct.Addition.With(ticket.Values{"Ticket": record.ID})
	if do.quiet && m.words() == "" { // one more part of an album
		header = ""
	}
	if err := t.passOn(m, record, answered, header); err != nil || do.quiet {
		return after, err
	}
	return after, t.say(t.texts.Direct.Added.With(ticket.Values{"Ticket": record.ID}))
}

// mayAdd tells whether the person may add something to a ticket; if not, the person is told when.
func (t *talk) mayAdd() (bool, error) {
	ok, next, err := t.tx.Take(limitMore, t.person.ID, t.more(), t.now())
	if err != nil || ok {
		return ok, wrapped("count an addition", err)
	}
	return false, t.say(t.texts.Direct.TooMuch.With(t.until(next)))
}

// passOn brings the staff a person's message, below a header, if any, and keeps it for the site. It answers what the person
// answered, where that has another side in a chat of the staff's, or else the ticket's post.
func (t *talk) passOn(m *message, record store.TicketRecord, answered store.Link, header string) error {
	to := store.Outgoing{Ticket: record.ID, FromChatID: m.Chat.ID, FromMessageID: int64(m.ID)}
	if answered.PeerMessageID != 0 && t.isStaffChat(answered.PeerChatID) {
		to.ChatID, to.ReplyTo = answered.PeerChatID, answered.PeerMessageID
	}
	for _, part := range forwarded(m, header) {
		out := to
		if out.Copy = part.copied; part.copied {
			var err error
			if out.IfRefused, err = t.instead(m, to, part, header != ""); err != nil {
				return err
			}
		}
		if err := send(t.tx, out, part.payload); err != nil {
			return fmt.Errorf("pass on a message: %w", err)
		}
	}
	err := t.tx.Emit(store.Event{Kind: store.EventMessage, Ticket: record.ID, FeedbackID: record.FeedbackID, Actor: t.actor(),
		Text: ticket.Clean(m.words()), At: t.now()})
	return wrapped("record a message", err)
}

// directEdit handles a change of a message to the bot: where it belongs to a ticket, the staff sees what it says now.
// Telegram tells of edits that changed nothing, too.
func (h handlers) directEdit(tx store.Tx, m *message) error {
	if m.words() == "" {
		return nil
	}
	link, err := tx.MessageTicket(m.Chat.ID, int64(m.ID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return h.editedAnswer(tx, m)
	case err != nil:
		return fmt.Errorf("look up the ticket of a message: %w", err)
	case link.Words == m.wordSum():
		return nil
	}
	record, err := tx.Ticket(link.Ticket)
	if errors.Is(err, store.ErrNotFound) { // so old that it is forgotten
		return nil
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
	said := link
	said.Words, said.At = m.wordSum(), h.now()
	if err := tx.LinkMessage(said); err != nil {
		return fmt.Errorf("note what a message says now: %w", err)
	}
	header := ticket.Texts(h.cfg.Language).Direct.Edited.With(ticket.Values{"Ticket": record.ID})
	return errors.Join(t.passOn(m, record, link, header),
		t.say(t.texts.Direct.EditNoted.With(ticket.Values{"Ticket": record.ID})), t.save(t.dialog))
}

// editedAnswer takes the edit of what did not do as an answer to the bot's question as another try.
func (h handlers) editedAnswer(tx store.Tx, m *message) error {
	person, err := tx.Person(m.Chat.ID)
	if err != nil || !readDialog(person.Dialog).awaits(m.ID) {
		return wrapped("look up a person", err)
	}
	t, err := h.meet(tx, m.From)
	if err != nil || t == nil {
		return err
	}
	in := t.written(m)
	in.album = "" // it comes for itself
	if isDirectCommand(in.command) {
		return t.save(t.dialog)
	}
	after, move := t.dialog.next(in, t.rules())
	return t.act(m, store.Link{}, after, move)
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
