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

// The kinds of what is limited.
const (
	limitFeedback = store.LimitFeedback // tickets
	limitMore     = "more"              // additions to tickets
	limitTalk     = "talk"              // anything at all
	limitTold     = "told"              // telling who writes too fast
	limitGroup    = "group"             // answers in a strange group
)

const (
	// afterTicket is how long messages that answer none of the bot's go to the ticket that was written last.
	afterTicket = 10 * time.Minute
	// banReminder is how often somebody who is banned is told.
	banReminder = 24 * time.Hour
)

var (
	// feedbackLimit is the limit of a spec that gives none.
	feedbackLimit = store.Limit{Uses: 5, Window: 10 * time.Minute}
	// moreLimit is three albums. It is not the spec's, unless that is more: who may write one ticket a day may answer the staff
	// more often.
	moreLimit = store.Limit{Uses: 30, Window: 10 * time.Minute}
	// talkLimit is more than a person types or an album has.
	talkLimit  = store.Limit{Uses: 40, Window: time.Minute}
	toldLimit  = store.Limit{Uses: 1, Window: time.Minute}
	groupLimit = store.Limit{Uses: 1, Window: time.Minute}
)

// talk is one update of a person's on its way through a conversation.
type talk struct {
	handlers
	tx     store.Tx
	user   *models.User
	person store.Person
	dialog dialog
	texts  *ticket.Catalog
}

// meet begins a talk. It is nil with a person who is not listened to, one that writes faster than people do or is banned, and
// who knows it then.
func (h handlers) meet(tx store.Tx, user *models.User) (*talk, error) {
	if user == nil || user.ID <= 0 {
		return nil, nil
	}
	now := h.now()
	inTime, next, err := tx.Take(limitTalk, user.ID, talkLimit, now)
	if err != nil {
		return nil, fmt.Errorf("count a message: %w", err)
	}
	person, err := tx.Person(user.ID)
	if err != nil {
		return nil, fmt.Errorf("look up a person: %w", err)
	}
	person.Language, person.SeenAt, person.Blocked = h.languageOf(user.LanguageCode), now, false
	t := &talk{handlers: h, tx: tx, user: user, person: person, dialog: readDialog(person.Dialog), texts: h.textsFor(user)}
	switch {
	case !person.BannedAt.IsZero() && !inTime:
		return nil, nil
	case !person.BannedAt.IsZero():
		return nil, t.refuseBanned()
	case !inTime:
		return nil, t.refuseHaste(next)
	}
	return t, nil
}

// refuseHaste tells somebody who writes too fast that nothing more is read until some time; once a minute.
func (t *talk) refuseHaste(next time.Time) error {
	now := t.now()
	first, _, err := t.tx.Take(limitTold, t.person.ID, toldLimit, now)
	if err != nil || !first {
		return wrapped("look up whether a person was told", err)
	}
	return t.say(t.texts.Direct.TooFast.With(ticket.Values{"Wait": t.texts.Wait(next.Sub(now))}))
}

// refuseBanned tells somebody of the ban, once a day.
func (t *talk) refuseBanned() error {
	now := t.now()
	if t.person.ToldAt.IsZero() || now.Sub(t.person.ToldAt) >= banReminder {
		t.person.ToldAt = now
		if err := t.say(t.texts.Direct.Banned); err != nil {
			return err
		}
	}
	return wrapped("keep a person", t.tx.SavePerson(t.person))
}

// directMessage handles what a person wrote to the bot.
func (h handlers) directMessage(tx store.Tx, m *message) error {
	if m.kind() == kindNone && m.unsupported == (unsupported{}) {
		return nil // a message was pinned, say
	}
	t, err := h.meet(tx, m.From)
	if err != nil || t == nil {
		return err
	}
	if m.kind() == kindNone {
		return errors.Join(t.say(t.texts.Direct.Unsupported), t.save(t.dialog))
	}
	in, link, err := t.input(m)
	if err != nil {
		return err
	}
	if in.command == "/feedback" && t.cfg.Intake.Enabled {
		if ok, err := t.mayWrite(); err != nil || !ok {
			return errors.Join(err, t.save(t.dialog))
		}
	}
	after, move := t.dialog.next(in, t.rules())
	return t.act(m, link, after, move)
}

// input is a message as a conversation takes it, with the link of the message that it answers.
func (t *talk) input(m *message) (in input, link store.Link, err error) {
	in = t.written(m)
	if r := m.ReplyTo; r != nil {
		link, err = t.tx.MessageTicket(m.Chat.ID, int64(r.ID))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return in, link, fmt.Errorf("look up the ticket of a message: %w", err)
		}
		in.answers = link.Ticket
	}
	if t.dialog.Ticket != "" && t.now().Before(t.dialog.Until) {
		record, err := t.tx.Ticket(t.dialog.Ticket)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return in, link, fmt.Errorf("look up the ticket of a conversation: %w", err)
		}
		if err == nil && record.Status != ticket.StatusClosed {
			in.current = record.ID
		}
	}
	return in, link, nil
}

// written is what a message says, whatever it answers.
func (t *talk) written(m *message) input {
	in := input{text: ticket.Clean(m.words()), file: m.has(), attached: m.attached(), messageID: m.ID, album: m.AlbumID}
	name, addressee := command(m.Text)
	if addressee == "" || t.identity.isNamed(addressee) || t.identity.get().Username == "" {
		in.command = name
	}
	return in
}

// limit is how many tickets the person may write.
func (t *talk) limit() store.Limit {
	if l := t.cfg.Intake.Limit; l.Uses > 0 {
		return l
	}
	return feedbackLimit
}

// more is the limit of what the person may add to tickets: six times the spec's, where that is more often.
func (t *talk) more() store.Limit {
	l := t.limit()
	l.Uses *= 6
	if time.Duration(l.Uses)*moreLimit.Window > time.Duration(moreLimit.Uses)*l.Window {
		return l
	}
	return moreLimit
}

// rules are the spec's, in the person's language.
func (t *talk) rules() rules {
	intake := t.cfg.Intake
	r := rules{enabled: intake.Enabled, minLength: intake.MinLength, maxLength: intake.MaxLength, texts: t.texts}
	show := t.show()
	for _, c := range intake.Categories {
		r.categories = append(r.categories, choice{name: c.Name, label: show.CategoryTitle(c.Name)})
	}
	return r
}

// show is how tickets are shown to the person.
func (t *talk) show() ticket.Options {
	o := t.cfg.show()
	o.Texts = t.texts
	return o
}

// act does what a conversation leads to, and keeps its state.
func (t *talk) act(m *message, answered store.Link, after dialog, do move) (err error) {
	if err := t.sayAll(do); err != nil {
		return err
	}
	switch {
	case do.list:
		err = t.list()
	case do.draft != nil:
		after, err = t.submit(m, after, do.draft)
	case do.under != "":
		after, err = t.add(m, after, do, answered)
	}
	if err != nil {
		return err
	}
	return t.save(after)
}

func (t *talk) save(d dialog) (err error) {
	if t.person.Dialog, err = d.encode(); err != nil {
		return errors.Join(errBadUpdate, err)
	}
	return wrapped("keep a person", t.tx.SavePerson(t.person))
}

func (t *talk) sayAll(do move) error {
	for _, s := range do.say {
		if err := t.sayWith(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) say(text string) error { return t.sayWith(saying{text: text}) }

func (t *talk) sayWith(s saying) error {
	p := payload{Text: s.text, Language: t.person.Language}
	if s.choices {
		p.Keyboard = categoryKeyboard(t.rules().categories)
	}
	return wrapped("answer a person", send(t.tx, store.Outgoing{ChatID: t.person.ID}, p))
}

// categoryPrefix begins what the buttons of categories carry.
const categoryPrefix = "cat_"

// categoryKeyboard are the buttons of the categories, two in a row.
func categoryKeyboard(choices []choice) *models.InlineKeyboardMarkup {
	var rows [][]models.InlineKeyboardButton
	for i, c := range choices {
		if i%2 == 0 {
			rows = append(rows, nil)
		}
		rows[i/2] = append(rows[i/2], models.InlineKeyboardButton{Text: c.label, CallbackData: categoryPrefix + c.name})
	}
	return &models.InlineKeyboardMarkup{InlineKeyboard: rows}
}

// directPress handles the press of a button in a direct message.
func (h handlers) directPress(tx store.Tx, q *query) (courtesy, error) {
	texts := h.textsFor(&q.From)
	category, ok := strings.CutPrefix(q.Data, categoryPrefix)
	if !ok {
		return says(q, texts.UnknownButton), nil
	}
	t, err := h.meet(tx, &q.From)
	if err != nil || t == nil {
		return says(q, ""), err
	}
	after, do := t.dialog.next(input{pressed: true, category: category}, t.rules())
	if do.chosen != "" && q.Message.accessible() {
		body, err := payload{Text: do.chosen}.encode()
		if err != nil {
			return courtesy{}, errors.Join(errBadUpdate, err)
		}
		if err := tx.Edit(store.Edit{ChatID: q.Message.Chat.ID, MessageID: int64(q.Message.ID), Payload: body}); err != nil {
			return courtesy{}, fmt.Errorf("edit the question: %w", err)
		}
	}
	return says(q, do.toast), t.act(q.Message, store.Link{}, after, do)
}

// directMembership notes that a person blocked the bot, or does so no more.
func (h handlers) directMembership(tx store.Tx, m *memberships) error {
	p, err := tx.Person(m.Chat.ID)
	if err != nil {
		return fmt.Errorf("look up a person: %w", err)
	}
	if p.Blocked = m.New.Status == "kicked"; !p.Blocked {
		p.SeenAt = h.now()
	}
	return wrapped("keep a person", tx.SavePerson(p))
}

// strangeGroup handles a message in a chat that is not the staff's: a command that names the bot is answered, and nothing
// else is.
func (h handlers) strangeGroup(tx store.Tx, m *message) error {
	name, addressee := command(m.Text)
	if !isDirectCommand(name) || !h.identity.isNamed(addressee) || m.From == nil || m.Chat.Type == models.ChatTypeChannel {
		return nil
	}
	if ok, _, err := tx.Take(limitGroup, m.Chat.ID, groupLimit, h.now()); err != nil || !ok {
		return wrapped("count an answer", err)
	}
	texts := h.textsFor(m.From)
	text := texts.Hint
	if h.cfg.Intake.Enabled {
		text = texts.Direct.Elsewhere.With(ticket.Values{"Bot": h.identity.get().Username})
	}
	return send(tx, store.Outgoing{ChatID: m.Chat.ID, ReplyTo: int64(m.ID)}, payload{Text: text})
}
