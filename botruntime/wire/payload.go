// SPDX-License-Identifier: Apache-2.0

package wire

// Feedback is the data of a new_feedback frame. An optional field that is
// absent or null is zero. Lone surrogates are replaced by U+FFFD.
type Feedback struct {
	FeedbackID int64 // the site's number, >= 0; 0 where it has none
	TelegramID int64 // 0 where unknown; a chat's may be negative

	TelegramUsername  string
	TelegramFirstName string
	Nickname          string
	Category          string // not empty
	Message           string // not empty
	CreatedAt         string // ISO 8601 by agreement, not checked here
	Source            string
}

// Payload reads the data of a frame that has been verified. Members that the
// protocol does not have are ignored. The error is an [*InvalidPayloadError].
func (f *NewFeedback) Payload() (Feedback, error) {
	r := payloadReader{data: f.Data}
	p := Feedback{
		FeedbackID: r.integer("feedback_id", required),
		Category:   r.text("category", required),
		Message:    r.text("message", required),

		TelegramID:        r.integer("telegram_id", optional),
		TelegramUsername:  r.text("telegram_username", optional),
		TelegramFirstName: r.text("telegram_first_name", optional),
		Nickname:          r.text("nickname", optional),
		CreatedAt:         r.text("created_at", optional),
		Source:            r.text("source", optional),
	}
	if r.err != nil {
		return Feedback{}, r.err
	}
	return p, nil
}

type need bool

const (
	required need = true // and then not negative, not empty
	optional need = false
)

// payloadReader reads members of data and keeps the first refusal in err.
type payloadReader struct {
	data Value
	err  error
}

func (r *payloadReader) refuse(field, why string) {
	if r.err == nil {
		r.err = &InvalidPayloadError{Field: field, Why: why}
	}
}

// member returns a member of the kind wanted, or false where it is absent.
func (r *payloadReader) member(field string, n need, want Kind) (Value, bool) {
	v := r.data.Get(field)
	switch k := v.Kind(); k {
	case want:
		return v, true
	case KindNone, KindNull:
		if n == required {
			r.refuse(field, "missing")
		}
	default:
		r.refuse(field, k.String()+", not "+want.String())
	}
	return Value{}, false
}

func (r *payloadReader) integer(field string, n need) int64 {
	v, ok := r.member(field, n, KindInteger)
	if !ok {
		return 0
	}
	i, ok := v.Int64()
	switch {
	case !ok:
		r.refuse(field, "does not fit in 64 bits")
	case n == required && i < 0:
		r.refuse(field, "negative")
	}
	return i
}

func (r *payloadReader) text(field string, n need) string {
	v, ok := r.member(field, n, KindString)
	if !ok {
		return ""
	}
	s, _ := v.Text()
	if n == required && s == "" {
		r.refuse(field, "empty")
	}
	return s
}
