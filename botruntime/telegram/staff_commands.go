// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// staffCommand does what a command asks for and returns the answer; args is what stands behind the command.
type staffCommand func(h handlers, tx store.Tx, m *message, args string) (reply, error)

// reply is the answer to a command. name is the ticket that it is about, if any: who replies to it writes to its author.
type reply struct {
	payload payload
	name    string
}

func plain(text string) reply { return reply{payload: payload{Text: text}} }

// staffCommands are the commands for administrators of a staff's chat.
func staffCommands(name string) staffCommand {
	switch name {
	case "/open":
		return handlers.openCommand
	case "/ticket":
		return handlers.ticketCommand
	case "/close":
		return handlers.closeCommand
	case "/ban":
		return handlers.banCommand
	case "/unban":
		return handlers.unbanCommand
	case "/stats":
		return handlers.statsCommand
	case "/help":
		return handlers.helpCommand
	}
	return nil
}

// staffCommandOf is the command that a message in a staff's chat gives to this bot; nil for none.
func (h handlers) staffCommandOf(m *message) staffCommand {
	name, addressee := command(m.Text)
	if addressee != "" && !h.identity.isNamed(addressee) || !h.isStaffChat(m.Chat.ID) {
		return nil
	}
	return staffCommands(name)
}

// runCommand answers a command, of an administrator with what it asks for.
func (h handlers) runCommand(tx store.Tx, m *message, f facts, run staffCommand) error {
	if !f.admin {
		return h.refuseCommand(tx, m, f)
	}
	_, args, _ := strings.Cut(strings.Join(strings.Fields(m.Text), " "), " ")
	answer, err := run(h, tx, m, args)
	if err != nil {
		return err
	}
	return send(tx, store.Outgoing{ChatID: m.Chat.ID, Ticket: answer.name, ReplyTo: int64(m.ID)}, answer.payload)
}

// limitRefused is the kind of the limit on refusals: they go before tickets, which nobody is to hold up with commands.
const limitRefused = "refused"

var refusedLimit = store.Limit{Uses: 1, Window: time.Minute}

// refuseCommand tells somebody, once a minute, that a command is for administrators.
func (h handlers) refuseCommand(tx store.Tx, m *message, f facts) error {
	if ok, _, err := tx.Take(limitRefused, m.actorID(), refusedLimit, h.now()); err != nil || !ok {
		return wrapped("count a refusal", err)
	}
	text := h.texts().Staff.AdminOnly
	if f.adminUnknown {
		text = h.texts().Staff.AdminUnknown
	}
	return send(tx, store.Outgoing{ChatID: m.Chat.ID, ReplyTo: int64(m.ID)}, payload{Text: text})
}

// lookup is the ticket that a command is about: named, or of the message that the command answers, or of the topic that it
// was written in. Where there is none, or not one alone, excuse says so.
func (h handlers) lookup(tx store.Tx, m *message, args string) (t store.TicketRecord, excuse string, err error) {
	texts := h.texts()
	names := ticketNames(args)
	if args == "" {
		link, err := h.target(tx, m)
		if errors.Is(err, store.ErrNotFound) {
			return t, texts.Staff.WhichTicket, nil
		}
		if err != nil {
			return t, "", err
		}
		names = []string{link.Ticket}
	}
	var found []store.TicketRecord
	for _, name := range names {
		t, err := tx.Ticket(name)
		switch {
		case err == nil && h.isShownIn(t, m.Chat.ID):
			found = append(found, t)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return t, "", fmt.Errorf("look up a ticket: %w", err)
		}
	}
	switch len(found) {
	case 0:
		return t, texts.Staff.NoSuchTicket, nil
	case 1:
		return found[0], "", nil
	}
	return t, texts.Staff.WhichOfTwo.With(ticket.Values{"First": found[0].ID, "Second": found[1].ID}), nil
}

// isShownIn tells whether a chat may see a ticket: the one that its post belongs to, and the chat of the spec.
func (h handlers) isShownIn(t store.TicketRecord, chatID int64) bool {
	return chatID == h.effectiveChat(h.cfg.ChatID) || h.effectiveChat(t.ChatID) == chatID
}

// ticketNames are the names that somebody who writes this may mean: all of ticket_site_5, site_5 and 5.
func ticketNames(s string) []string {
	s = strings.ToLower(strings.TrimLeft(s, "#№"))
	if len(s) > 64 {
		return nil
	}
	if _, err := strconv.ParseUint(s, 10, 63); err == nil {
		return []string{"ticket_site_" + s, "ticket_tg_" + s}
	}
	return []string{"ticket_" + strings.TrimPrefix(s, "ticket_")}
}

func (h handlers) openCommand(tx store.Tx, m *message, args string) (reply, error) {
	page, err := strconv.Atoi(args)
	if err != nil {
		page = 1
	}
	p, err := h.openPage(tx, m.Chat.ID, page)
	return reply{payload: p}, err
}

func (h handlers) ticketCommand(tx store.Tx, m *message, args string) (reply, error) {
	t, excuse, err := h.lookup(tx, m, args)
	if err != nil || excuse != "" {
		return plain(excuse), err
	}
	return reply{payload: h.card(t), name: t.ID}, nil
}

func (h handlers) closeCommand(tx store.Tx, m *message, args string) (reply, error) {
	t, excuse, err := h.lookup(tx, m, args)
	if err != nil || excuse != "" {
		return plain(excuse), err
	}
	if t.Status == ticket.StatusClosed {
		return reply{payload{Text: about(h.texts().Staff.AlreadyClosed, t.ID)}, t.ID}, nil
	}
	change := ticket.Change{Status: ticket.StatusClosed, Actor: m.actor(), At: h.now()}
	if err := h.giveStatus(tx, t, change, m.actorID()); err != nil {
		return reply{}, err
	}
	return reply{payload{Text: about(h.texts().Staff.Closed, t.ID)}, t.ID}, nil
}

func (h handlers) banCommand(tx store.Tx, m *message, args string) (reply, error) {
	person, excuse, err := h.personMeant(tx, m, args)
	if err != nil || excuse != "" {
		return plain(excuse), err
	}
	id := strconv.FormatInt(person.ID, 10)
	if !person.BannedAt.IsZero() {
		return plain(h.texts().Staff.AlreadyBanned.With(ticket.Values{"ID": id, "Who": person.BannedBy})), nil
	}
	person.BannedAt, person.BannedBy, person.Dialog = h.now(), m.actor(), nil
	return plain(h.texts().Staff.Banned.With(ticket.Values{"ID": id})), wrapped("ban a person", tx.SavePerson(person))
}

func (h handlers) unbanCommand(tx store.Tx, m *message, args string) (reply, error) {
	person, excuse, err := h.personMeant(tx, m, args)
	if err != nil || excuse != "" {
		return plain(excuse), err
	}
	id := strconv.FormatInt(person.ID, 10)
	if person.BannedAt.IsZero() {
		return plain(h.texts().Staff.NotBanned.With(ticket.Values{"ID": id})), nil
	}
	person.BannedAt, person.BannedBy, person.ToldAt = time.Time{}, "", time.Time{}
	return plain(h.texts().Staff.Unbanned.With(ticket.Values{"ID": id})), wrapped("lift a ban", tx.SavePerson(person))
}

// personMeant is who a command is about: by a Telegram id, or the author of a ticket, as lookup finds it.
func (h handlers) personMeant(tx store.Tx, m *message, args string) (person store.Person, excuse string, err error) {
	id, parseErr := strconv.ParseInt(strings.TrimPrefix(strings.ToUpper(args), "ID"), 10, 64)
	if parseErr != nil {
		t, excuse, err := h.lookup(tx, m, args)
		if err != nil || excuse != "" {
			return person, excuse, err
		}
		id = t.TelegramID
	}
	if id <= 0 {
		return person, h.texts().Staff.NoAuthor, nil
	}
	if person, err = tx.Person(id); err != nil {
		return person, "", fmt.Errorf("look up a person: %w", err)
	}
	return person, "", nil
}

const (
	statsDays     = 7 // unless another number is named
	mostStatsDays = 366
	day           = 24 * time.Hour
)

func (h handlers) statsCommand(tx store.Tx, _ *message, args string) (reply, error) {
	days, err := strconv.Atoi(args)
	if err != nil || days <= 0 {
		days = statsDays
	}
	days = min(days, mostStatsDays)
	stats, err := tx.TicketStats(h.now().Add(-time.Duration(days) * day))
	if err != nil {
		return reply{}, fmt.Errorf("count tickets: %w", err)
	}
	_, open, err := tx.Tickets(store.TicketQuery{Open: true, Limit: 1})
	if err != nil {
		return reply{}, fmt.Errorf("count open tickets: %w", err)
	}
	return reply{payload: statistics(h.texts(), stats, days, open)}, nil
}

func (h handlers) helpCommand(store.Tx, *message, string) (reply, error) {
	return plain(h.texts().Staff.Help), nil
}

// The data of the buttons under lists and cards.
const (
	openPrefix  = "open_"
	retryPrefix = "retry_"
)

// adminCallback handles the buttons under lists and cards in a chat of the staff's.
func (h handlers) adminCallback(tx store.Tx, q *query, f facts) (courtesy, error) {
	texts := h.textsFor(&q.From)
	if !q.Message.accessible() || !hasButton(q.Message.Keyboard, q.Data) {
		return says(q, texts.UnknownButton), nil
	}
	if !f.admin {
		if f.adminUnknown {
			return says(q, texts.Staff.AdminUnknown), nil
		}
		return says(q, texts.Staff.AdminOnly), nil
	}
	if page, ok := strings.CutPrefix(q.Data, openPrefix); ok {
		return h.turnPage(tx, q, page)
	}
	if name, ok := strings.CutPrefix(q.Data, retryPrefix); ok {
		return h.retry(tx, q, name)
	}
	return says(q, texts.UnknownButton), nil
}

func (h handlers) turnPage(tx store.Tx, q *query, page string) (courtesy, error) {
	number, err := strconv.Atoi(page)
	if err != nil {
		return says(q, h.textsFor(&q.From).UnknownButton), nil
	}
	p, err := h.openPage(tx, q.Message.Chat.ID, number)
	if err != nil {
		return courtesy{}, err
	}
	return says(q, ""), edit(tx, q.Message.Chat.ID, int64(q.Message.ID), p)
}

// retry has a ticket posted again that Telegram refused.
func (h handlers) retry(tx store.Tx, q *query, name string) (courtesy, error) {
	texts := h.textsFor(&q.From)
	again, err := tx.Retry(name)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return courtesy{}, fmt.Errorf("put a ticket back into the outbox: %w", err)
	case err != nil || !again:
		return says(q, texts.Staff.NothingToRetry), nil
	}
	t, err := tx.Ticket(name)
	if err != nil {
		return courtesy{}, fmt.Errorf("look up a ticket: %w", err)
	}
	return says(q, about(texts.Staff.RetryBegun, name)), edit(tx, q.Message.Chat.ID, int64(q.Message.ID), h.card(t))
}
