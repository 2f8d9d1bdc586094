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
	// KnownFirst has a known ID be Repeated whatever its Nonce, as version 2 of the protocol has it.
	KnownFirst bool
	// Then, if given, is called in the transaction that makes the new ticket, with its name; perhaps again, after it was undone.
	Then func(tx Tx, ticket string)
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
	// JobMessage sends a message.
	JobMessage JobKind = "message"
	// JobCopy copies a message from one chat to another.
	JobCopy JobKind = "copy"
	// JobFile sends a file that the site has, or Telegram is to fetch.
	JobFile JobKind = "file"
	// JobEdit edits a message.
	JobEdit JobKind = "edit"
	// JobTopic opens or closes a ticket's own topic, by the ticket's status when it is sent.
	JobTopic JobKind = "topic"
)

// Job is one call that Telegram has to accept.
type Job struct {
	// Seq identifies the job; an edit that replaces one that waits has a new Seq.
	Seq int64
	// ChatID is the chat that it goes to, ThreadID the topic there; 0 for none.
	ChatID, ThreadID int64
	Kind             JobKind
	// Ticket is what a JobPost posts; of the other kinds, its ID names the ticket that they belong to, if any.
	Ticket ticket.Ticket
	// Status is the ticket's status, StatusBy and StatusAt who gave it, and when; empty for a new one.
	Status   ticket.Status
	StatusBy string
	StatusAt time.Time
	// Topic is the key of the topic that the job goes to, where topics are used ("category:bug", "ticket:ticket_site_1");
	// ThreadID is 0 as long as the topic was not made.
	Topic string
	// Topics is how many topics the chat has, but for those of single tickets, where the job's own is not made.
	Topics int
	// MessageID is the message that a JobEdit edits.
	MessageID int64
	// Payload is what a JobMessage, JobCopy, JobFile or JobEdit sends, in the sender's own encoding, and the Progress of a JobPost.
	Payload []byte
	// Content is what a JobFile uploads; nil where Telegram is to fetch it.
	Content []byte
	// FromChatID and FromMessageID are what a JobCopy copies, and the message on the other side of a JobMessage that
	// belongs to a ticket.
	FromChatID, FromMessageID int64
	// ReplyTo is the message that it replies to; 0 for none.
	ReplyTo int64
	// MaybeSent is set when it was claimed before and nobody recorded what Telegram said.
	MaybeSent bool
}

// Outcome is how a claimed Job ended.
type Outcome struct {
	// Seq is the job's; 0 where Migrated is known without one.
	Seq int64
	// Kind is the outcome's kind; the other fields belong to it.
	Kind OutcomeKind
	// MessageID and At are Telegram's (Sent). MoreMessages are the further parts of a long post.
	MessageID    int64
	MoreMessages []int64
	At           time.Time
	// ThreadID is the topic that was made for the job on the way, whatever its end; 0 for none.
	ThreadID int64
	// Progress is how far a JobPost of several messages got (Released), in the sender's own encoding.
	Progress []byte
	// Failure is why Telegram refused for good (Refused), without any secret. Unreachable is set where the person blocked
	// the bot, or never began to talk with it.
	Failure     string
	Unreachable bool
	// NewChatID is the supergroup that the chat became (Migrated).
	NewChatID int64
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
	// Unsure means: like Released, but it may have been accepted before; the next claim says so.
	Unsure
	// Migrated means: like Released, and everything for its chat goes to another one from now on.
	Migrated
)

// Update is one update of Telegram's, as it came.
type Update struct {
	ID      int64
	Payload []byte
}

// Outgoing is a message to send.
type Outgoing struct {
	// ChatID is the chat that it goes to; 0 for the one of Ticket's post, which it replies to then: it waits for the post.
	ChatID int64
	// Payload is the message, in the sender's own encoding.
	Payload []byte
	// Copy has the message From copied instead; Payload then is its caption, if it gets another one.
	Copy bool
	// File has a file sent: Content, or one that Payload says where to fetch. Payload is what stands under it, too. The content is
	// kept until the message is sent or refused.
	File    bool
	Content []byte `json:",omitempty"`
	// FromChatID and FromMessageID are what is copied, or the message on the other side.
	FromChatID, FromMessageID int64
	// Ticket is the name of the ticket that it belongs to: it is linked when it is sent, and goes to the ticket's topic where
	// that is in the chat.
	Ticket string
	// ThreadID is a topic to go to rather than the ticket's; 0 for none.
	ThreadID int64
	// ReplyTo is the message that it replies to; 0 for none.
	ReplyTo int64
	// IfRefused are put into the outbox when Telegram refuses this one for good.
	IfRefused []Outgoing
}

// Edit is an edit to make; a later edit of the same message replaces one that still waits.
type Edit struct {
	ChatID, MessageID int64
	Payload           []byte
	// FromChatID and FromMessageID are the message on the other side, where MessageID is 0 because this one waits to be sent.
	FromChatID, FromMessageID int64
}

// StatusChange is a status that a member of the staff gave to a ticket.
type StatusChange struct {
	TicketID  string
	Status    ticket.Status
	ActorID   int64
	ActorName string
	// By is what the site is told of who did, besides.
	By Actor
	At time.Time
}

// Counts are the store's counters.
type Counts struct {
	Received, Posted, Pending, Failed int64
	LastPosted                        time.Time
}
