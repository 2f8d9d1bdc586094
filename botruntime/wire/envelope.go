// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Subprotocol is what Sec-WebSocket-Protocol says where both sides speak
// version 2.
const Subprotocol = "feedbackbridge.v2"

// The types of the frames that version 2 has besides those of version 1.
const (
	TypeHello           = "hello"
	TypeAck             = "ack"
	TypeFeedbackCreated = "feedback_created"
	TypeFeedbackStatus  = "feedback_status"
	TypeFeedbackReply   = "feedback_reply"
	TypeKeyUpdate       = "key_update"
)

// Side is who a frame of version 2 is for: both sides sign with the same keys,
// so a frame that were for nobody could be sent back to its sender.
type Side string

// The sides.
const (
	ToBot  Side = "bot"
	ToSite Side = "site"
)

// MaxLabelLen bounds the type, id, nonce and kid of a frame of version 2, which
// are printable ASCII.
const MaxLabelLen = 128

// Envelope is a frame of version 2, of the right shape but not yet verified.
// Its strings, and those of its Data, share one copy of the frame:
// strings.Clone what is to outlive it.
type Envelope struct {
	Type  string
	ID    string
	TS    int64 // Unix seconds
	Nonce string
	KeyID string
	Sig   string
	Data  Value // an object

	root Value
}

// Signed tells a frame that has to be verified from a ping or a pong, which has
// nothing but its Type.
func (e *Envelope) Signed() bool { return e.root.doc != nil }

// DecodeV2 reads a frame of version 2 that is for one side. A type that the
// version does not have is no error. The error is an [*InvalidMessageError], whose ID is that of a
// new_feedback, where it can be answered.
func DecodeV2(data []byte, to Side, lim Limits) (Envelope, error) {
	lim = lim.orDefaults()
	root, err := Parse(data, lim)
	if err != nil {
		refused := &InvalidMessageError{What: err.Error(), err: err}
		if len(data) <= lim.MaxBytes {
			refused.ID = answerable(salvage(data))
		}
		return Envelope{}, refused
	}
	if root.Kind() != KindObject {
		return Envelope{}, &InvalidMessageError{What: "the frame is " + root.Kind().String() + ", not an object"}
	}
	r := envelope{root: root}
	f := Envelope{Type: r.printable("type")}
	if r.err == nil && (f.Type == TypePing || f.Type == TypePong) {
		return f, nil
	}
	if v := r.integer("v"); v != 2 {
		r.refuse("v is not 2")
	}
	if r.text("to") != string(to) {
		r.refuse("to is not " + string(to))
	}
	f.ID, f.Data, f.TS = r.printable("id"), r.object("data"), r.integer("ts")
	f.Nonce, f.KeyID, f.Sig = r.printable("nonce"), r.printable("kid"), r.text("sig")
	if root.doc.lone { // it may be one that a later member of the same name replaced
		if _, err := root.AppendCanonical(nil, FormUTF8); err != nil {
			r.refuse(err.Error())
		}
	}
	if r.err != nil {
		id, _ := root.Get("id").exact()
		frameType, _ := root.Get("type").exact()
		r.err.ID = answerable(id, frameType)
		return Envelope{}, r.err
	}
	f.root = root
	return f, nil
}

// answerable is the id of a frame that is answered even where it is refused.
func answerable(id, frameType string) string {
	if frameType != TypeNewFeedback || !IsLabel(id) {
		return ""
	}
	return id
}

// IsLabel says whether a text is fit for an id, nonce, kid or type.
func IsLabel(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= MaxLabelLen
}

// printable is a text that IsLabel.
func (e *envelope) printable(key string) string {
	s := e.text(key)
	if !IsLabel(s) { // where it was another kind, that has been said
		e.refuse(fmt.Sprintf("%s is not of 1 to %d printable ASCII characters", key, MaxLabelLen))
	}
	return s
}

// Verify checks, in this order, that the key of the ring that the frame names
// signed it ([ErrBadSignature]) and that now, when the frame was read, is
// within ttl of its time ([ErrExpired]; that too has its Signature).
func (e *Envelope) Verify(ring KeyRing, now time.Time, ttl time.Duration) (Signature, error) {
	want, ok := parseSignature(e.Sig)
	key, held := ring.Lookup(e.KeyID)
	if !ok || !held || !e.Signed() {
		return Signature{}, ErrBadSignature
	}
	buf := getBuffer()
	defer buf.release()
	buf.b, ok = e.appendSigned(buf.b)
	if !ok {
		return Signature{}, ErrBadSignature // DecodeV2 lets none through
	}
	if got := key.state.macBare(buf.b); !hmac.Equal(got[:], want[:]) {
		return Signature{}, ErrBadSignature
	}
	signature := Signature{KeyID: key.ID(), Form: FormUTF8}
	if !fresh(e.TS, now, ttl) {
		return signature, ErrExpired
	}
	return signature, nil
}

// appendSigned prints what the signature covers: the frame without it.
func (e *Envelope) appendSigned(dst []byte) (out []byte, ok bool) {
	d := e.root.doc
	return d.appendObject(dst, &d.nodes[e.root.at], FormUTF8, "sig")
}

// Body is the data of a frame of version 2.
type Body interface {
	// Type is the type of the frame.
	Type() string
	// appendData prints the data as canonical JSON in FormUTF8.
	appendData(dst []byte) []byte
}

// AppendV2 appends a frame of version 2 for a side, signed with the key at ts, in
// Unix seconds. The error is [ErrNoKey], or that the id or the nonce is not of the
// protocol's shape.
func AppendV2(dst []byte, to Side, id string, body Body, key Key, ts int64, nonce string) ([]byte, error) {
	if key.state == nil {
		return dst, ErrNoKey
	}
	if !IsLabel(id) || !IsLabel(nonce) {
		return dst, fmt.Errorf("the id and the nonce of a frame must be of 1 to %d printable ASCII characters", MaxLabelLen)
	}
	start := len(dst)
	dst = append(dst, `{"data":`...)
	dst = body.appendData(dst)
	dst = appendMember(dst, "id", id)
	dst = appendMember(dst, "kid", key.ID())
	dst = appendMember(dst, "nonce", nonce)
	dst = appendMember(dst, "to", string(to))
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, ts, 10)
	dst = appendMember(dst, "type", body.Type())
	dst = append(dst, `,"v":2}`...)
	// What was printed is canonical: the signature goes behind it.
	sum := key.state.macBare(dst[start:])
	dst = append(dst[:len(dst)-1], `,"sig":"`...)
	dst = hex.AppendEncode(dst, sum[:])
	return append(dst, `"}`...), nil
}

// appendMember prints a member whose value is a string, after another one.
func appendMember(dst []byte, key, value string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	return appendUTF8(dst, value)
}

// raw is data of any type.
type raw struct {
	frameType string
	data      []byte
}

// Type is the type of the frame.
func (r raw) Type() string { return r.frameType }

func (r raw) appendData(dst []byte) []byte { return append(dst, r.data...) }

// NewBody makes a body of any type of a JSON object. It is for the other side
// of the wire: simulators and tests.
func NewBody(frameType string, data []byte) (Body, error) {
	if !IsLabel(frameType) {
		return nil, errors.New("the type of a frame must be printable ASCII")
	}
	v, err := Parse(data, DefaultLimits())
	if err == nil && v.Kind() != KindObject {
		err = errors.New("it is " + v.Kind().String() + ", not an object")
	}
	if err != nil {
		return nil, fmt.Errorf("data of a frame: %w", err)
	}
	canonical, err := v.AppendCanonical(nil, FormUTF8)
	if err != nil {
		return nil, fmt.Errorf("data of a frame: %w", err)
	}
	return raw{frameType, canonical}, nil
}
