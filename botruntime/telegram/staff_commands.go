// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// staffCommand does what a command asks for and returns the answer.
type staffCommand func(h handlers, tx store.Tx, m *message, o order) (reply, error)

// order is a command's: args is what stands behind it.
type order struct {
	args string
	facts
}

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

// staffCommandOf is the command that a message in a staff's chat gives to this bot; nil for none. What is forwarded is somebody
// else's.
func (h handlers) staffCommandOf(m *message) staffCommand {
	name, addressee := command(m.Text)
	if addressee != "" && !h.identity.isNamed(addressee) || m.ForwardOrigin != nil || !h.isFromStaff(m.Chat.ID) {
		return nil
	}
	return staffCommands(name)
}

// runCommand answers a command, of an administrator with what it asks for.
func (h handlers) runCommand(tx store.Tx, m *message, f facts, run staffCommand) error {
	if !f.admin {
		return h.refuseCommand(tx, m, f)
	}
	answer, err := run(h, tx, m, order{arguments(m), f})
	if err != nil {
		return err
	}
	return send(tx, store.Outgoing{ChatID: m.Chat.ID, Ticket: answer.name, ReplyTo: int64(m.ID)}, answer.payload)
}

// arguments are what stands behind a command.
func arguments(m *message) string {
	_, args, _ := strings.Cut(strings.Join(strings.Fields(m.Text), " "), " ")
	return args
}

// The kinds of limits on refusals: they go before tickets, which nobody is to hold up with commands. Who may be an administrator
// is to hear of each command that had no effect.
const (
	limitRefused = "refused"
	limitUnknown = "unknown"
)

var (
	refusedLimit = store.Limit{Uses: 1, Window: time.Minute}
	unknownLimit = store.Limit{Uses: 10, Window: time.Minute}
)

// refuseCommand tells somebody that a command is for administrators.
func (h handlers) refuseCommand(tx store.Tx, m *message, f facts) error {
	kind, limit := limitRefused, refusedLimit
	if f.adminUnknown && !f.adminHidden {
		kind, limit = limitUnknown, unknownLimit
	}
	if ok, _, err := tx.Take(kind, m.actorID(), limit, h.now()); err != nil || !ok {
		return wrapped("count a refusal", err)
	}
	return send(tx, store.Outgoing{ChatID: m.Chat.ID, ReplyTo: int64(m.ID)}, payload{Text: f.refusal(h.texts())})
}

// refusal says why one who acts may not do what is for administrators.
func (f facts) refusal(texts *ticket.Catalog) string {
	switch {
	case f.adminHidden:
		return texts.Staff.AdminHidden
	case f.adminUnknown:
		return texts.Staff.AdminUnknown
	}
	return texts.Staff.AdminOnly
}

// lookup is the ticket that a command is about, of those that meant finds. Where there is none, or not one alone, excuse says so.
func (h handlers) lookup(tx store.Tx, m *message, args string) (t store.TicketRecord, excuse string, err error) {
	texts := h.texts()
	found, err := h.meant(tx, m, args)
	switch {
	case errors.Is(err, store.ErrNotFound) && args == "":
		return t, texts.Staff.WhichTicket, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return t, "", err
	case len(found) == 0:
		return t, texts.Staff.NoSuchTicket, nil
	case len(found) == 1:
		return found[0], "", nil
	}
	var names []string
	for _, t := range found {
		names = append(names, t.ID)
	}
	last := len(names) - 1
	return t, texts.Staff.WhichOfTwo.With(ticket.Values{"First": strings.Join(names[:last], ", "), "Second": names[last]}), nil
}

// spoken is a bare number that words follow: in the answer to a ticket it may be one of the words.
var spoken = regexp.MustCompile(`^[0-9]+ `)

// meant are the tickets that a command may be about: that its first word names, or else of the message that the command answers, or of
// the topic that it was written in; both where the word may be one of a sentence. store.ErrNotFound where it names none and answers
// none, or one that is not there.
func (h handlers) meant(tx store.Tx, m *message, args string) ([]store.TicketRecord, error) {
	names := ticketNames(args)
	if names != nil && !spoken.MatchString(args) {
		return h.shown(tx, m, names)
	}
	link, err := h.target(tx, m)
	gone := errors.Is(err, store.ErrNotFound)
	switch {
	case err == nil && slices.Contains(names, link.Ticket):
		names = []string{link.Ticket}
	case err == nil:
		names = append([]string{link.Ticket}, names...)
	case !gone, names == nil, m.ReplyTo != nil && h.nameOnButtons(m.ReplyTo) != "": // of a ticket that nobody knows any more
		return nil, err
	}
	found, err := h.shown(tx, m, names)
	if err == nil && !gone && (len(found) == 0 || found[0].ID != link.Ticket) {
		return nil, store.ErrNotFound
	}
	return found, err
}

// shown are those of some tickets that there are, and that the chat of a message may see.
func (h handlers) shown(tx store.Tx, m *message, names []string) (found []store.TicketRecord, err error) {
	for _, name := range names {
		t, err := tx.Ticket(name)
		switch {
		case err == nil && h.isShownIn(t, m.Chat.ID):
			found = append(found, t)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, fmt.Errorf("look up a ticket: %w", err)
		}
	}
	return found, nil
}

// isShownIn tells whether a chat may see a ticket: the one that its post belongs to, and the chat of the spec.
func (h handlers) isShownIn(t store.TicketRecord, chatID int64) bool {
	chatID = h.effectiveChat(chatID)
	return chatID == h.effectiveChat(h.cfg.ChatID) || h.effectiveChat(t.ChatID) == chatID
}

// nameForm is how the number of a ticket is written: all of ticket_site_5, site_5, 5 and #5.
var nameForm = regexp.MustCompile(`^[#№]?(?:(?:ticket_)?(site|tg)_)?([0-9]{1,19})$`)

// ticketNames are the names that somebody may mean whose words begin so; nil where they name none, but say why, perhaps.
func ticketNames(args string) []string {
	word, _, _ := strings.Cut(args, " ")
	p := nameForm.FindStringSubmatch(strings.ToLower(word))
	switch {
	case p == nil:
		return nil
	case p[1] != "":
		return []string{"ticket_" + p[1] + "_" + p[2]}
	}
	return []string{"ticket_site_" + p[2], "ticket_tg_" + p[2]}
}

func (h handlers) openCommand(tx store.Tx, m *message, o order) (reply, error) {
	page, err := strconv.Atoi(o.args)
	if err != nil {
		page = 1
	}
	p, err := h.openPage(tx, h.effectiveChat(m.Chat.ID), page)
	return reply{payload: p}, err
}

func (h handlers) ticketCommand(tx store.Tx, m *message, o order) (reply, error) {
	t, excuse, err := h.lookup(tx, m, o.args)
	if err != nil || excuse != "" {
		return plain(excuse), err
	}
	return reply{payload: h.card(t), name: t.ID}, nil
}

func (h handlers) closeCommand(tx store.Tx, m *message, o order) (reply, error) {
	t, excuse, err := h.lookup(tx, m, o.args)
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

func (h handlers) banCommand(tx store.Tx, m *message, o order) (reply, error) {
	person, excuse, err := h.personMeant(tx, m, o.args)
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

func (h handlers) unbanCommand(tx store.Tx, m *message, o order) (reply, error) {
	person, excuse, err := h.personMeant(tx, m, o.args)
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

// idForm is how a Telegram id is written. Without its mark, and so short as nobody's id has been for years, it is a ticket's number.
var idForm = regexp.MustCompile(`^(?:id[0-9]{1,18}|[1-9][0-9]{5,17})$`)

// personMeant is who a command is about: by a Telegram id, or the author of a ticket, as lookup finds it. What may be both is
// asked about.
func (h handlers) personMeant(tx store.Tx, m *message, args string) (person store.Person, excuse string, err error) {
	word, _, _ := strings.Cut(strings.ToLower(args), " ")
	var id int64
	if idForm.MatchString(word) {
		if id, err = strconv.ParseInt(strings.TrimPrefix(word, "id"), 10, 64); err != nil {
			return person, "", fmt.Errorf("read a Telegram id: %w", err)
		}
		var found []store.TicketRecord
		if ticketNames(word) != nil {
			found, err = h.meant(tx, m, args)
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			return person, h.texts().Staff.NoSuchTicket, nil
		case err != nil:
			return person, "", err
		case len(found) > 0:
			return person, h.texts().Staff.TicketOrPerson.With(ticket.Values{"Ticket": found[0].ID, "ID": id}), nil
		}
	} else {
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

// daysAsked is how many days /stats is asked about.
func daysAsked(args string) int {
	days, err := strconv.Atoi(args)
	if err != nil || days <= 0 {
		days = statsDays
	}
	return min(days, mostStatsDays)
}

// statsCommand answers with what prepare counted: a transaction would hold up everybody meanwhile. Where it could not, whoever asks
// may ask again: the others of the chat do not wait for it.
func (h handlers) statsCommand(_ store.Tx, _ *message, o order) (reply, error) {
	switch {
	case errors.Is(o.statsErr, context.Canceled): // the bot is to end
		return reply{}, o.statsErr
	case o.statsErr != nil:
		return plain(h.texts().Staff.NotCounted), nil
	}
	return reply{payload: statistics(h.texts(), o.stats, daysAsked(o.args))}, nil
}

func (h handlers) helpCommand(store.Tx, *message, order) (reply, error) {
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
		return says(q, f.refusal(texts)), nil
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
	p, err := h.openPage(tx, h.effectiveChat(q.Message.Chat.ID), number)
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
