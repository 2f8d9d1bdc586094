// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// prepare asks Telegram what the handlers must know of an update: they themselves may call nobody.
func (h handlers) prepare(context.Context, *update) facts { return facts{} }

// early is what can be said of an update before it is handled, and would come too late behind others: the answer to a press.
func (h handlers) early(*update) courtesy { return courtesy{} }

// groupMessage handles what a person, or an administrator in the chat's name, wrote in a chat of the staff's.
func (h handlers) groupMessage(store.Tx, *message, facts) (courtesy, error) { return courtesy{}, nil }

// groupEdit handles what somebody changed in a message of a staff's chat.
func (h handlers) groupEdit(store.Tx, *message, facts) (courtesy, error) { return courtesy{}, nil }

// adminCallback handles the buttons of lists in a chat of the staff's.
func (h handlers) adminCallback(_ store.Tx, q *query, _ facts) (courtesy, error) {
	return says(q, h.textsFor(&q.From).UnknownButton), nil
}
