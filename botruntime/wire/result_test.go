// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestResultFrame(t *testing.T) {
	key := mustKey(t, "key")
	for name, c := range map[string]struct {
		result      Result
		frame       string // up to ts
		utf8, ascii string // what is signed
	}{
		"delivered": {
			result: Result{ID: "an id", OK: true, TicketID: "ticket_site_123", MessageID: 456, SentAt: "2025-10-17T12:00:01"},
			frame: `{"type":"feedback_result","id":"an id","ok":true,` +
				`"result":{"message_id":456,"sent_at":"2025-10-17T12:00:01","ticket_id":"ticket_site_123"},"error":null`,
			utf8: `{"error":null,"id":"an id","ok":true,` +
				`"result":{"message_id":456,"sent_at":"2025-10-17T12:00:01","ticket_id":"ticket_site_123"}}`,
		},
		"refused": {
			result: Result{ID: "an id", Error: "Message expired", TicketID: "not sent"},
			frame:  `{"type":"feedback_result","id":"an id","ok":false,"result":null,"error":"Message expired"`,
			utf8:   `{"error":"Message expired","id":"an id","ok":false,"result":null}`,
		},
		"not ASCII": {
			result: Result{ID: "\"я\"\n", Error: "ошибка <&>"},
			frame: `{"type":"feedback_result","id":"\"\u044f\"\n","ok":false,"result":null,` +
				`"error":"\u043e\u0448\u0438\u0431\u043a\u0430 <&>"`,
			utf8:  `{"error":"ошибка <&>","id":"\"я\"\n","ok":false,"result":null}`,
			ascii: `{"error":"\u043e\u0448\u0438\u0431\u043a\u0430 <&>","id":"\"\u044f\"\n","ok":false,"result":null}`,
		},
		"broken UTF-8": {
			result: Result{ID: "a\xffb", Error: "\xed\xa0\x80\xc0"},
			frame:  `{"type":"feedback_result","id":"a\ufffdb","ok":false,"result":null,"error":"\ufffd\ufffd"`,
			utf8:   "{\"error\":\"\ufffd\ufffd\",\"id\":\"a\ufffdb\",\"ok\":false,\"result\":null}",
			ascii:  `{"error":"\ufffd\ufffd","id":"a\ufffdb","ok":false,"result":null}`,
		},
		"lone surrogate in the id": {
			result: Result{ID: "a\xed\xa0\x80я", Error: "e"},
			frame:  `{"type":"feedback_result","id":"a\ud800\u044f","ok":false,"result":null,"error":"e"`,
			utf8:   `{"error":"e","id":"a\ud800\u044f","ok":false,"result":null}`, // has no form but this
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.ascii == "" {
				c.ascii = c.utf8
			}
			for form, canonical := range map[Form]string{FormUTF8: c.utf8, FormASCII: c.ascii} {
				got, err := c.result.AppendFrame([]byte("kept"), key, form, testTS, "a nonce")
				sig := key.Sign(testTS, "a nonce", []byte(canonical))
				want := fmt.Sprintf(`kept%s,"ts":%d,"nonce":"a nonce","sig":"%s"}`, c.frame, testTS, sig)
				if err != nil || string(got) != want {
					t.Errorf("%v:\n got %s (%v)\nwant %s", form, got, err, want)
				}
				if !json.Valid(got[len("kept"):]) {
					t.Errorf("%v: not JSON", form)
				}
			}
		})
	}
}

func TestResultFrameRefuses(t *testing.T) {
	if got, err := (Result{}).AppendFrame([]byte("kept"), Key{}, FormUTF8, 1, "n"); !errors.Is(err, ErrNoKey) || string(got) != "kept" {
		t.Errorf("no key: %s, %v", got, err)
	}
	if got, err := (Result{}).AppendFrame([]byte("kept"), mustKey(t, "k"), FormUTF8, 1, "\xff"); err == nil || string(got) != "kept" {
		t.Errorf("broken nonce: %s, %v", got, err)
	}
}

// An id comes back as it was sent, whatever is in it.
func TestResultEchoesID(t *testing.T) {
	key := mustKey(t, "key")
	ring := NewKeyRing(key)
	for _, id := range []string{`"3f2504e0"`, `"\u0000\u001f\"\\"`, `"Я\ud83d\ude00"`, `"\ud800"`, `"\udc00\ud800x"`, `"\u007f\u2028"`} {
		for _, form := range []Form{FormUTF8, FormASCII} {
			request, err := Decode([]byte(envelopeWith(map[string]string{"id": id})), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			frame, err := Result{ID: request.Feedback.ID, Error: "e"}.AppendFrame(nil, key, form, testTS, "n")
			if err != nil {
				t.Fatal(err)
			}
			answer, err := DecodeResult(frame, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if answer.ID != request.Feedback.ID {
				t.Errorf("%s came back as %q", id, answer.ID)
			}
			if _, err := answer.Verify(ring, time.Unix(testTS, 0), time.Minute); err != nil {
				t.Errorf("%s, %v: %v", id, form, err)
			}
		}
	}
}

func TestDecodeResult(t *testing.T) {
	key := mustKey(t, "key")
	ring := NewKeyRing(mustKey(t, "next"), key)
	now := time.Unix(testTS, 0)
	for _, want := range []Result{
		{ID: "id", OK: true, TicketID: "ticket_site_1", MessageID: -5, SentAt: "2025-10-17T12:00:01"},
		{ID: "ид", Error: "ошибка"},
	} {
		frame, err := want.AppendFrame(nil, key, FormUTF8, testTS, "a nonce")
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeResult(frame, DefaultLimits())
		if err != nil || got.Result != want || got.TS != testTS || got.Nonce != "a nonce" {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		if sig, err := got.Verify(ring, now, time.Minute); err != nil || sig != (Signature{key.ID(), FormUTF8}) {
			t.Errorf("%+v, %v", sig, err)
		}
		if _, err := got.Verify(ring, now.Add(time.Hour), time.Minute); !errors.Is(err, ErrExpired) {
			t.Errorf("an hour later: %v", err)
		}
		forged := strings.Replace(string(frame), `"ok":true`, `"ok":true,"result":{"ticket_id":"x","message_id":1,"sent_at":""}`, 1)
		forged = strings.Replace(forged, `"error":"`, `"error":"x`, 1)
		f, err := DecodeResult([]byte(forged+" "), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Verify(ring, now, time.Minute); want.OK == (err != nil) {
			t.Errorf("changed to %s: %v", forged, err) // of two results the last, genuine one counts
		}
	}
}

// A site's view of what a signature covers: members that the frame has not are null.
func TestDecodeResultWithoutNulls(t *testing.T) {
	key := mustKey(t, "key")
	sig := key.Sign(testTS, "n", []byte(`{"error":"e","id":"i","ok":false,"result":null}`))
	frame := fmt.Sprintf(`{"type":"feedback_result","id":"i","ok":false,"error":"e","ts":%d,"nonce":"n","sig":"%s"}`, testTS, sig)
	f, err := DecodeResult([]byte(frame), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify(NewKeyRing(key), time.Unix(testTS, 0), time.Minute); err != nil {
		t.Error(err)
	}
}

func TestDecodeResultRefuses(t *testing.T) {
	const end = `,"ts":1,"nonce":"n","sig":"s"}`
	for frame, want := range map[string]string{
		`{"type":"feedback_result",`:                                                    "not acceptable JSON at byte 26: it ends where a key in double quotes is needed",
		`{"type":"ping"}`:                                                               "type is not feedback_result",
		`{"type":"feedback_result","ok":true}`:                                          "id is missing",
		`{"type":"feedback_result","id":"i"}`:                                           "ok is missing",
		`{"type":"feedback_result","id":"i","ok":1}`:                                    "ok is an integer, not true or false",
		`{"type":"feedback_result","id":"i","ok":false` + end:                           "error is missing",
		`{"type":"feedback_result","id":"i","ok":true` + end:                            "result is missing",
		`{"type":"feedback_result","id":"i","ok":true,"result":null` + end:              "result is null, not an object",
		`{"type":"feedback_result","id":"i","ok":true,"result":{}` + end:                "result: ticket_id is missing",
		`{"type":"feedback_result","id":"i","ok":false,"error":"e"}`:                    "ts is missing",
		`{"type":"feedback_result","id":"i","ok":false,"error":"e","ts":1,"nonce":"n"}`: "sig is missing",
	} {
		if _, err := DecodeResult([]byte(frame), DefaultLimits()); Reason(err) != "Invalid message: "+want {
			t.Errorf("%s: %v, want %s", frame, err, want)
		}
	}
}
