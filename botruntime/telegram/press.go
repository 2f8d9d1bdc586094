// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// press gives a ticket the status of the button, and writes it into the post.
func (h handlers) press(tx store.Tx, q *query, _ facts) (courtesy, error) {
	texts := h.textsFor(&q.From)
	ticketID, status, ok := ticket.ParseCallbackData(q.Data)
	if !ok {
		return says(q, texts.UnknownButton), nil
	}
	change := ticket.Change{Status: status, At: h.now(),
		Actor: ticket.ActorName(q.From.Username, q.From.FirstName, q.From.LastName, q.From.ID)}
	edited, err := h.edited(tx, q, ticketID, change)
	switch {
	case errors.Is(err, errNoButton):
		return says(q, texts.UnknownButton), nil
	case err != nil:
		return courtesy{}, err
	}
	err = tx.SetStatus(store.StatusChange{TicketID: ticketID, Status: status, ActorID: q.From.ID, ActorName: change.Actor, At: change.At})
	if err != nil {
		return courtesy{}, err
	}
	if edited.Text != "" {
		body, err := edited.encode()
		if err != nil {
			return courtesy{}, errors.Join(errBadUpdate, err)
		}
		if err := tx.Edit(store.Edit{ChatID: q.Message.Chat.ID, MessageID: int64(q.Message.ID), Payload: body}); err != nil {
			return courtesy{}, err
		}
	}
	return says(q, texts.Status+": "+texts.Statuses[status]), nil
}

// errNoButton is a press of a button that is not there: its data was made up, or nobody knows the ticket any more.
var errNoButton = errors.New("no such button")

// edited is the post with its new status, and with its keyboard as it is. Of a post that Telegram no longer shows, it is
// what the store knows of the ticket.
func (h handlers) edited(tx store.Tx, q *query, ticketID string, change ticket.Change) (payload, error) {
	show := h.cfg.show()
	if m := q.Message; m.accessible() {
		if !hasButton(m.Keyboard, q.Data) {
			return payload{}, errNoButton
		}
		if m.Text == "" { // a picture, say: only the status is kept
			return payload{}, nil
		}
		p := fromPost(ticket.ApplyStatus(toPost(m), change, show))
		p.Keyboard = m.Keyboard
		return p, nil
	}
	t, err := tx.Ticket(ticketID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return payload{}, errNoButton
	case err != nil:
		return payload{}, fmt.Errorf("look up the ticket of a press: %w", err)
	}
	show.Change = &change
	return payload{Text: ticket.Render(t.Ticket, show)[0], HTML: true, Keyboard: keyboard(t.ID, show.Texts)}, nil
}
