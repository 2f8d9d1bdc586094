// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// Desk is the chat's side of what a site of version 2 sends besides feedback. Its methods with a transaction run in the one
// that makes the frame durable, perhaps again after that was undone, so they must do nothing else that lasts.
type Desk interface {
	// Attach has the files that came with a feedback follow the post of its ticket.
	Attach(tx store.Tx, ticket string, f wire.SiteFeedback) error
	// ShowStatus has the post of a ticket show its status, which was given at the site.
	ShowStatus(tx store.Tx, t store.TicketRecord) error
	// Reply brings a message of the site's under its ticket and, from the staff, to the ticket's author.
	Reply(tx store.Tx, t store.TicketRecord, r wire.Reply) error
	// Meet notes whether the staff's answers reach the site of a new connection.
	Meet(ctx context.Context, replies bool) error
	// Name is how somebody at the site is named where the chat shows who did something.
	Name(a wire.Actor) string
	// Fetch returns the content of a file of Telegram's, of at most so many bytes.
	Fetch(ctx context.Context, file store.Attachment, most int) ([]byte, error)
}

// guarded runs a method of a Desk's; a panic is an error, for it would come again with the same frame.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %T at %s", p, debug.Stack())
		}
	}()
	return do()
}

// attachTo has the files of a feedback follow its post. A ticket without its files is better than none: what goes wrong is
// logged. Where the database is the reason, the ticket is undone too.
func attachTo(desk Desk, log *slog.Logger, f wire.SiteFeedback) func(store.Tx, string) {
	return func(tx store.Tx, ticket string) {
		if err := guarded(func() error { return desk.Attach(tx, ticket, f) }); err != nil {
			log.Error("the files of a feedback cannot be passed on", "ticket", ticket, "error", err)
		}
	}
}
