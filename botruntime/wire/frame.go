// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// The types of the frames of version 1.
const (
	TypePing           = "ping"
	TypePong           = "pong"
	TypeNewFeedback    = "new_feedback"
	TypeFeedbackResult = "feedback_result"
)

// Frame is a decoded frame from the site.
type Frame struct {
	Type     string       // as the site named it, in valid UTF-8
	Feedback *NewFeedback // for TypeNewFeedback only
}

// NewFeedback is the envelope of a feedback, of the right shape but not yet
// verified. Its strings, and those of its payload, share one copy of the frame:
// strings.Clone what is to outlive it.
type NewFeedback struct {
	ID    string // not empty; lone surrogates kept, see the package's comment
	TS    int64  // Unix seconds
	Nonce string
	Sig   string
	Data  Value // an object
}

// Ping returns the application's ping frame.
func Ping() []byte { return []byte(`{"type":"ping"}`) }

// Pong returns the answer to [Ping].
func Pong() []byte { return []byte(`{"type":"pong"}`) }

// Decode reads a frame from the site. A type that version 1 does not have is no
// error. The error is an [*InvalidMessageError].
func Decode(data []byte, lim Limits) (Frame, error) {
	e, err := openEnvelope(data, lim)
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Type: toUTF8(e.name("type"))}
	if e.err == nil && f.Type == TypeNewFeedback {
		f.Feedback = &NewFeedback{
			ID:    e.name("id"),
			Data:  e.object("data"),
			TS:    e.integer("ts"),
			Nonce: e.label("nonce"),
			Sig:   e.text("sig"),
		}
	}
	if e.err != nil {
		return Frame{}, e.err
	}
	return f, nil
}

// Verify checks, in this order, that a key of the ring signed the frame
// ([ErrBadSignature]) and that now, when the frame was read, is within ttl of
// its time ([ErrExpired]; that too is answered by the frame's signature).
func (f *NewFeedback) Verify(ring KeyRing, now time.Time, ttl time.Duration) (Signature, error) {
	return ring.verifyFresh(f.TS, f.Nonce, &f.Data, f.Sig, now, ttl)
}

func (r KeyRing) verifyFresh(
	ts int64, nonce string, payload canonicaler, sig string, now time.Time, ttl time.Duration,
) (Signature, error) {
	signature, err := r.verify(ts, nonce, payload, sig)
	if err != nil {
		return Signature{}, err
	}
	if !fresh(ts, now, ttl) {
		return signature, ErrExpired
	}
	return signature, nil
}

// envelope reads the members of a frame; the first that is wrong is kept in
// err, and then the rest means nothing.
type envelope struct {
	root Value
	err  *InvalidMessageError
}

func openEnvelope(data []byte, lim Limits) (envelope, error) {
	lim = lim.orDefaults()
	root, err := Parse(data, lim)
	if err != nil {
		refused := &InvalidMessageError{What: err.Error(), err: err}
		if len(data) <= lim.MaxBytes {
			refused.ID = salvageID(data)
		}
		return envelope{}, refused
	}
	if root.Kind() != KindObject {
		return envelope{}, &InvalidMessageError{What: "the frame is " + root.Kind().String() + ", not an object"}
	}
	return envelope{root: root}, nil
}

func (e *envelope) refuse(what string) {
	if e.err != nil {
		return
	}
	id, _ := e.root.Get("id").exact()
	e.err = &InvalidMessageError{ID: id, What: what}
}

// member returns a member that has to be there and of a kind.
func (e *envelope) member(key string, want Kind) Value {
	v := e.root.Get(key)
	switch v.Kind() {
	case want:
	case KindNone:
		e.refuse(key + " is missing")
	default:
		e.refuse(key + " is " + v.Kind().String() + ", not " + want.String())
	}
	return v
}

func (e *envelope) object(key string) Value { return e.member(key, KindObject) }

func (e *envelope) text(key string) string {
	s, _ := e.member(key, KindString).exact()
	return s
}

// label is a text of bounded length.
func (e *envelope) label(key string) string {
	s := e.text(key)
	if len(s) > MaxNameLen && utf8.RuneCountInString(replaceSurrogates(s)) > MaxNameLen {
		e.refuse(fmt.Sprintf("%s is longer than %d characters", key, MaxNameLen))
	}
	return s
}

// name is a label that is not empty.
func (e *envelope) name(key string) string {
	s := e.label(key)
	if s == "" {
		e.refuse(key + " is empty")
	}
	return s
}

func (e *envelope) integer(key string) int64 {
	i, ok := e.member(key, KindInteger).Int64()
	if !ok { // where it was another kind, that has been said
		e.refuse(key + " does not fit in 64 bits")
	}
	return i
}

func (e *envelope) boolean(key string) bool {
	v := e.root.Get(key)
	b, ok := v.Bool()
	switch {
	case ok:
	case v.Kind() == KindNone:
		e.refuse(key + " is missing")
	default:
		e.refuse(key + " is " + v.Kind().String() + ", not true or false")
	}
	return b
}

// AppendNewFeedback appends the frame that a site would send: data, a JSON
// object, as it is, signed in the form. It is for the other side of the wire:
// simulators and tests.
func AppendNewFeedback(dst []byte, id string, data []byte, key Key, form Form, ts int64, nonce string) ([]byte, error) {
	payload, err := Parse(data, DefaultLimits())
	if err != nil {
		return dst, fmt.Errorf("data of a feedback: %w", err)
	}
	if err := canSign(key, nonce); err != nil {
		return dst, err
	}
	canonical, err := payload.AppendCanonical(nil, form)
	if err != nil {
		return dst, fmt.Errorf("data of a feedback: %w", err)
	}
	dst = append(dst, `{"type":"new_feedback","id":`...)
	dst = appendASCII(dst, toWTF8(id))
	dst = append(dst, `,"data":`...)
	dst = append(dst, data...)
	return appendStamp(dst, key, ts, nonce, canonical), nil
}

func canSign(key Key, nonce string) error {
	if key.state == nil {
		return ErrNoKey
	}
	if !utf8.ValidString(nonce) {
		return errors.New("the nonce of a frame is not valid UTF-8")
	}
	return nil
}

// appendStamp ends a signed frame.
func appendStamp(dst []byte, key Key, ts int64, nonce string, canonical []byte) []byte {
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, ts, 10)
	dst = append(dst, `,"nonce":`...)
	dst = appendASCII(dst, nonce)
	dst = append(dst, `,"sig":"`...)
	sum := key.state.mac(ts, nonce, canonical)
	dst = hex.AppendEncode(dst, sum[:])
	return append(dst, `"}`...)
}
