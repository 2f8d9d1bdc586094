// SPDX-License-Identifier: Apache-2.0

// Package store keeps what the bot must not lose: tickets, the results that the site waits for, the messages that
// Telegram has not accepted yet, and the updates that were taken but not handled.
package store

import (
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// Request is a verified new_feedback frame.
type Request struct {
	// ID and Nonce are the frame's.
	ID, Nonce string
	// Signature is the key and form that the frame was signed with, and that its result will be signed with.
	Signature wire.Signature
	// Ticket is the feedback; its ID is given by the store.
	Ticket ticket.Ticket
	// ReadAt is when the frame was read; its nonce is kept until NonceUntil.
	ReadAt, NonceUntil time.Time
}

// Verdict is what became of a Request.
type Verdict int

const (
	// Accepted means: a new ticket, durable, waiting to be posted.
	Accepted Verdict = iota
	// Repeated means: the ticket was known. Its result is due again, or will be once there is one.
	Repeated
	// Replayed means: the nonce was seen with another id. Nothing was changed.
	Replayed
)

// Result is the answer to a Request, due at the site.
type Result struct {
	// Seq orders results; a result that is due again has a new one.
	Seq int64
	// RequestID is the id of the frame that it answers.
	RequestID string
	// Signature is the key and form that the request was signed with.
	Signature wire.Signature
	// TicketID is the ticket that was posted. MessageID and SentAt are Telegram's.
	TicketID  string
	MessageID int64
	SentAt    time.Time
	// Failure is why Telegram refused the ticket for good; empty when it was posted.
	Failure string
}

// JobKind says what a Job sends.
type JobKind string

const (
	// JobPost posts a ticket to the staff's chat.
	JobPost JobKind = "post"
	// JobMessage sends a message to a person.
	JobMessage JobKind = "message"
	// JobEdit edits a message.
	JobEdit JobKind = "edit"
)

// Job is one call that Telegram has to accept.
type Job struct {
	// Seq identifies the job; an edit that replaces one that waits has a new Seq.
	Seq int64
	// ChatID is the chat that it goes to.
	ChatID int64
	Kind   JobKind
	// Ticket is what a JobPost posts.
	Ticket ticket.Ticket
	// MessageID is the message that a JobEdit edits.
	MessageID int64
	// Payload is what a JobMessage or JobEdit sends, in the sender's own encoding.
	Payload []byte
	// MaybeSent is set when it was claimed before and nobody recorded what Telegram said.
	MaybeSent bool
}

// Outcome is how a claimed Job ended.
type Outcome struct {
	Seq int64
	// Kind is the outcome's kind; the other fields belong to it.
	Kind OutcomeKind
	// MessageID and At are Telegram's (Sent).
	MessageID int64
	At        time.Time
	// Failure is why Telegram refused for good (Refused), without any secret.
	Failure string
}

// OutcomeKind is how a claimed Job ended.
type OutcomeKind int

const (
	// Sent means: Telegram accepted it.
	Sent OutcomeKind = iota
	// Refused means: Telegram refused it for good.
	Refused
	// Released means: Telegram has certainly not accepted it; it will be claimed again.
	Released
)

// Update is one update of Telegram's, as it came.
type Update struct {
	ID      int64
	Payload []byte
}

// Effects are what handling an update leads to, committed together with the end of the update.
type Effects struct {
	Messages []Outgoing
	Edits    []Edit
	Statuses []StatusChange
}

// Outgoing is a message to send.
type Outgoing struct {
	ChatID  int64
	Payload []byte
}

// Edit is an edit to make; a later edit of the same message replaces one that still waits.
type Edit struct {
	ChatID, MessageID int64
	Payload           []byte
}

// StatusChange is a status that a member of the staff gave to a ticket.
type StatusChange struct {
	TicketID  string
	Status    ticket.Status
	ActorID   int64
	ActorName string
	At        time.Time
}

// Counts are the store's counters.
type Counts struct {
	Received, Posted, Pending, Failed int64
	LastPosted                        time.Time
}
