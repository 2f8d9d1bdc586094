// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// payload is the text of a message to send or to edit, as it waits in the outbox.
type payload struct {
	Text string `json:"text"`
	// HTML is whether Text is HTML; Entities are its formatting otherwise.
	HTML     bool                         `json:"html,omitempty"`
	Entities []models.MessageEntity       `json:"entities,omitempty"`
	Keyboard *models.InlineKeyboardMarkup `json:"keyboard,omitempty"`
	// Caption is whether Text stands under an attachment, in an edit.
	Caption bool `json:"caption,omitempty"`
	// Language is that of whom it is for; the staff's unless given.
	Language string `json:"lang,omitempty"`
}

func (p payload) encode() ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	return data, nil
}

func (p payload) parseMode() models.ParseMode {
	if p.HTML {
		return models.ParseModeHTML
	}
	return ""
}

func decodePayload(data []byte) (p payload, err error) {
	if err = json.Unmarshal(data, &p); err != nil {
		return p, errors.Join(errBadJob, err)
	}
	return p, nil
}

// keyboard is the row pair of buttons under a ticket.
func keyboard(ticketID string, texts *ticket.Catalog) *models.InlineKeyboardMarkup {
	var rows [][]models.InlineKeyboardButton
	for i, status := range ticket.Statuses {
		if i%2 == 0 {
			rows = append(rows, nil)
		}
		rows[i/2] = append(rows[i/2], models.InlineKeyboardButton{
			Text: texts.Statuses[status], CallbackData: ticket.CallbackData(ticketID, status),
		})
	}
	return &models.InlineKeyboardMarkup{InlineKeyboard: rows}
}

// hasButton tells whether a keyboard has a button with this data.
func hasButton(k *models.InlineKeyboardMarkup, data string) bool {
	if k == nil {
		return false
	}
	for _, row := range k.InlineKeyboard {
		for _, b := range row {
			if b.CallbackData == data {
				return true
			}
		}
	}
	return false
}

// toPost is a message's text as package ticket works on it.
func toPost(m *message) ticket.Post {
	p := ticket.Post{Text: m.Text}
	for _, e := range m.Entities {
		p.Entities = append(p.Entities, ticket.Entity{Type: string(e.Type), Offset: e.Offset, Length: e.Length, Origin: e})
	}
	return p
}

// fromPost is the way back. What Telegram finds in a text by itself it will find again.
func fromPost(p ticket.Post) payload {
	out := payload{Text: p.Text}
	for _, e := range p.Entities {
		entity, _ := e.Origin.(models.MessageEntity) // those that package ticket added have no origin
		entity.Type, entity.Offset, entity.Length = models.MessageEntityType(e.Type), e.Offset, e.Length
		out.Entities = append(out.Entities, entity)
	}
	return out
}
