// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// roomy is for canonical forms, which may be longer than what they came from.
var roomy = Limits{MaxBytes: 1 << 24}

func FuzzParse(f *testing.F) {
	for _, v := range loadVectors(f)[:40] {
		f.Add([]byte(v.Payload))
	}
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2))}
	for range 60 {
		f.Add([]byte(g.document()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Parse(data, DefaultLimits())
		if err != nil {
			var refused *ParseError
			if !errors.As(err, &refused) || refused.Offset < 0 || refused.Offset > len(data) {
				t.Fatalf("%#v", err)
			}
			checkReason(t, refused.What)
			return
		}
		if !json.Valid(data) {
			t.Fatal("accepted, but encoding/json refuses it")
		}
		want := canonicalForms(t, v)
		if !isASCII([]byte(want.ascii)) {
			t.Fatalf("not ASCII: %s", want.ascii)
		}
		again := []string{want.ascii}
		if !want.lone {
			again = append(again, want.utf8)
		}
		for _, canonical := range again {
			v, err := Parse([]byte(canonical), roomy)
			if err != nil {
				t.Fatalf("canonical form %s: %v", canonical, err)
			}
			if got := canonicalForms(t, v); got != want {
				t.Fatalf("not a fixed point:\n%v\n%v", want, got)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	key := mustKey(f, "key")
	for _, changes := range []map[string]string{
		nil, {"id": `"\ud800"`}, {"ts": "1.0"}, {"data": `{"a":NaN}`}, {"type": `"ping"`}, {"nonce": `"\ud800"`},
		{"data": `{"feedback_id":-1,"category":7,"message":null}`}, {"id": `7,"id":"x"`}, {"sig": `null`},
	} {
		f.Add([]byte(envelopeWith(changes)))
	}
	for form, frame := range map[Form]string{FormUTF8: testData, FormASCII: `{"feedback_id":2,"message":"\ud800"}`} {
		frame, err := AppendNewFeedback(nil, "id", []byte(frame), key, form, testTS, "nonce")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := Decode(data, DefaultLimits())
		if err != nil {
			checkReason(t, Reason(err))
			checkEcho(t, key, err)
			return
		}
		if (frame.Feedback != nil) != (frame.Type == TypeNewFeedback) {
			t.Fatalf("a frame of type %q with feedback %v", frame.Type, frame.Feedback)
		}
		if frame.Feedback != nil {
			checkFeedback(t, key, frame.Feedback)
		}
	})
}

// checkReason wants error strings fit for the wire and for a log.
func checkReason(t *testing.T, reason string) {
	t.Helper()
	if reason == "" || len(reason) > 200 || !utf8.ValidString(reason) || strings.ContainsAny(reason, "\n\r\x00") {
		t.Fatalf("reason %q", reason)
	}
}

// checkEcho wants a refusal to be answerable for any id.
func checkEcho(t *testing.T, key Key, err error) {
	t.Helper()
	var refused *InvalidMessageError
	if !errors.As(err, &refused) || refused.ID == "" || utf8.RuneCountInString(refused.ID) > MaxNameLen {
		return
	}
	frame, err := Result{ID: refused.ID, Error: Reason(refused)}.AppendFrame(nil, key, FormUTF8, 1, "n")
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := DecodeResult(frame, roomy); err != nil || answer.ID != refused.ID {
		t.Fatalf("id %q came back as %q: %v", refused.ID, answer.ID, err)
	}
}

// checkFeedback sends a feedback through the wire again, signed.
func checkFeedback(t *testing.T, key Key, f *NewFeedback) {
	t.Helper()
	if _, err := f.Payload(); err != nil {
		checkReason(t, Reason(err))
	}
	if _, err := f.Verify(NewKeyRing(key), time.Unix(f.TS, 0), time.Minute); err != nil {
		checkReason(t, Reason(err))
	}
	data, err := f.Data.AppendCanonical(nil, FormASCII)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := AppendNewFeedback(nil, f.ID, data, key, FormASCII, f.TS, f.Nonce)
	if err != nil {
		if utf8.ValidString(f.Nonce) && len(data) < DefaultLimits().MaxBytes {
			t.Fatal(err)
		}
		return
	}
	again, err := Decode(signed, roomy)
	if err != nil {
		t.Fatal(err)
	}
	if g := again.Feedback; g.ID != f.ID || g.TS != f.TS || g.Nonce != f.Nonce {
		t.Fatalf("%+v became %+v", f, g)
	}
	if _, err := again.Feedback.Verify(NewKeyRing(key), time.Unix(f.TS, 0), time.Minute); err != nil {
		t.Fatalf("signed %s: %v", signed, err)
	}
}
