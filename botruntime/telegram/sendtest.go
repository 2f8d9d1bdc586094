// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// maxTestText bounds a person's own words in a test message, in UTF-16 units.
const maxTestText = 500

// TestMessage is a test message that Telegram took.
type TestMessage struct {
	ChatID, MessageID int64
	At                time.Time
}

// TestError is why a test message was not posted.
type TestError struct {
	// Reason is one of v1alpha1's; empty where Telegram refused this very message.
	Reason string
	// Message says what is wrong, and what to do.
	Message string
}

func (e *TestError) Error() string { return e.Message }

// SendTest posts a message that is no ticket to the staff's chat, by the way that tickets take: with the token of the
// moment, within the limits. text is added to the message; it may be empty. It is tried once; its error is a *TestError.
func (b *Bot) SendTest(ctx context.Context, text string) (TestMessage, error) {
	s := b.sender
	chatID := s.store.EffectiveChat(s.cfg.ChatID)
	place := slot{chat: s.window(chatID), overall: s.overall}
	if place.acquire(ctx) != nil {
		return TestMessage{}, &TestError{Reason: v1alpha1.ReasonRateLimited,
			Message: "the messages that wait already take all that Telegram's limits (spec.telegram.limits) allow: try again later"}
	}
	defer place.end(true)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sent, err := b.api.deliver(ctx, "sendMessage", messageParams{ChatID: chatID,
		Text: testText(ticket.Texts(s.cfg.Language), text), LinkPreview: linkPreview{Disabled: true}})
	if err != nil {
		return TestMessage{}, testError(judge(err, chatID))
	}
	b.standing.works(senderPart)
	return TestMessage{ChatID: chatID, MessageID: sent.MessageID, At: sent.at()}, nil
}

func testText(texts *ticket.Catalog, own string) string {
	if own = ticket.Line(own, maxTestText); own != "" {
		return texts.Test + "\n\n" + own
	}
	return texts.Test
}

// testError is a verdict on a call that failed, for the person who waits for it.
func testError(v verdict) *TestError {
	switch {
	case v.final:
		return &TestError{Message: "Telegram refuses the message: " + v.message}
	case v.maybe:
		return &TestError{Reason: v.reason, Message: v.message + "; the message may have been posted all the same"}
	}
	return &TestError{Reason: v.reason, Message: v.message}
}
