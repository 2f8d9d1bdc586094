// SPDX-License-Identifier: Apache-2.0

package ticket

// StaffTexts are what the bot says to the staff, and how it brings people what the staff wrote.
type StaffTexts struct {
	// Reply (Ticket) heads what the staff wrote, in the author's chat.
	Reply Format
	// AuthorBlocked and AuthorUnreachable (Ticket) say under a reply that it has nobody to go to, ReplyRefused that Telegram
	// did not take it. AnswerOnSite follows where the ticket is from there.
	AuthorBlocked, AuthorUnreachable, ReplyRefused Format
	// FileRefused (Ticket) says that something that the author sent did not get into the chat.
	FileRefused Format
	// Unsupported refuses a reply that is neither text nor a file.
	AnswerOnSite, Unsupported string
	// AdminOnly, AdminUnknown and AdminHidden refuse what only administrators may do: to somebody who is none, to anybody as long as
	// Telegram does not say, and where it never will.
	AdminOnly, AdminUnknown, AdminHidden string
	// WhichTicket, WhichOfTwo (First, Second; First may be several) and NoSuchTicket answer a command that names no ticket, more
	// than one, or none that is there; TicketOrPerson (Ticket, ID) one whose number may be either; NoAuthor one about the author of a ticket who is not known
	// in Telegram.
	WhichTicket, NoSuchTicket, NoAuthor string
	WhichOfTwo, TicketOrPerson          Format
	// Help answers /help.
	Help string
	// OpenTickets, with their number, heads the list of open tickets, and PageOf (Page, Pages) ends it; NothingOpen stands
	// instead where there are none.
	OpenTickets, PageOf Format
	NothingOpen         string
	// Received and the rest stand on a ticket's card; Failed and Pending where it is not posted.
	Received, Failed, Pending, RetryButton string
	// RetryBegun (Ticket) and NothingToRetry answer the button that has a ticket posted again.
	RetryBegun     Format
	NothingToRetry string
	// Closed and AlreadyClosed (Ticket) answer /close.
	Closed, AlreadyClosed Format
	// Banned (ID), AlreadyBanned (ID, Who), Unbanned (ID) and NotBanned (ID) answer /ban and /unban.
	Banned, AlreadyBanned, Unbanned, NotBanned Format
	// Stats, with the number of days, heads the statistics, whose lines the rest begins; NotCounted stands instead where the
	// database did not count.
	Stats                                     Format
	Total, FirstReaction, OpenNow, NotCounted string
	// Minute, Hour and Day are units of time, shortened.
	Minute, Hour, Day string
}
