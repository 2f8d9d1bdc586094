// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// Calls are JSON, and of an answer only what the caller names is read. go-telegram/bot, whose
// types updates and messages are made of, would write a multipart form through a pipe and decode all of an answer: most of a post's
// time, and an error where Telegram has invented something since, though it took the message.

// messageParams are the parameters of sendMessage, editMessageText, editMessageCaption and copyMessage.
type messageParams struct {
	ChatID          int64                  `json:"chat_id"`
	ThreadID        int64                  `json:"message_thread_id,omitempty"`
	FromChatID      int64                  `json:"from_chat_id,omitempty"`
	MessageID       int64                  `json:"message_id,omitempty"` // to edit or to copy
	Text            string                 `json:"text,omitempty"`
	Entities        []models.MessageEntity `json:"entities,omitempty"`
	Caption         string                 `json:"caption,omitempty"`
	CaptionEntities []models.MessageEntity `json:"caption_entities,omitempty"`
	ParseMode       models.ParseMode       `json:"parse_mode,omitempty"`
	LinkPreview     linkPreview            `json:"link_preview_options,omitzero"`
	Reply           replyParams            `json:"reply_parameters,omitzero"`
	Markup          *inlineKeyboard        `json:"reply_markup,omitempty"`
}

type linkPreview struct {
	Disabled bool `json:"is_disabled"`
}

// replyParams are those of a reply that is sent all the same where the message that it answers is gone.
type replyParams struct {
	MessageID int64 `json:"message_id"`
	Anyway    bool  `json:"allow_sending_without_reply"`
}

func replyTo(messageID int64) replyParams {
	return replyParams{MessageID: messageID, Anyway: messageID != 0}
}

// inlineKeyboard is a keyboard without the kinds of buttons that the library always writes, empty as they are.
type inlineKeyboard struct {
	Rows [][]inlineButton `json:"inline_keyboard"`
}

type inlineButton struct {
	Text         string `json:"text"`
	URL          string `json:"url,omitempty"`
	CallbackData string `json:"callback_data,omitempty"`
}

// markup is the keyboard as a call takes it; nil for none.
func (p payload) markup() *inlineKeyboard {
	if p.Keyboard == nil {
		return nil
	}
	k := &inlineKeyboard{Rows: make([][]inlineButton, len(p.Keyboard.InlineKeyboard))}
	for i, row := range p.Keyboard.InlineKeyboard {
		for _, b := range row {
			k.Rows[i] = append(k.Rows[i], inlineButton{Text: b.Text, URL: b.URL, CallbackData: b.CallbackData})
		}
	}
	return k
}

// message is the parameters with which a payload goes to a job's chat.
func (p payload) message(job *store.Job) messageParams {
	return messageParams{ChatID: job.ChatID, ThreadID: job.ThreadID, Text: p.Text, Entities: p.Entities, ParseMode: p.parseMode(),
		LinkPreview: linkPreview{Disabled: true}, Reply: replyTo(job.ReplyTo), Markup: p.markup()}
}

// edit is the parameters with which a payload replaces a job's message.
func (p payload) edit(job *store.Job) messageParams {
	params := messageParams{ChatID: job.ChatID, MessageID: job.MessageID, ParseMode: p.parseMode(), Markup: p.markup()}
	if p.Caption {
		params.Caption, params.CaptionEntities = p.Text, p.Entities
	} else {
		params.Text, params.Entities, params.LinkPreview.Disabled = p.Text, p.Entities, true
	}
	return params
}

// copy is the parameters with which a job's message is copied; a payload without text keeps its caption.
func (p payload) copy(job *store.Job) messageParams {
	return messageParams{ChatID: job.ChatID, ThreadID: job.ThreadID, FromChatID: job.FromChatID, MessageID: job.FromMessageID,
		Caption: p.Text, CaptionEntities: p.Entities, ParseMode: p.parseMode(), Reply: replyTo(job.ReplyTo), Markup: p.markup()}
}

// accepted is what Telegram says of a message that it took.
type accepted struct {
	MessageID int64 `json:"message_id"`
	Date      int64 `json:"date"` // in Unix seconds; 0 of a copy
}

func (a accepted) at() time.Time {
	if a.Date == 0 {
		return time.Now()
	}
	return time.Unix(a.Date, 0)
}

// deliver calls a method that sends a message.
func (a *api) deliver(ctx context.Context, method string, params messageParams) (accepted, error) {
	raw, err := a.exchange(ctx, method, params)
	if err != nil {
		return accepted{}, err
	}
	m := readAccepted(raw)
	if m.MessageID == 0 {
		return m, &outageError{Reached: true, What: "its answer to " + method + " cannot be read"}
	}
	return m, nil
}

// readAccepted reads an answer up to what matters of it, which stands before the message's text: Telegram took the message,
// whatever follows, and to send it again would post it twice. Without success there is no number.
func readAccepted(raw []byte) (m accepted) {
	d := json.NewDecoder(bytes.NewReader(raw))
	ok := false
	_ = eachField(d, func(name string) (err error) {
		switch name {
		case "ok":
			return d.Decode(&ok)
		case "result":
			return eachField(d, m.field(d))
		}
		return d.Decode(&json.RawMessage{})
	}) // what was read before an error is what there is
	if !ok {
		return accepted{}
	}
	return m
}

// field reads a field of a message, until it has those that matter.
func (a *accepted) field(d *json.Decoder) func(name string) error {
	return func(name string) (err error) {
		switch name {
		case "message_id":
			err = d.Decode(&a.MessageID)
		case "date":
			err = d.Decode(&a.Date)
		default:
			err = d.Decode(&json.RawMessage{})
		}
		if err == nil && a.MessageID != 0 && a.Date != 0 {
			err = errEnough
		}
		return err
	}
}

var (
	errEnough   = errors.New("everything was read that matters")
	errNoObject = errors.New("no JSON object")
)

// eachField has read take the value of each field of the object that comes next.
func eachField(d *json.Decoder, read func(name string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errNoObject, err)
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // names of fields are strings
		if err := read(name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// call calls a method and reads its result.
func (a *api) call(ctx context.Context, method string, params, result any) error {
	raw, err := a.exchange(ctx, method, params)
	if err != nil {
		return err
	}
	answer := struct {
		OK     bool `json:"ok"`
		Result any  `json:"result"`
	}{Result: result}
	if err := json.Unmarshal(raw, &answer); err != nil || !answer.OK {
		return &outageError{Reached: true, What: "its answer to " + method + " cannot be read", Err: err}
	}
	return nil
}

// exchange calls a method and returns its answer.
func (a *api) exchange(ctx context.Context, method string, params any) ([]byte, error) {
	var body bytes.Buffer // of this call alone: a connection may read it for longer than the call takes
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(params); err != nil {
		return nil, fmt.Errorf("encode %s: %w", method, err)
	}
	raw, err := a.transport.post(ctx, a.address(method), body.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return raw, nil
}
