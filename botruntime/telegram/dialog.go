// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

const (
	// dialogVersion is the form in which conversations are kept.
	dialogVersion = 1
	// maxNickname is the length of a nickname in UTF-16 units, as posts show it.
	maxNickname = 64
	// maxFiles is how many files can be attached to a ticket before its text comes.
	maxFiles = 10
)

// step is the question that a conversation has come to.
type step string

const (
	stepIdle     step = ""
	stepNickname step = "nickname"
	stepCategory step = "category"
	stepText     step = "text"
)

// dialog is the state of a conversation with one person.
type dialog struct {
	Version  int    `json:"v"`
	Step     step   `json:"step,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Category string `json:"category,omitempty"`
	// Files are the messages whose files are to be attached. Full is set when one more was refused.
	Files []int `json:"files,omitempty"`
	Full  bool  `json:"full,omitempty"`
	// Refused is the message that did not do as an answer to the last question: an edit of it is another try.
	Refused int `json:"refused,omitempty"`
	// Advised is set when the person was told how to answer the staff meanwhile.
	Advised bool `json:"advised,omitempty"`
	// Album is the album that came last. Its parts come one by one: what was said to the first is not said again. Dropped is
	// one that a limit cut off: the rest of it goes the same way.
	Album   string `json:"album,omitempty"`
	Dropped string `json:"dropped,omitempty"`
	// AlbumTicket is the ticket that the parts of Album went to: where the rest belongs, whatever the staff answers meanwhile.
	AlbumTicket string `json:"album_ticket,omitempty"`
	// Ticket is where messages belong that answer none of the bot's, before Until.
	Ticket string    `json:"ticket,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// readDialog reads what encode wrote. Of anything else nothing is made: the conversation begins anew.
func readDialog(data []byte) dialog {
	var d dialog
	if len(data) == 0 || json.Unmarshal(data, &d) != nil || d.Version != dialogVersion || len(d.Files) > maxFiles ||
		!slices.Contains([]step{stepIdle, stepNickname, stepCategory, stepText}, d.Step) {
		return dialog{Version: dialogVersion}
	}
	return d
}

func (d dialog) encode() ([]byte, error) { return json.Marshal(d) }

// over is the conversation after its last question, or without one.
func (d dialog) over() dialog {
	return dialog{Version: dialogVersion, Album: d.Album, Dropped: d.Dropped, AlbumTicket: d.AlbumTicket, Ticket: d.Ticket, Until: d.Until}
}

// at is the conversation at a step.
func (d dialog) at(s step) dialog {
	if d.Step != s {
		d.Step, d.Refused = s, 0
	}
	return d
}

// cutOff is the conversation when a limit has refused a message, with the rest of its album, if it has one.
func (d dialog) cutOff(album string) dialog {
	d.Album, d.Dropped = album, album
	return d
}

// gathered is the conversation after a message, or a part of an album, went to a ticket.
func (d dialog) gathered(album, ticketID string) dialog {
	if album != "" {
		d.AlbumTicket = ticketID
	}
	return d
}

// awaits tells whether an edit of a message is another try at an answer.
func (d dialog) awaits(messageID int) bool {
	return d.Step != stepIdle && d.Refused == messageID || d.Step == stepText && slices.Contains(d.Files, messageID)
}

// expects has messages that answer none of the bot's go to a ticket until a time.
func (d dialog) expects(ticketID string, until time.Time) dialog {
	d.Ticket, d.Until = ticketID, until
	return d
}

// answered is the conversation once the staff answered a ticket: messages go there until a time, and it ends if it has
// gathered nothing yet, for what is written next is meant for the staff. A closed ticket takes replies alone. say is what the
// person has to know of that, if anything.
func (d dialog) answered(ticketID string, closed bool, until time.Time, texts *ticket.Catalog) (_ dialog, say string) {
	d = d.expects(ticketID, until)
	switch {
	case d.Step == stepIdle, d.Advised:
		return d, ""
	case d.Step != stepText && !closed:
		return d.over(), texts.Direct.SetAside
	}
	d.Advised = true
	return d, texts.Direct.AnswerByReply
}

// input is what a person did, as far as a conversation depends on it.
type input struct {
	// command is the command that the message begins with, if any, in lower case.
	command string
	// pressed is whether the button of a category was pressed.
	pressed  bool
	category string
	// text is what was written, cleaned. file is whether something is attached, in message messageID.
	text      string
	file      bool
	messageID int
	album     string
	// answers is the ticket of the message that it replies to, current the one that it belongs to if it replies to none.
	answers, current string
}

// rules are what a conversation keeps to.
type rules struct {
	// enabled is whether the bot takes feedback.
	enabled bool
	// minLength and maxLength are those of a text, in characters.
	minLength, maxLength int
	categories           []choice
	texts                *ticket.Catalog
}

// choice is a category as a person sees it.
type choice struct{ name, label string }

// saying is a message to the person.
type saying struct {
	text string
	// choices has it carry the buttons of the categories.
	choices bool
}

// draft is a ticket that a conversation has led to.
type draft struct {
	nickname, category, text string
	files                    []int
}

// move is what follows from an input.
type move struct {
	say []saying
	// toast answers a press; chosen is what the message with the buttons says from then on, if it changes.
	toast, chosen string
	// draft is a ticket to make, under the ticket that the message goes to; quiet has that not confirmed.
	draft *draft
	under string
	quiet bool
	// list has the person's tickets listed.
	list bool
}

// say is a move that says one thing.
func say(text string) move { return move{say: []saying{{text: text}}} }

// next is the conversation after an input, and what follows from it.
func (d dialog) next(in input, r rules) (dialog, move) {
	if !r.enabled {
		d = d.over()
	}
	if in.pressed {
		return d.press(in, r)
	}
	if in.album != "" && in.album == d.Dropped {
		return d, move{}
	}
	heard := in.album != "" && in.album == d.Album
	if d.Album = in.album; !heard {
		d.AlbumTicket = ""
	}
	switch {
	case isDirectCommand(in.command):
		return d.command(in.command, r)
	case d.AlbumTicket != "":
		return d, move{under: d.AlbumTicket, quiet: true}
	case in.answers != "":
		return d, move{under: in.answers, quiet: heard}
	case d.Step == stepIdle && in.current != "" && in.command == "":
		return d, move{under: in.current, quiet: heard}
	}
	return d.answer(in, heard, r)
}

// answer takes a message as the answer to the last question. heard is whether another part of its album came before, and
// was told if that did not do.
func (d dialog) answer(in input, heard bool, r rules) (after dialog, m move) {
	switch d.Step {
	case stepNickname:
		after, m = d.nickname(in, r)
	case stepCategory:
		after, m = d.categoryInWords(in, r)
	case stepText:
		after, m = d.text(in, heard, r)
	default:
		after, m = d, r.hint()
	}
	if after.Step != d.Step {
		return after, m
	}
	if heard && d.Step != stepText {
		m.say = nil
	}
	if in.text != "" && d.Step != stepIdle {
		after.Refused = in.messageID
	}
	return after, m
}

// isDirectCommand tells the commands that people can give in a direct message. Others may be words of a text: "/home does
// not work".
func isDirectCommand(name string) bool {
	switch name {
	case "/start", "/help", "/status", "/cancel", "/feedback", "/skip":
		return true
	}
	return false
}

func (d dialog) command(name string, r rules) (dialog, move) {
	texts := r.texts.Direct
	switch {
	case name == "/start" && r.enabled:
		return d.over(), say(texts.Start)
	case name == "/start":
		return d.over(), say(r.texts.Start)
	case name == "/help" && r.enabled:
		return d, say(texts.Help)
	case name == "/help":
		return d, say(r.texts.Help)
	case name == "/status":
		return d, move{list: true}
	case name == "/cancel" && d.Step == stepIdle && r.enabled:
		return d, say(texts.NothingToCancel)
	case name == "/cancel" && d.Step != stepIdle:
		return d.over(), say(texts.Cancelled)
	case name == "/feedback" && r.enabled:
		return d.over().at(stepNickname), say(texts.AskNickname)
	case name == "/skip" && d.Step == stepNickname:
		return d.named("", r)
	}
	return d, r.question(d.Step)
}

// hint is said where the bot has no use for what was written.
func (r rules) hint() move {
	if r.enabled {
		return say(r.texts.Direct.Hint)
	}
	return say(r.texts.Hint)
}

// question is what a step asks.
func (r rules) question(s step) move {
	switch s {
	case stepNickname:
		return say(r.texts.Direct.AskNickname)
	case stepCategory:
		return move{say: []saying{{r.texts.Direct.AskCategory, true}}}
	case stepText:
		return say(r.texts.Direct.AskText.With(ticket.Values{"Min": r.minLength, "Max": r.maxLength}))
	}
	return r.hint()
}

func (d dialog) nickname(in input, r rules) (dialog, move) {
	switch nickname := ticket.Line(in.text, maxNickname); {
	case in.file && in.text == "":
		return d, r.question(stepNickname)
	case nickname == "", in.command != "", strings.Contains(in.text, "\n"), ticket.Units(in.text) > maxNickname:
		return d, say(r.texts.Direct.BadNickname.Count(maxNickname))
	default:
		return d.named(nickname, r)
	}
}

func (d dialog) named(nickname string, r rules) (dialog, move) {
	d.Nickname = nickname
	return d.at(stepCategory), r.question(stepCategory)
}

// categoryInWords takes the category from a person who writes it rather than press its button.
func (d dialog) categoryInWords(in input, r rules) (dialog, move) {
	for _, c := range r.categories {
		_, title, _ := strings.Cut(c.label, " ")
		if in.text != "" && (strings.EqualFold(in.text, c.label) || strings.EqualFold(in.text, title)) {
			return d.about(c.name, r)
		}
	}
	return d, move{say: []saying{{r.texts.Direct.PressCategory, true}}}
}

func (d dialog) about(category string, r rules) (dialog, move) {
	d.Category = category
	return d.at(stepText), r.question(stepText)
}

// press takes the category, also another one than before.
func (d dialog) press(in input, r rules) (dialog, move) {
	i := slices.IndexFunc(r.categories, func(c choice) bool { return c.name == in.category })
	if i < 0 || !r.enabled || d.Step != stepCategory && d.Step != stepText {
		return d, move{toast: r.texts.UnknownButton}
	}
	asked := d.Step == stepText
	d, m := d.about(in.category, r)
	if asked {
		m.say = nil
	}
	m.toast = r.texts.Direct.Chosen.With(ticket.Values{"Category": r.categories[i].label})
	m.chosen = m.toast
	return d, m
}

// text takes the text, and files that come before it or with it.
func (d dialog) text(in input, heard bool, r rules) (dialog, move) {
	texts, m := r.texts.Direct, move{}
	switch {
	case in.file && slices.Contains(d.Files, in.messageID): // its words were changed
	case in.file && len(d.Files) < maxFiles:
		d.Files = append(slices.Clone(d.Files), in.messageID)
	case in.file:
		if !d.Full {
			m = say(texts.TooManyFiles.Count(maxFiles))
		}
		d.Full, heard = true, true
	}
	n := utf8.RuneCountInString(in.text)
	switch {
	case n == 0 && heard:
	case n == 0:
		m.say = append(m.say, saying{text: texts.KeptFile})
	case n < r.minLength || ticket.Line(in.text, ticket.MaxUnits) == "":
		m.say = append(m.say, saying{text: texts.TooShort.Count(r.minLength)})
	case n > r.maxLength:
		m.say = append(m.say, saying{text: texts.TooLong.Count(n, ticket.Values{"Max": r.maxLength})})
	default:
		m.draft = &draft{nickname: d.Nickname, category: d.Category, text: in.text, files: d.Files}
		d = d.over()
	}
	return d, m
}
