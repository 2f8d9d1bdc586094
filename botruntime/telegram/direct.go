// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// directMessage handles what a person wrote to the bot.
func (h handlers) directMessage(tx store.Tx, m *message) error {
	texts := h.textsFor(m.From)
	text := texts.Hint
	switch name, _ := command(m.Text); name {
	case "/start":
		text = texts.Start
	case "/help":
		text = texts.Help
	}
	return send(tx, store.Outgoing{ChatID: m.Chat.ID}, payload{Text: text})
}

// directPress handles the press of a button in a direct message.
func (h handlers) directPress(_ store.Tx, q *query) (courtesy, error) {
	return says(q, h.textsFor(&q.From).UnknownButton), nil
}

// directEdit handles a change of a message to the bot.
func (h handlers) directEdit(store.Tx, *message) error { return nil }

// directMembership notes that a person blocked the bot, or does so no more.
func (h handlers) directMembership(tx store.Tx, m *memberships) error {
	p, err := tx.Person(m.Chat.ID)
	if err != nil {
		return err
	}
	p.Blocked = m.New.Status == "kicked"
	return tx.SavePerson(p)
}

// strangeGroup handles a message in a chat that is not the staff's.
func (h handlers) strangeGroup(store.Tx, *message) error { return nil }
