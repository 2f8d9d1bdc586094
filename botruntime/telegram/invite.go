// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// afterReply is how long messages that answer none of the bot's go to the ticket that the staff answered last.
const afterReply = 24 * time.Hour

// invite has a person's further messages go to a ticket for a day, though they reply to nothing: the staff answered it. In
// the middle of a conversation the person is told what that means.
func (h handlers) invite(tx store.Tx, p *store.Person, t store.TicketRecord) error {
	texts := ticket.Texts(h.languageOf(p.Language))
	after, say := readDialog(p.Dialog).answered(t.ID, t.Status == ticket.StatusClosed, h.now().Add(afterReply), texts)
	body, err := after.encode()
	if err != nil {
		return errors.Join(errBadUpdate, err)
	}
	p.Dialog = body
	if say == "" {
		return nil
	}
	return wrapped("tell a person how to answer", send(tx, store.Outgoing{ChatID: p.ID, Ticket: t.ID}, payload{Text: say, Language: p.Language}))
}
