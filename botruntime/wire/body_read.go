// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// MaxAttachments bounds the attachments of a frame.
	MaxAttachments = 10
	// maxList bounds the capabilities and the keys of a hello.
	maxList = 64
	// maxURL bounds the address of an attachment, in bytes; maxFileName its
	// name, and maxMIME its type, in characters.
	maxURL, maxFileName, maxMIME = 2048, 255, 127
)

// Statuses are the statuses that a ticket can have.
var Statuses = []string{"new", "read", "in_progress", "replied", "closed"}

// localePattern is the shape of a BCP 47 tag.
var localePattern = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// The readers below read the data of a frame that has been verified. Members
// that the protocol does not have are ignored; null is absent. Lone surrogates
// cannot be there. Their errors are [*InvalidPayloadError].

// Feedback reads a new_feedback. A locale that is none is as good as absent.
func (e *Envelope) Feedback() (SiteFeedback, error) {
	basic, err := (&NewFeedback{Data: e.Data}).Payload()
	if err != nil {
		return SiteFeedback{}, err
	}
	r := payloadReader{data: e.Data}
	f := SiteFeedback{Feedback: basic, Attachments: r.attachments()}
	if locale, _ := e.Data.Get("locale").Text(); len(locale) <= 35 && localePattern.MatchString(locale) {
		f.Locale = locale
	}
	return f, r.err
}

// Hello reads a hello.
func (e *Envelope) Hello() (Hello, error) {
	r := payloadReader{data: e.Data}
	h := Hello{
		Software: r.text("software", optional), Protocol: r.integer("protocol", required),
		Capabilities: r.texts("capabilities"), Keys: r.texts("keys"), Preferred: r.text("preferred", optional),
	}
	if h.Protocol < 2 {
		r.refuse("protocol", "less than 2")
	}
	return h, r.err
}

// KeyUpdate reads a key_update.
func (e *Envelope) KeyUpdate() (KeyUpdate, error) {
	r := payloadReader{data: e.Data}
	k := KeyUpdate{Accepted: r.texts("accepted"), Preferred: r.text("preferred", required), At: r.time("at")}
	return k, r.err
}

// Answer reads a feedback_result.
func (e *Envelope) Answer() (Answer, error) {
	r := payloadReader{data: e.Data}
	a := Answer{OK: r.boolean("ok")}
	if !a.OK {
		a.Error, a.Code, a.Retryable = r.text("error", required), r.text("error_code", required), r.boolean("retryable")
		return a, r.err
	}
	data, _ := r.member("result", required, KindObject)
	result := payloadReader{data: data}
	a.TicketID, a.SentAt = result.text("ticket_id", required), result.text("sent_at", required)
	a.MessageID = result.integer("message_id", required)
	if r.err == nil {
		r.err = result.err
	}
	return a, r.err
}

// Created reads a feedback_created.
func (e *Envelope) Created() (Created, error) {
	r := payloadReader{data: e.Data}
	c := Created{
		TicketID: r.text("ticket_id", required), TelegramID: r.integer("telegram_id", optional),
		Username: r.text("telegram_username", optional), FirstName: r.text("telegram_first_name", optional),
		Nickname: r.text("nickname", optional), Category: r.text("category", required), Message: r.text("message", optional),
		CreatedAt: r.time("created_at"), Locale: r.text("locale", optional), Attachments: r.attachments(),
	}
	return c, r.err
}

// Status reads a feedback_status.
func (e *Envelope) Status() (StatusUpdate, error) {
	r := payloadReader{data: e.Data}
	s := StatusUpdate{Status: r.text("status", required), Actor: r.actor("actor"), At: r.time("at")}
	s.TicketID, s.FeedbackID = r.ticket()
	if !slices.Contains(Statuses, s.Status) {
		r.refuse("status", "none of "+strings.Join(Statuses, ", "))
	}
	return s, r.err
}

// Reply reads a feedback_reply.
func (e *Envelope) Reply() (Reply, error) {
	r := payloadReader{data: e.Data}
	reply := Reply{
		From: r.text("from", required), Text: r.text("text", optional), Author: r.actor("author"),
		At: r.time("at"), Attachments: r.attachments(),
	}
	reply.TicketID, reply.FeedbackID = r.ticket()
	if reply.From != FromStaff && reply.From != FromUser {
		r.refuse("from", "neither "+FromStaff+" nor "+FromUser)
	}
	if reply.Text == "" && len(reply.Attachments) == 0 {
		r.refuse("text", "empty")
	}
	return reply, r.err
}

// ticket reads what names a ticket: its name, the site's number, or both.
func (r *payloadReader) ticket() (name string, feedbackID int64) {
	name, feedbackID = r.text("ticket_id", optional), r.integer("feedback_id", optional)
	if name == "" && feedbackID <= 0 {
		r.refuse("ticket_id", "neither it nor feedback_id is there")
	}
	return name, max(feedbackID, 0)
}

func (r *payloadReader) boolean(field string) bool {
	v := r.data.Get(field)
	b, ok := v.Bool()
	switch {
	case ok:
	case v.Kind() == KindNone, v.Kind() == KindNull:
		r.refuse(field, "missing")
	default:
		r.refuse(field, v.Kind().String()+", not true or false")
	}
	return b
}

func (r *payloadReader) time(field string) time.Time {
	s := r.text(field, required)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if t = t.UTC().Truncate(time.Microsecond); err != nil || t.Year() < 1 || t.Year() > 9999 {
		r.refuse(field, "not a time of RFC 3339")
	}
	return t
}

// texts reads a list of labels, as many as maxList; what is none says nothing.
func (r *payloadReader) texts(field string) (all []string) {
	v, _ := r.member(field, required, KindArray)
	for _, element := range v.Elements() {
		if s, _ := element.Text(); IsLabel(s) && len(all) < maxList {
			all = append(all, s)
		}
	}
	return all
}

func (r *payloadReader) actor(field string) Actor {
	v, ok := r.member(field, optional, KindObject)
	if !ok {
		return Actor{}
	}
	within := payloadReader{data: v}
	a := Actor{
		TelegramID: within.integer("telegram_id", optional),
		Username:   within.text("username", optional),
		Name:       within.text("name", optional),
	}
	r.within(field, within.err)
	return a
}

// within refuses a field for something in it.
func (r *payloadReader) within(field string, err error) {
	var inner *InvalidPayloadError
	if errors.As(err, &inner) {
		r.refuse(field, inner.Field+": "+inner.Why)
	}
}

// attachments reads the member, as many as a frame may have. What is wrong with
// a file is no reason to refuse what it came with: it is one that is only named.
func (r *payloadReader) attachments() (all []Attachment) {
	const field = "attachments"
	v, _ := r.member(field, optional, KindArray)
	for i, element := range v.Elements() {
		if element.Kind() != KindObject {
			r.refuse(field, fmt.Sprintf("%d: %v, not an object", i, element.Kind()))
		}
		if r.err != nil || i == MaxAttachments {
			return all
		}
		within := payloadReader{data: element}
		all = append(all, within.attachment())
		r.within(fmt.Sprintf("%s: %d", field, i), within.err)
	}
	return all
}

func (r *payloadReader) attachment() Attachment {
	a := Attachment{
		Name: r.short("name", maxFileName), MIME: r.short("mime", maxMIME), Size: max(r.integer("size", optional), 0),
	}
	encoded, address := r.text("base64", optional), r.text("url", optional)
	if r.data.Get("base64").Kind() == KindString {
		if content, err := base64.StdEncoding.AppendDecode([]byte{}, []byte(encoded)); err == nil {
			a.Content = content
		}
	}
	if a.Content == nil && isFetchable(address) {
		a.URL = address
	}
	return a
}

// short is an optional text, as much of it as most characters: what a file is
// called is no reason to refuse what it came with.
func (r *payloadReader) short(field string, most int) string {
	s := r.text(field, optional)
	if len(s) <= most {
		return s
	}
	for i := range s {
		if most--; most < 0 {
			return s[:i]
		}
	}
	return s
}

// isFetchable tells an https address without a user name.
func isFetchable(s string) bool {
	if len(s) > maxURL {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}
