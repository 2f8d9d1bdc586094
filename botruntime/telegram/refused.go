// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// notCopied is what follows where Telegram will not copy something of an author's to the staff, who was told that it is on
// its way. The author learns that it did not arrive; the staff, where aloud is set, that there was something, and reads
// the words that went with it.
func (t *talk) notCopied(to store.Outgoing, words payload, aloud bool) ([]store.Outgoing, error) {
	about := ticket.Values{"Ticket": to.Ticket}
	back := store.Outgoing{ChatID: to.FromChatID, Ticket: to.Ticket, ReplyTo: to.FromMessageID}
	var err error
	if back.Payload, err = (payload{Text: t.texts.Direct.FileRefused.With(about), Language: t.person.Language}).encode(); err != nil {
		return nil, errors.Join(errBadUpdate, err)
	}
	if !aloud {
		return []store.Outgoing{back}, nil
	}
	notice := payload{Text: ticket.Texts(t.cfg.Language).Staff.FileRefused.With(about)}
	if words.Text != "" {
		notice = words.below(notice.Text+"\n\n", ticket.MaxUnits-repeatRoom)
	}
	to.Copy = false
	if to.Payload, err = notice.encode(); err != nil {
		return nil, errors.Join(errBadUpdate, err)
	}
	return []store.Outgoing{to, back}, nil
}

// instead is what follows where Telegram will not copy a piece of a message; aloud is set where it has a header.
func (t *talk) instead(m *message, to store.Outgoing, p piece, aloud bool) ([]store.Outgoing, error) {
	switch {
	case m.kind() == kindText:
		return inWords(to, m)
	case p.payload.Text == "":
		return t.notCopied(to, m.quoted(), aloud)
	}
	return t.notCopied(to, p.payload, aloud)
}

// inWords is what follows where Telegram will not copy a text of an author's, whose header the staff has: the text itself.
func inWords(to store.Outgoing, m *message) ([]store.Outgoing, error) {
	var err error
	if to.Payload, err = m.quoted().encode(); err != nil {
		return nil, errors.Join(errBadUpdate, err)
	}
	return []store.Outgoing{to}, nil
}

// quoted is what a message says, alone.
func (m *message) quoted() payload {
	if m.Text != "" {
		return new(composer).quote(m.Text, m.Entities).payload()
	}
	return new(composer).quote(m.Caption, m.CaptionEntities).payload()
}
