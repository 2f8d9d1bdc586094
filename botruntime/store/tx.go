// SPDX-License-Identifier: Apache-2.0

package store

import (
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Tx is the transaction in which an update is handled: what it reads is what it changes, and all of it is durable, with the
// end of the update, or none. The function that is given a Tx may run again after its changes were undone, so it must set
// its results rather than add to them, and do nothing else that lasts.
type Tx interface {
	// Ticket returns a ticket by its name, such as ticket_site_123, or ErrNotFound.
	Ticket(name string) (TicketRecord, error)
	// Tickets returns the tickets that a query asks for, and how many there are in all.
	Tickets(q TicketQuery) (page []TicketRecord, total int, err error)
	// AddTicket names a new ticket and puts its post into the outbox.
	AddTicket(t ticket.Ticket, at time.Time) (name string, err error)
	// SetStatus records a status, and the site event that tells of it. It changes no message.
	SetStatus(c StatusChange) error
	// Retry puts the post of a failed ticket back into the outbox; false where it has not failed.
	Retry(name string) (bool, error)

	// Person returns what is known of somebody who wrote to the bot; a Person with only an ID where nothing is.
	Person(id int64) (Person, error)
	// SavePerson keeps a Person as it is now.
	SavePerson(p Person) error
	// Take counts one use against a sliding limit, or says when the next one may be; kind tells limits apart.
	Take(kind string, personID int64, l Limit, at time.Time) (ok bool, next time.Time, err error)
	// Peek is what Take would say, without counting.
	Peek(kind string, personID int64, l Limit, at time.Time) (ok bool, next time.Time, err error)

	// MessageTicket returns the link of a message to its ticket, or ErrNotFound.
	MessageTicket(chatID, messageID int64) (Link, error)
	// LinkMessage records that a message belongs to a ticket; a message has one link, the last.
	LinkMessage(l Link) error
	// TopicTicket returns the name of the ticket whose own topic a thread is, or ErrNotFound.
	TopicTicket(chatID, threadID int64) (name string, err error)

	// Send puts a message or a copy of one into the outbox.
	Send(m Outgoing) error
	// Edit puts an edit into the outbox; a later one of the same message replaces one that waits.
	Edit(e Edit) error
	// Emit records an event for the site.
	Emit(e Event) error
}

// TicketRecord is a ticket and what became of it.
type TicketRecord struct {
	ticket.Ticket
	State  State
	Status ticket.Status
	// StatusBy and StatusAt are who gave it its status, and when; empty for a new one.
	StatusBy string
	StatusAt time.Time
	// ReceivedAt is when the bot got it, SettledAt when Telegram took or refused its post.
	ReceivedAt, SettledAt time.Time
	// ChatID, ThreadID and MessageID are its post's; MessageID is 0 while it is not posted.
	ChatID, ThreadID, MessageID int64
	// Failure is why Telegram refused it.
	Failure string
}

// TicketQuery asks for tickets, the newest first. Empty fields ask for all.
type TicketQuery struct {
	// Open leaves out closed tickets.
	Open bool
	// State is the state to list.
	State State
	// AuthorID is the Telegram id of their author; OnlyDirect leaves out those of the site.
	AuthorID   int64
	OnlyDirect bool
	// ChatID is the chat that they are posted in, or will be.
	ChatID int64
	// Offset and Limit are the page.
	Offset, Limit int
}

// Person is somebody who wrote to the bot.
type Person struct {
	ID int64
	// Language is that of the person's Telegram, such as ru.
	Language string
	// Dialog is the conversation's state, in the form of the package that leads it; empty where there is none.
	Dialog []byte
	// BannedAt is when the staff banned the person, BannedBy who did; zero for nobody.
	BannedAt time.Time
	BannedBy string
	// ToldAt is when the person was last told of the ban.
	ToldAt time.Time
	// Blocked is set when Telegram says that the person blocked the bot; a message from the person ends it.
	Blocked bool
	// SeenAt is when the person last wrote.
	SeenAt time.Time
}

// Limit is so many uses in any window of time.
type Limit struct {
	Uses   int
	Window time.Duration
}

// Link is a message that belongs to a ticket.
type Link struct {
	ChatID, MessageID int64
	// Ticket is the ticket's name.
	Ticket string
	// PeerChatID and PeerMessageID are the same message on the other side (the staff's reply in the author's chat, say); 0
	// where there is none.
	PeerChatID, PeerMessageID int64
	// Words is a sum of the words that the message says, by which an edit of nothing is known; 0 where nobody asks.
	Words int64
	At    time.Time
}

// EventKind says what an Event tells of.
type EventKind string

// What the site can be told.
const (
	// EventCreated: a ticket was written in a direct message.
	EventCreated EventKind = "created"
	// EventStatus: a ticket has another status.
	EventStatus EventKind = "status"
	// EventReply: the staff answered a ticket.
	EventReply EventKind = "reply"
	// EventMessage: a ticket's author added something to it.
	EventMessage EventKind = "message"
)

// Event is something that the site may want to know. Events are kept, in order, for a protocol that carries them.
type Event struct {
	// Seq is its place in the order, given by the store.
	Seq  int64
	Kind EventKind
	// Ticket is the ticket's name, FeedbackID the site's number of it; 0 where it has none.
	Ticket     string
	FeedbackID int64
	// Actor is who did it, as ticket.ActorName writes it.
	Actor string
	// Status is the new status (EventStatus), Text what was written (EventReply, EventMessage).
	Status ticket.Status
	Text   string
	At     time.Time
}
