// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// maxCaption is the length that Telegram allows the words under an attachment, in UTF-16 units.
const maxCaption = 1024

// kind is what a message is made of, as far as it can be passed on.
type kind int

const (
	kindNone      kind = iota // nothing that a person could be sent: somebody joined, a message was pinned
	kindText                  // words alone
	kindCaptioned             // an attachment that may have words
	kindBare                  // an attachment that may have none
)

func (m *message) kind() kind {
	switch {
	case m.Text != "":
		return kindText
	case m.Sticker != nil, m.VideoNote != nil:
		return kindBare
	case m.has():
		return kindCaptioned
	}
	return kindNone
}

// piece is one message of those that bring somebody another's message: a copy of it, with other words if payload has any,
// or the payload itself.
type piece struct {
	copied  bool
	payload payload
}

// forwarded is a message on its way to another chat, below a line that says what it is. An empty header stands over
// nothing. What is too long together follows the header, as a copy.
func forwarded(m *message, header string) []piece {
	words, entities, most := m.Text, m.Entities, ticket.MaxUnits-repeatRoom
	if m.kind() != kindText {
		words, entities, most = m.Caption, m.CaptionEntities, maxCaption
	}
	if header == "" {
		return []piece{{copied: true}}
	}
	head := new(composer).bold(header)
	whole := new(composer).bold(header)
	if words != "" {
		whole.text("\n\n").quote(words, entities)
	}
	if m.kind() == kindBare || whole.units > most {
		return []piece{{payload: head.payload()}, {copied: true}}
	}
	return []piece{{copied: m.kind() == kindCaptioned, payload: whole.payload()}}
}

// reach tells whether the bot can write to a ticket's author.
type reach int

const (
	reachNobody  reach = iota // the author never wrote to the bot, or is not known in Telegram
	reachBlocked              // the author blocked the bot
	reachable
)

// reachOf tells it of what is known of the author. A site may claim any number as a Telegram id: only a person who wrote
// to the bot is written to.
func reachOf(t ticket.Ticket, author store.Person) reach {
	switch {
	case t.TelegramID <= 0:
		return reachNobody
	case author.Blocked:
		return reachBlocked
	case t.Source == ticket.SourceTelegram, !author.SeenAt.IsZero():
		return reachable
	}
	return reachNobody
}

// staffReply brings a ticket's author what a member of the staff wrote under the ticket, and keeps it for the site.
func (h handlers) staffReply(tx store.Tx, m *message, link store.Link) (courtesy, error) {
	t, err := tx.Ticket(link.Ticket)
	if errors.Is(err, store.ErrNotFound) { // so old that it is forgotten
		return courtesy{}, nil
	}
	if err != nil {
		return courtesy{}, fmt.Errorf("look up the ticket of a reply: %w", err)
	}
	first, err := h.firstOfAlbum(tx, m)
	if err != nil {
		return courtesy{}, err
	}
	if first || m.words() != "" {
		err := tx.Emit(store.Event{Kind: store.EventReply, Ticket: t.ID, FeedbackID: t.FeedbackID, Actor: m.actor(),
			Text: m.words(), At: h.now()})
		if err != nil {
			return courtesy{}, fmt.Errorf("record a reply: %w", err)
		}
	}
	author := store.Person{}
	if t.TelegramID > 0 {
		if author, err = tx.Person(t.TelegramID); err != nil {
			return courtesy{}, fmt.Errorf("look up a ticket's author: %w", err)
		}
	}
	if r := reachOf(t.Ticket, author); r != reachable {
		return courtesy{}, h.tellUnreachable(tx, m, t.Ticket, r, first)
	}
	return h.deliverReply(tx, m, t, author, link, first)
}

// deliverReply sends a reply to the author and has the ticket show that it was answered, unless it is closed.
func (h handlers) deliverReply(tx store.Tx, m *message, t store.TicketRecord, author store.Person, link store.Link, first bool) (courtesy, error) {
	texts, header := ticket.Texts(h.languageOf(author.Language)), ""
	if first {
		header = about(texts.Staff.Reply, t.ID)
	}
	to := store.Outgoing{ChatID: author.ID, Ticket: t.ID, FromChatID: m.Chat.ID, FromMessageID: int64(m.ID)}
	if link.PeerChatID == author.ID {
		to.ReplyTo = link.PeerMessageID
	}
	// Known on both sides, whether it is edited here or answered there.
	err := tx.LinkMessage(store.Link{ChatID: m.Chat.ID, MessageID: int64(m.ID), Ticket: t.ID, PeerChatID: author.ID, At: h.now()})
	if err != nil {
		return courtesy{}, fmt.Errorf("link a reply to its ticket: %w", err)
	}
	pieces := forwarded(m, header)
	for i, p := range pieces {
		out := to
		out.Copy, p.payload.Language = p.copied, author.Language
		if i == len(pieces)-1 {
			if out.IfRefused, err = h.undelivered(m, t.Ticket, first); err != nil {
				return courtesy{}, err
			}
		}
		if err := send(tx, out, p.payload); err != nil {
			return courtesy{}, err
		}
	}
	if err := h.invite(tx, &author, t); err != nil {
		return courtesy{}, err
	}
	if err := tx.SavePerson(author); err != nil {
		return courtesy{}, fmt.Errorf("have the author's answer go under the ticket: %w", err)
	}
	if t.Status != ticket.StatusClosed {
		if err := h.markReplied(tx, m, t); err != nil {
			return courtesy{}, err
		}
	}
	return reacts(m, "👌"), nil
}

// markReplied has a ticket's post show that it was answered, and so that of two posts to which the staff replied.
func (h handlers) markReplied(tx store.Tx, m *message, t store.TicketRecord) error {
	change := ticket.Change{Status: ticket.StatusReplied, Actor: m.actor(), At: h.now()}
	if r := m.ReplyTo; r != nil && int64(r.ID) != t.MessageID && h.nameOnButtons(r) == t.ID {
		if err := h.markPost(tx, &message{ID: r.ID, Chat: m.Chat, Text: r.Text, Entities: r.Entities, Keyboard: r.Keyboard}, change); err != nil {
			return err
		}
	}
	return h.giveStatus(tx, t, change, m.actorID())
}

// undelivered is what is said under a reply that Telegram will not bring to its author; once an album.
func (h handlers) undelivered(m *message, t ticket.Ticket, first bool) ([]store.Outgoing, error) {
	if !first {
		return nil, nil
	}
	body, err := payload{Text: unanswered(h.texts(), h.texts().Staff.ReplyRefused, t)}.encode()
	if err != nil {
		return nil, errors.Join(errBadUpdate, err)
	}
	return []store.Outgoing{{ChatID: m.Chat.ID, Payload: body, Ticket: t.ID, ReplyTo: int64(m.ID)}}, nil
}

// tellUnreachable says that a reply went nowhere: of a blocked bot with every reply, for the one who wrote it must know;
// of an author who is not in Telegram once a ticket, for the staff answers such on the site anyway.
func (h handlers) tellUnreachable(tx store.Tx, m *message, t ticket.Ticket, r reach, first bool) error {
	err := tx.LinkMessage(store.Link{ChatID: m.Chat.ID, MessageID: int64(m.ID), Ticket: t.ID, At: h.now()})
	if err != nil {
		return fmt.Errorf("link a reply to its ticket: %w", err)
	}
	format := h.texts().Staff.AuthorBlocked
	if r == reachNobody {
		format = h.texts().Staff.AuthorUnreachable
		if first, err = once(tx, "hint:"+t.ID, h.now()); err != nil {
			return err
		}
	}
	if !first {
		return nil
	}
	return send(tx, store.Outgoing{ChatID: m.Chat.ID, Ticket: t.ID, ReplyTo: int64(m.ID)}, payload{Text: unanswered(h.texts(), format, t)})
}

// unanswered says why a ticket's author gets no answer in Telegram, and where else to answer.
func unanswered(texts *ticket.Catalog, why ticket.Format, t ticket.Ticket) string {
	if t.Source != ticket.SourceSite {
		return about(why, t.ID)
	}
	return about(why, t.ID) + " " + texts.Staff.AnswerOnSite
}

// staffEdit handles a change of what the staff wrote. The only member of a private chat may change feedback as well.
func (h handlers) staffEdit(tx store.Tx, m *message) error {
	private := m.Chat.Type == models.ChatTypePrivate
	link, err := tx.MessageTicket(m.Chat.ID, int64(m.ID))
	switch {
	case errors.Is(err, store.ErrNotFound) && private:
		return h.directEdit(tx, m)
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look up the ticket of a reply: %w", err)
	}
	if private {
		t, err := tx.Ticket(link.Ticket)
		switch {
		case err == nil && t.TelegramID == m.Chat.ID:
			return h.directEdit(tx, m)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("look up the ticket of a reply: %w", err)
		}
	}
	return h.editReply(tx, m, link)
}

// editReply brings an author the new words of a reply, also those under an attachment, by an edit of what was sent, or will be.
func (h handlers) editReply(tx store.Tx, m *message, link store.Link) error {
	if m.kind() == kindNone || strings.HasPrefix(m.words(), noteMark) || link.PeerChatID <= 0 {
		return nil
	}
	author, err := tx.Person(link.PeerChatID)
	if err != nil {
		return fmt.Errorf("look up a ticket's author: %w", err)
	}
	pieces := forwarded(m, about(ticket.Texts(h.languageOf(author.Language)).Staff.Reply, link.Ticket))
	if len(pieces) != 1 { // it has become too long for one message, or can have no words
		return nil
	}
	pieces[0].payload.Caption = pieces[0].copied
	body, err := pieces[0].payload.encode()
	if err != nil {
		return errors.Join(errBadUpdate, err)
	}
	return tx.Edit(store.Edit{ChatID: link.PeerChatID, MessageID: link.PeerMessageID, FromChatID: link.ChatID, FromMessageID: link.MessageID,
		Payload: body})
}

// texts are those of the staff's chats.
func (h handlers) texts() *ticket.Catalog { return ticket.Texts(h.cfg.Language) }

// onceMemory is how long the store remembers what is to be done once; a ticket is not answered for longer.
const onceMemory = 90 * 24 * time.Hour

// maxAlbumID bounds what is remembered of an album's id.
const maxAlbumID = 32

// once tells whether a thing is done for the first time.
func once(tx store.Tx, what string, at time.Time) (bool, error) {
	first, _, err := tx.Take(what, 0, store.Limit{Uses: 1, Window: onceMemory}, at)
	if err != nil {
		return false, fmt.Errorf("look up whether something was done before: %w", err)
	}
	return first, nil
}

// firstOfAlbum tells whether a message is the first of its album that came; one that belongs to none always is.
func (h handlers) firstOfAlbum(tx store.Tx, m *message) (bool, error) {
	if m.AlbumID == "" {
		return true, nil
	}
	return once(tx, "album:"+ticket.Line(m.AlbumID, maxAlbumID), h.now())
}

// about is a text about a ticket.
func about(f ticket.Format, name string) string { return f.With(ticket.Values{"Ticket": name}) }
