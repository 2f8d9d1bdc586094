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
	// Album is the album that came last. Its parts come one by one: what was said to the first is not said again.
	Album string `json:"album,omitempty"`
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
	return dialog{Version: dialogVersion, Album: d.Album, Ticket: d.Ticket, Until: d.Until}
}

// expects has messages that answer none of the bot's go to a ticket until a time.
func (d dialog) expects(ticketID string, until time.Time) dialog {
	d.Ticket, d.Until = ticketID, until
	return d
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
	switch {
	case in.pressed:
		return d.press(in, r)
	case isDirectCommand(in.command):
		return d.command(in.command, r)
	case in.answers != "":
		return d.goesUnder(in, in.answers)
	}
	switch d.Step {
	case stepNickname:
		return d.nickname(in, r)
	case stepCategory:
		return d.categoryInWords(in, r)
	case stepText:
		return d.text(in, r)
	}
	if in.current != "" && in.command == "" {
		return d.goesUnder(in, in.current)
	}
	return d, r.hint()
}

// goesUnder has a message go to a ticket. Of an album, one part is confirmed.
func (d dialog) goesUnder(in input, ticketID string) (dialog, move) {
	m := move{under: ticketID, quiet: in.album != "" && in.album == d.Album}
	d.Album = in.album
	return d, m
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
		d = d.over()
		d.Step = stepNickname
		return d, say(texts.AskNickname)
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
	d.Nickname, d.Step = nickname, stepCategory
	return d, r.question(stepCategory)
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
	d.Category, d.Step = category, stepText
	return d, r.question(stepText)
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
func (d dialog) text(in input, r rules) (dialog, move) {
	texts, m := r.texts.Direct, move{}
	heard := in.album != "" && in.album == d.Album
	d.Album = in.album
	switch {
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
