// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
)

// refusal is an error whose text is an error string of the protocol.
type refusal string

func (r refusal) Error() string { return string(r) }

// The refusals without a parameter. Their texts are the protocol's.
var (
	ErrBadSignature  error = refusal("Invalid HMAC signature")
	ErrExpired       error = refusal("Message expired")
	ErrReplayedNonce error = refusal("Replayed nonce")
)

var (
	// ErrLoneSurrogate says that a string holds half of a surrogate pair, so
	// that the document has no canonical form in UTF-8.
	ErrLoneSurrogate = errors.New("lone surrogate: no canonical form in UTF-8")
	// ErrLimit says that a document was refused for a bound in [Limits].
	ErrLimit = errors.New("over the limit")
	// ErrNoKey says that there is no key to sign with.
	ErrNoKey = errors.New("no HMAC key to sign with")
)

// ParseError says why, and where, a document is not acceptable JSON. It quotes
// nothing of the document but a byte where something else was needed.
type ParseError struct {
	Offset int    // in bytes
	What   string // such as "NaN is not JSON"
	limit  bool
}

func (e *ParseError) Error() string {
	if e.limit {
		return fmt.Sprintf("over the limit at byte %d: %s", e.Offset, e.What)
	}
	return fmt.Sprintf("not acceptable JSON at byte %d: %s", e.Offset, e.What)
}

// Unwrap returns [ErrLimit] where a bound was the reason.
func (e *ParseError) Unwrap() error {
	if e.limit {
		return ErrLimit
	}
	return nil
}

// InvalidMessageError refuses a frame for its shape.
type InvalidMessageError struct {
	// ID is the frame's id, as long as the frame may be, where one could be
	// read, even out of a frame that is not JSON; "" where it cannot be answered.
	ID string
	// What is wrong, in a few words that quote none of the frame's values.
	What string

	err error
}

// Error returns the protocol's error string.
func (e *InvalidMessageError) Error() string { return "Invalid message: " + e.What }

// Unwrap returns the [ParseError], if that was the reason.
func (e *InvalidMessageError) Unwrap() error { return e.err }

// InvalidPayloadError refuses a feedback for a field of its data.
type InvalidPayloadError struct {
	Field string // its name in data
	Why   string // in a few words that quote none of its value
}

// Error returns the protocol's error string.
func (e *InvalidPayloadError) Error() string {
	return "Invalid payload: " + e.Field + ": " + e.Why
}

// Reason returns the protocol's error string for a refusal of this package,
// wrapped or not, and "" for any other error: those are not the peer's business.
func Reason(err error) string {
	var (
		fixed   refusal
		message *InvalidMessageError
		payload *InvalidPayloadError
	)
	switch {
	case errors.As(err, &fixed):
		return fixed.Error()
	case errors.As(err, &message):
		return message.Error()
	case errors.As(err, &payload):
		return payload.Error()
	default:
		return ""
	}
}

// The error codes of a feedback_result of version 2.
const (
	CodeInvalidMessage   = "invalid_message"
	CodeInvalidSignature = "invalid_signature"
	CodeExpired          = "expired"
	CodeReplayed         = "replayed"
	CodeInvalidPayload   = "invalid_payload"
	CodeDeliveryRefused  = "delivery_refused" // by Telegram, for good
)

// Refusal is the answer to a feedback that is refused for an error of this
// package. What could not be verified may be sent again: it ends nothing.
func Refusal(err error) Answer {
	a := Answer{Error: Reason(err), Code: CodeInvalidMessage, Retryable: true}
	var payload *InvalidPayloadError
	switch {
	case errors.Is(err, ErrBadSignature):
		a.Code = CodeInvalidSignature
	case errors.Is(err, ErrExpired):
		a.Code = CodeExpired
	case errors.Is(err, ErrReplayedNonce):
		a.Code = CodeReplayed
	case errors.As(err, &payload):
		a.Code, a.Retryable = CodeInvalidPayload, false
	}
	return a
}
