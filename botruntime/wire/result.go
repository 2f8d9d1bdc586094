// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"strconv"
	"time"
)

// Result is the answer to a feedback: delivered, as the ticket and the message
// named, or refused.
type Result struct {
	ID string // the request's, exactly
	OK bool

	TicketID  string // with OK
	MessageID int64  // with OK
	SentAt    string // with OK: ISO 8601

	Error string // without OK: the protocol's error string
}

// AppendFrame appends the result as a frame, signed with the key and in the
// form that its request was signed with. The frame itself is printed in ASCII,
// whatever the form. An ID with a lone surrogate has only the ASCII form, and is
// signed in that. The error is [ErrNoKey], or that the nonce is not UTF-8.
func (r Result) AppendFrame(dst []byte, key Key, form Form, ts int64, nonce string) ([]byte, error) {
	if err := canSign(key, nonce); err != nil {
		return dst, err
	}
	r.sanitize()
	if containsSurrogate(r.ID) {
		form = FormASCII
	}
	canonical := getBuffer()
	defer canonical.release()
	canonical.b = r.appendCanonical(canonical.b, form)
	dst = append(dst, `{"type":"feedback_result","id":`...)
	dst = appendASCII(dst, r.ID)
	dst = append(dst, `,"ok":`...)
	dst = strconv.AppendBool(dst, r.OK)
	dst = append(dst, `,"result":`...)
	dst = r.appendResult(dst, FormASCII)
	dst = append(dst, `,"error":`...)
	dst = r.appendError(dst, FormASCII)
	return appendStamp(dst, key, ts, nonce, canonical.b), nil
}

// sanitize makes every text printable: the ID as WTF-8, the rest as UTF-8.
func (r *Result) sanitize() {
	r.ID = toWTF8(r.ID)
	r.TicketID = toUTF8(r.TicketID)
	r.SentAt = toUTF8(r.SentAt)
	r.Error = toUTF8(r.Error)
}

// appendCanonical prints what the signature covers: {id, ok, result, error}.
func (r *Result) appendCanonical(dst []byte, form Form) []byte {
	dst = append(dst, `{"error":`...)
	dst = r.appendError(dst, form)
	dst = append(dst, `,"id":`...)
	dst = appendString(dst, r.ID, form)
	dst = append(dst, `,"ok":`...)
	dst = strconv.AppendBool(dst, r.OK)
	dst = append(dst, `,"result":`...)
	dst = r.appendResult(dst, form)
	return append(dst, '}')
}

func (r *Result) appendResult(dst []byte, form Form) []byte {
	if !r.OK {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"message_id":`...)
	dst = strconv.AppendInt(dst, r.MessageID, 10)
	dst = append(dst, `,"sent_at":`...)
	dst = appendString(dst, r.SentAt, form)
	dst = append(dst, `,"ticket_id":`...)
	dst = appendString(dst, r.TicketID, form)
	return append(dst, '}')
}

func (r *Result) appendError(dst []byte, form Form) []byte {
	if r.OK {
		return append(dst, "null"...)
	}
	return appendString(dst, r.Error, form)
}

func appendString(dst []byte, s string, form Form) []byte {
	if form == FormASCII {
		return appendASCII(dst, s)
	}
	return appendUTF8(dst, s)
}

// ResultFrame is a decoded feedback_result, of the right shape but not yet
// verified. It is what a site reads.
type ResultFrame struct {
	Result
	TS    int64 // Unix seconds
	Nonce string
	Sig   string

	root Value
}

// DecodeResult reads a frame of type feedback_result, as a site would. The
// error is an [*InvalidMessageError].
func DecodeResult(data []byte, lim Limits) (ResultFrame, error) {
	e, err := openEnvelope(data, lim)
	if err != nil {
		return ResultFrame{}, err
	}
	if t := e.name("type"); e.err == nil && t != TypeFeedbackResult {
		e.refuse("type is not " + TypeFeedbackResult)
	}
	f := ResultFrame{root: e.root}
	f.ID = e.name("id")
	f.OK = e.boolean("ok")
	if f.OK {
		result := envelope{root: e.object("result")}
		f.TicketID = result.text("ticket_id")
		f.MessageID = result.integer("message_id")
		f.SentAt = result.text("sent_at")
		if result.err != nil {
			e.refuse("result: " + result.err.What)
		}
	} else {
		f.Error = e.text("error")
	}
	f.TS, f.Nonce, f.Sig = e.integer("ts"), e.label("nonce"), e.text("sig")
	if e.err != nil {
		return ResultFrame{}, e.err
	}
	return f, nil
}

// AppendCanonical appends the canonical form of what the signature covers,
// {id, ok, result, error}, as the frame has it; what it does not have is null.
func (f *ResultFrame) AppendCanonical(dst []byte, form Form) ([]byte, error) {
	for _, member := range [...]struct{ before, key string }{
		{`{"error":`, "error"}, {`,"id":`, "id"}, {`,"ok":`, "ok"}, {`,"result":`, "result"},
	} {
		dst = append(dst, member.before...)
		v := f.root.Get(member.key)
		if v.Kind() == KindNone {
			dst = append(dst, "null"...)
			continue
		}
		var err error
		if dst, err = v.AppendCanonical(dst, form); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// Verify is [NewFeedback.Verify] for a result.
func (f *ResultFrame) Verify(ring KeyRing, now time.Time, ttl time.Duration) (Signature, error) {
	return ring.verifyFresh(f.TS, f.Nonce, f, f.Sig, now, ttl)
}
