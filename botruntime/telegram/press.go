// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// toast is the answer to the press of a status button, as far as the press itself tells it; certain is false where the
// store has to be asked.
func (h handlers) toast(q *query) (c courtesy, certain bool) {
	texts := h.textsFor(&q.From)
	_, status, ok := ticket.ParseCallbackData(q.Data)
	switch {
	case ok && !q.Message.accessible():
		return courtesy{}, false
	case !ok, !hasButton(q.Message.Keyboard, q.Data):
		return says(q, texts.UnknownButton), true
	}
	return says(q, texts.Status+": "+texts.Statuses[status]), true
}

// press gives a ticket the status of the button, and writes it into the post. A press that early answered is not
// answered again.
func (h handlers) press(tx store.Tx, q *query, _ facts) (courtesy, error) {
	texts, m := h.textsFor(&q.From), q.Message
	name, status, ok := ticket.ParseCallbackData(q.Data)
	if !ok || m.accessible() && !hasButton(m.Keyboard, q.Data) {
		return courtesy{}, nil
	}
	change := ticket.Change{Status: status, At: h.now(),
		Actor: ticket.ActorName(q.From.Username, q.From.FirstName, q.From.LastName, q.From.ID)}
	t, err := tx.Ticket(name)
	known := err == nil
	if !known && !errors.Is(err, store.ErrNotFound) {
		return courtesy{}, fmt.Errorf("look up the ticket of a press: %w", err)
	}
	own := known && t.ChatID == m.Chat.ID && t.MessageID == int64(m.ID)
	if !m.accessible() && !own {
		return says(q, texts.UnknownButton), nil
	}
	if !own && h.isStaffChat(m.Chat.ID) { // what is history stays as it is
		if err := h.markPost(tx, q.Message, change); err != nil {
			return courtesy{}, err
		}
	}
	if known && !own && isOlder(m, t) { // the ticket has nothing to do with it
		return courtesy{}, nil
	}
	// Of a ticket of the existing bot the store knows no more than that it has this status now.
	t.ID = name
	if err := h.giveStatus(tx, t, change, q.From.ID); err != nil {
		return courtesy{}, err
	}
	if m.accessible() {
		return courtesy{}, nil
	}
	return says(q, texts.Status+": "+texts.Statuses[status]), nil
}

// clockDifference is how far the bot's clock and Telegram's may be apart. repostTime is how long before a ticket's post that the store
// knows another one of it may have come, before a crash.
const (
	clockDifference = time.Minute
	repostTime      = 10 * time.Minute
)

// isOlder tells whether a post was there before the ticket that its buttons name: it is of another one, of the same name, from before
// tickets were numbered anew. A ticket that was posted before it was received shows that the bot's clock is ahead of Telegram's.
func isOlder(post *message, t store.TicketRecord) bool {
	since := t.ReceivedAt.Add(-clockDifference)
	if t.MessageID != 0 && t.SettledAt.Before(since) {
		since = t.SettledAt.Add(-repostTime)
	}
	return time.Unix(post.Date, 0).Before(since)
}

// markPost writes a status into a post that the store knows nothing of, because the existing bot posted it, or because it
// is one of two after a crash. A picture, say, keeps its looks.
func (h handlers) markPost(tx store.Tx, m *message, change ticket.Change) error {
	if m.Text == "" {
		return nil
	}
	p := fromPost(ticket.ApplyStatus(toPost(m), change, h.cfg.show()))
	p.Keyboard = m.Keyboard
	return edit(tx, m.Chat.ID, int64(m.ID), p)
}

// giveStatus records a ticket's status and has its post show it. One that a person gives for the second time stays as it
// is.
func (h handlers) giveStatus(tx store.Tx, t store.TicketRecord, c ticket.Change, actorID int64) error {
	if t.Status != c.Status || t.StatusBy != c.Actor {
		err := tx.SetStatus(store.StatusChange{TicketID: t.ID, Status: c.Status, ActorID: actorID, ActorName: c.Actor, At: c.At})
		if err != nil {
			return fmt.Errorf("record a status: %w", err)
		}
		t.Status, t.StatusBy, t.StatusAt = c.Status, c.Actor, c.At
	}
	return h.redraw(tx, t)
}

// redraw has a ticket's post show what the store knows. One in a chat that is not the staff's any more stays as it is; a group
// that became a supergroup took no messages with it either.
func (h handlers) redraw(tx store.Tx, t store.TicketRecord) error {
	if t.MessageID == 0 || !h.isStaffChat(t.ChatID) {
		return nil
	}
	show := h.cfg.show()
	if t.StatusBy != "" {
		show.Change = &ticket.Change{Status: t.Status, Actor: t.StatusBy, At: t.StatusAt}
	}
	return edit(tx, t.ChatID, t.MessageID,
		payload{Text: ticket.Render(t.Ticket, show)[0], HTML: true, Keyboard: keyboard(t.ID, show.Texts)})
}

// edit puts an edit into the outbox.
func edit(tx store.Tx, chatID, messageID int64, p payload) error {
	body, err := p.encode()
	if err != nil {
		return errors.Join(errBadUpdate, err)
	}
	return tx.Edit(store.Edit{ChatID: chatID, MessageID: messageID, Payload: body})
}
