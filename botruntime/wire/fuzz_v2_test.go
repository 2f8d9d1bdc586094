// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func FuzzDecodeV2(f *testing.F) {
	key := mustKey(f, "key")
	for _, body := range someBodies() {
		f.Add(mustAppend(f, body, key))
	}
	for _, c := range refusedBodies {
		body, err := NewBody(c.frameType, []byte(c.data))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(mustAppend(f, body, key))
	}
	for _, changes := range []map[string]string{
		nil, {"id": `"\ud800"`}, {"ts": "1.0"}, {"data": `{"a":NaN}`}, {"type": `"ping"`}, {"v": `2,"v":2`}, {"data": `{"a":"\ud800","a":1}`},
	} {
		f.Add([]byte(envelopeV2(changes)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeV2(data, ToBot, DefaultLimits())
		if err != nil {
			var refused *InvalidMessageError
			if !errors.As(err, &refused) || refused.ID != "" && !IsLabel(refused.ID) {
				t.Fatalf("%#v", err)
			}
			checkReason(t, Reason(err))
			return
		}
		if !e.Signed() {
			if e.Type != TypePing && e.Type != TypePong {
				t.Fatalf("%q is not signed", e.Type)
			}
			return
		}
		checkEnvelope(t, key, &e)
	})
}

// checkEnvelope reads an envelope's data by every reader, and sends it through the wire again, signed.
func checkEnvelope(t *testing.T, key Key, e *Envelope) {
	t.Helper()
	if _, err := e.Verify(NewKeyRing(key), time.Unix(e.TS, 0), time.Minute); err != nil {
		checkReason(t, Reason(err))
	}
	for _, read := range []func() error{
		func() error { _, err := e.Feedback(); return err }, func() error { _, err := e.Hello(); return err },
		func() error { _, err := e.KeyUpdate(); return err }, func() error { _, err := e.Answer(); return err },
		func() error { _, err := e.Created(); return err }, func() error { _, err := e.Status(); return err },
		func() error { _, err := e.Reply(); return err },
	} {
		var refused *InvalidPayloadError
		if err := read(); err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("%#v", err)
			}
			checkReason(t, err.Error())
		}
	}
	data, err := e.Data.AppendCanonical(nil, FormUTF8)
	if err != nil || len(data) > DefaultLimits().MaxBytes {
		return // a canonical form may be longer than what it came from
	}
	body, err := NewBody(e.Type, data)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := AppendV2(nil, ToBot, e.ID, body, key, e.TS, e.Nonce)
	if err != nil || !json.Valid(frame) {
		t.Fatalf("%s: %v", frame, err)
	}
	again, err := DecodeV2(frame, ToBot, roomy)
	if err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	if again.ID != e.ID || again.TS != e.TS || again.Nonce != e.Nonce || again.Type != e.Type {
		t.Fatalf("%+v became %+v", e, again)
	}
	if _, err := again.Verify(NewKeyRing(key), time.Unix(e.TS, 0), time.Minute); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
}
