// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/base64"
	"strconv"
	"time"
)

// Ack says that the frame of the same id is durable with the one who acks it.
type Ack struct{}

// Hello is the first frame of either side.
type Hello struct {
	Software     string   // such as "feedbackbridge-bot/1.2.0"
	Protocol     int64    // the highest version that it speaks
	Capabilities []string // what it takes
	Keys         []string // ids of the keys that it holds
	Preferred    string   // id of the key that it signs with
}

// The capabilities that version 2 knows.
const (
	CapabilityStatuses    = "statuses"
	CapabilityReplies     = "replies"
	CapabilityCreated     = "created"
	CapabilityAttachments = "attachments"
	CapabilityKeyUpdate   = "key_update"
)

// KeyUpdate says which keys the bot accepts from now on.
type KeyUpdate struct {
	Accepted  []string // ids, in the order of preference
	Preferred string   // id of the key that it signs with
	At        time.Time
}

// SiteFeedback is the data of a new_feedback of version 2.
type SiteFeedback struct {
	Feedback
	Attachments []Attachment
	Locale      string // BCP 47; "" where it is not known
}

// Attachment is a file that belongs to a feedback or to a reply.
type Attachment struct {
	Name string
	MIME string // "" where it is not known
	Size int64  // in bytes; 0 where it is not known
	// URL is where Telegram can fetch it, https; or Content is what is in it.
	// One that is too large for a frame has neither.
	URL     string
	Content []byte
}

// Answer is the data of a feedback_result of version 2, whose frame has the id
// of the request.
type Answer struct {
	OK bool

	TicketID  string // with OK
	MessageID int64  // with OK
	SentAt    string // with OK: ISO 8601

	Error string // without OK: what version 1 would say
	Code  string // without OK: one of the Code constants
	// Retryable says that the same feedback may be sent again as it is, freshly
	// signed.
	Retryable bool
}

// Created tells the site of a feedback that was taken in a direct message.
type Created struct {
	TicketID    string
	TelegramID  int64
	Username    string
	FirstName   string
	Nickname    string
	Category    string
	Message     string
	CreatedAt   time.Time
	Locale      string
	Attachments []Attachment
}

// Actor is somebody who did something, as far as it is known.
type Actor struct {
	TelegramID int64
	Username   string
	Name       string
}

// StatusUpdate says that a ticket has another status. Of two for the same
// ticket, the one with the later At counts, and the bot's where they are equal.
type StatusUpdate struct {
	TicketID   string // "" where only the site's number is known
	FeedbackID int64  // 0 where only the ticket's name is known
	Status     string // new, read, in_progress, replied or closed
	Actor      Actor
	At         time.Time // to the microsecond
}

// The sides that a [Reply] is from.
const (
	FromStaff = "staff"
	FromUser  = "user"
)

// Reply is a message that belongs to a ticket.
type Reply struct {
	TicketID    string // "" where only the site's number is known
	FeedbackID  int64  // 0 where only the ticket's name is known
	From        string // FromStaff or FromUser
	Text        string // "" only where it has Attachments
	Attachments []Attachment
	Author      Actor
	At          time.Time // to the microsecond
}

// Type returns [TypeAck].
func (Ack) Type() string { return TypeAck }

// Type returns [TypeHello].
func (Hello) Type() string { return TypeHello }

// Type returns [TypeKeyUpdate].
func (KeyUpdate) Type() string { return TypeKeyUpdate }

// Type returns [TypeFeedbackResult].
func (Answer) Type() string { return TypeFeedbackResult }

// Type returns [TypeFeedbackCreated].
func (Created) Type() string { return TypeFeedbackCreated }

// Type returns [TypeFeedbackStatus].
func (StatusUpdate) Type() string { return TypeFeedbackStatus }

// Type returns [TypeFeedbackReply].
func (Reply) Type() string { return TypeFeedbackReply }

// The printers below name members in the order of their code points.

func (Ack) appendData(dst []byte) []byte { return append(dst, "{}"...) }

func (h Hello) appendData(dst []byte) []byte {
	dst = appendTexts(append(dst, `{"capabilities":`...), h.Capabilities)
	dst = appendTexts(append(dst, `,"keys":`...), h.Keys)
	dst = appendMember(dst, "preferred", toUTF8(h.Preferred))
	dst = appendNumber(append(dst, `,"protocol":`...), h.Protocol)
	dst = appendMember(dst, "software", toUTF8(h.Software))
	return append(dst, '}')
}

func (k KeyUpdate) appendData(dst []byte) []byte {
	dst = appendTexts(append(dst, `{"accepted":`...), k.Accepted)
	dst = appendTime(append(dst, `,"at":`...), k.At)
	dst = appendMember(dst, "preferred", toUTF8(k.Preferred))
	return append(dst, '}')
}

func (a Answer) appendData(dst []byte) []byte {
	dst = append(dst, `{"error":`...)
	if a.OK {
		dst = append(dst, `null,"error_code":null,"ok":true,"result":{"message_id":`...)
		dst = appendNumber(dst, a.MessageID)
		dst = appendMember(dst, "sent_at", toUTF8(a.SentAt))
		dst = appendMember(dst, "ticket_id", toUTF8(a.TicketID))
		return append(dst, `},"retryable":false}`...)
	}
	dst = appendUTF8(dst, toUTF8(a.Error))
	dst = appendMember(dst, "error_code", toUTF8(a.Code))
	dst = append(dst, `,"ok":false,"result":null,"retryable":`...)
	dst = strconv.AppendBool(dst, a.Retryable)
	return append(dst, '}')
}

func (c Created) appendData(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendAttachments(dst, c.Attachments)
	dst = appendUTF8(append(dst, `"category":`...), toUTF8(c.Category))
	dst = appendTime(append(dst, `,"created_at":`...), c.CreatedAt)
	dst = append(dst, `,"feedback_id":0`...)
	if c.Locale != "" {
		dst = appendMember(dst, "locale", toUTF8(c.Locale))
	}
	dst = appendMember(dst, "message", toUTF8(c.Message))
	dst = appendMember(dst, "nickname", toUTF8(c.Nickname))
	dst = append(dst, `,"source":"telegram"`...)
	dst = appendMember(dst, "telegram_first_name", toUTF8(c.FirstName))
	dst = appendNumber(append(dst, `,"telegram_id":`...), c.TelegramID)
	dst = appendMember(dst, "telegram_username", toUTF8(c.Username))
	dst = appendMember(dst, "ticket_id", toUTF8(c.TicketID))
	return append(dst, '}')
}

func (s StatusUpdate) appendData(dst []byte) []byte {
	dst = appendActor(append(dst, `{"actor":`...), s.Actor)
	dst = appendTime(append(dst, `,"at":`...), s.At)
	dst = appendNumber(append(dst, `,"feedback_id":`...), s.FeedbackID)
	dst = appendMember(dst, "status", toUTF8(s.Status))
	dst = appendTicketID(dst, s.TicketID)
	return append(dst, '}')
}

func (r Reply) appendData(dst []byte) []byte {
	dst = append(appendTime(append(dst, `{"at":`...), r.At), ',')
	dst = appendAttachments(dst, r.Attachments)
	dst = appendActor(append(dst, `"author":`...), r.Author)
	dst = appendNumber(append(dst, `,"feedback_id":`...), r.FeedbackID)
	dst = appendMember(dst, "from", toUTF8(r.From))
	dst = appendMember(dst, "text", toUTF8(r.Text))
	dst = appendTicketID(dst, r.TicketID)
	return append(dst, '}')
}

func appendTicketID(dst []byte, id string) []byte {
	if id == "" {
		return append(dst, `,"ticket_id":null`...)
	}
	return appendMember(dst, "ticket_id", toUTF8(id))
}

// appendAttachments prints the member, with the comma after it, where there are
// any.
func appendAttachments(dst []byte, all []Attachment) []byte {
	if len(all) == 0 {
		return dst
	}
	dst = append(dst, `"attachments":[`...)
	for i, a := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		if a.Content != nil {
			dst = append(dst, `"base64":"`...)
			dst = base64.StdEncoding.AppendEncode(dst, a.Content)
			dst = append(dst, `",`...)
		}
		dst = appendUTF8(append(dst, `"mime":`...), toUTF8(a.MIME))
		dst = appendMember(dst, "name", toUTF8(a.Name))
		dst = appendNumber(append(dst, `,"size":`...), a.Size)
		if a.URL != "" {
			dst = appendMember(dst, "url", toUTF8(a.URL))
		}
		dst = append(dst, '}')
	}
	return append(dst, `],`...)
}

func appendActor(dst []byte, a Actor) []byte {
	dst = append(dst, '{')
	start := len(dst)
	if a.Name != "" {
		dst = appendUTF8(append(dst, `"name":`...), toUTF8(a.Name))
	}
	if a.TelegramID != 0 {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendNumber(append(dst, `"telegram_id":`...), a.TelegramID)
	}
	if a.Username != "" {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendUTF8(append(dst, `"username":`...), toUTF8(a.Username))
	}
	return append(dst, '}')
}

func appendNumber(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

func appendTexts(dst []byte, all []string) []byte {
	dst = append(dst, '[')
	for i, s := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendUTF8(dst, toUTF8(s))
	}
	return append(dst, ']')
}

// timeLayout is RFC 3339 in UTC, to the microsecond.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// appendTime prints a time; one that RFC 3339 has no year for is the nearest
// that it has.
func appendTime(dst []byte, t time.Time) []byte {
	switch t = t.UTC(); {
	case t.Year() < 1:
		t = time.Time{}
	case t.Year() > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	}
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, timeLayout)
	return append(dst, '"')
}
