// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// envelopeV2 is a frame of version 2, of the right shape but badly signed, with
// some members replaced by JSON, or left out where that is "".
func envelopeV2(changes map[string]string) string {
	members := [][2]string{
		{"v", "2"}, {"to", `"bot"`}, {"type", `"new_feedback"`}, {"id", `"an id"`}, {"data", testData}, {"ts", fmt.Sprint(testTS)},
		{"nonce", `"a nonce"`}, {"kid", `"a key"`}, {"sig", `"` + testSig + `"`},
	}
	var parts []string
	for _, m := range members {
		if change, ok := changes[m[0]]; ok {
			m[1] = change
		}
		if m[1] != "" {
			parts = append(parts, `"`+m[0]+`":`+m[1])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// sideOf is whom a frame of a type is for; some may be for either.
func sideOf(frameType string) Side {
	switch frameType {
	case TypeFeedbackResult, TypeFeedbackCreated, TypeKeyUpdate:
		return ToSite
	}
	return ToBot
}

func mustAppend(t testing.TB, body Body, key Key) []byte {
	t.Helper()
	frame, err := AppendV2(nil, sideOf(body.Type()), "an id", body, key, testTS, "a nonce")
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func mustOpen(t testing.TB, frame []byte, key Key) Envelope {
	t.Helper()
	to := ToBot
	if bytes.Contains(frame, []byte(`"to":"site"`)) {
		to = ToSite
	}
	e, err := DecodeV2(frame, to, DefaultLimits())
	if err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	if _, err := e.Verify(NewKeyRing(key), time.Unix(testTS, 0), time.Minute); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return e
}

func TestAFrameOfVersion2IsSignedAsAWhole(t *testing.T) {
	key := mustKey(t, "key")
	frame := mustAppend(t, StatusUpdate{TicketID: "ticket_tg_1", Status: "read", Actor: Actor{Name: "Имя"}, At: time.Unix(testTS, 0)}, key)
	signed := `{"data":{"actor":{"name":"Имя"},"at":"2025-10-17T12:00:00.000000Z","feedback_id":0,"status":"read","ticket_id":"ticket_tg_1"},` +
		`"id":"an id","kid":"` + key.ID() + `","nonce":"a nonce","to":"bot","ts":1760702400,"type":"feedback_status","v":2}`
	sum := key.state.macBare([]byte(signed))
	want := strings.TrimSuffix(signed, "}") + `,"sig":"` + hex.EncodeToString(sum[:]) + `"}`
	if string(frame) != want {
		t.Errorf("got  %s\nwant %s", frame, want)
	}
	e := mustOpen(t, frame, key)
	if e.Type != TypeFeedbackStatus || e.ID != "an id" || e.Nonce != "a nonce" || e.TS != testTS || e.KeyID != key.ID() || !e.Signed() {
		t.Errorf("%+v", e)
	}
}

func TestNothingOfAFrameCanBeSwapped(t *testing.T) {
	key := mustKey(t, "key")
	body, err := NewBody("a_type", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	frame := string(mustAppend(t, body, key))
	other := mustKey(t, "other")
	for what, swap := range map[string][2]string{
		"data":            {`{"a":1}`, `{"a":2}`},
		"id":              {`"an id"`, `"another"`},
		"ts":              {`1760702400`, `1760702401`},
		"nonce":           {`"a nonce"`, `"b nonce"`},
		"type":            {`"a_type"`, `"b_type"`},
		"kid":             {key.ID(), other.ID()},
		"kid not held":    {key.ID(), "nobody's"},
		"a member more":   {`"v":2`, `"v":2,"w":0`},
		"the signature":   {`"sig":"`, `"sig":"0`},
		"an integer text": {`"a":1`, `"a":1.0`},
	} {
		swapped := strings.Replace(frame, swap[0], swap[1], 1)
		if swapped == frame {
			t.Fatalf("%s: nothing was swapped", what)
		}
		e, err := DecodeV2([]byte(swapped), ToBot, DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, err := e.Verify(NewKeyRing(key, other), time.Unix(testTS, 0), time.Minute); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s: %v, want %v", what, err, ErrBadSignature)
		}
	}
}

func TestTheOrderAndTheSpellingOfMembersDoNotCount(t *testing.T) {
	key := mustKey(t, "key")
	canonical := `{"data":{"a":"я","b":[1.0,null]},"extra":{"x":true},"id":"i","kid":"` + key.ID() + `","nonce":"n","to":"bot","ts":1760702400,"type":"t","v":2}`
	sum := key.state.macBare([]byte(canonical))
	frame := fmt.Sprintf(` { "v": 2, "sig":"%x", "type": "t", "nonce": "n", "to": "bot", "ts": 1760702400, "kid": "%s", "id": "x", "id": "\u0069",
		"extra": {"x": true}, "data": {"b": [1e0, null], "a": "\u044f"} }`, sum, key.ID())
	mustOpen(t, []byte(frame), key)
}

func TestPingsAndPongsAreNotSigned(t *testing.T) {
	for doc, want := range map[string]string{
		string(Ping()): TypePing, string(Pong()): TypePong, `{"type":"ping","v":7,"id":{}}`: TypePing,
	} {
		e, err := DecodeV2([]byte(doc), ToBot, DefaultLimits())
		if err != nil || e.Type != want || e.Signed() {
			t.Errorf("%s: %+v, %v", doc, e, err)
		}
		if _, err := e.Verify(NewKeyRing(mustKey(t, "key")), time.Now(), time.Hour); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s is verified: %v", doc, err)
		}
	}
}

func TestFramesOfVersion2ThatAreRefused(t *testing.T) {
	long := `"` + strings.Repeat("a", MaxLabelLen+1) + `"`
	const notLabel = " is not of 1 to 128 printable ASCII characters"
	for name, c := range map[string]struct {
		frame    string // or
		change   map[string]string
		what, id string
	}{
		"array":                   {frame: `[]`, what: "the frame is an array, not an object"},
		"empty object":            {frame: `{}`, what: "type is missing"},
		"no v":                    {change: map[string]string{"v": ""}, what: "v is missing", id: "an id"},
		"v 1":                     {change: map[string]string{"v": "1"}, what: "v is not 2", id: "an id"},
		"v 2.0":                   {change: map[string]string{"v": "2.0"}, what: "v is a float, not an integer", id: "an id"},
		"type of 129":             {change: map[string]string{"type": long}, what: "type" + notLabel},
		"another type's":          {change: map[string]string{"type": `"hello"`, "ts": ""}, what: "ts is missing"},
		"no side":                 {change: map[string]string{"to": ""}, what: "to is missing", id: "an id"},
		"the other side":          {change: map[string]string{"to": `"site"`}, what: "to is not bot", id: "an id"},
		"no id":                   {change: map[string]string{"id": ""}, what: "id is missing"},
		"id empty":                {change: map[string]string{"id": `""`}, what: "id" + notLabel},
		"id of 129":               {change: map[string]string{"id": long}, what: "id" + notLabel},
		"id not ASCII":            {change: map[string]string{"id": `"я"`}, what: "id" + notLabel},
		"id with a newline":       {change: map[string]string{"id": `"a\n"`}, what: "id" + notLabel},
		"no data":                 {change: map[string]string{"data": ""}, what: "data is missing", id: "an id"},
		"data null":               {change: map[string]string{"data": "null"}, what: "data is null, not an object", id: "an id"},
		"ts true":                 {change: map[string]string{"ts": "true"}, what: "ts is true, not an integer", id: "an id"},
		"ts text":                 {change: map[string]string{"ts": `"1"`}, what: "ts is a string, not an integer", id: "an id"},
		"nonce empty":             {change: map[string]string{"nonce": `""`}, what: "nonce" + notLabel, id: "an id"},
		"no kid":                  {change: map[string]string{"kid": ""}, what: "kid is missing", id: "an id"},
		"no sig":                  {change: map[string]string{"sig": ""}, what: "sig is missing", id: "an id"},
		"lone surrogate":          {change: map[string]string{"data": `{"a":"\ud800"}`}, what: ErrLoneSurrogate.Error(), id: "an id"},
		"lone surrogate in a key": {change: map[string]string{"data": `{"\ud800":1}`}, what: ErrLoneSurrogate.Error(), id: "an id"},
		"NaN": {change: map[string]string{"data": `{"a":NaN}`},
			what: "not acceptable JSON at byte 65: NaN is not JSON", id: "an id"},
		"NaN in another type": {change: map[string]string{"type": `"hello"`, "data": `{"a":NaN}`},
			what: "not acceptable JSON at byte 58: NaN is not JSON"},
		"NaN without a type": {change: map[string]string{"type": "", "data": `{"a":NaN}`},
			what: "not acceptable JSON at byte 43: NaN is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.frame == "" {
				c.frame = envelopeV2(c.change)
			}
			_, err := DecodeV2([]byte(c.frame), ToBot, DefaultLimits())
			var refused *InvalidMessageError
			if !errors.As(err, &refused) || refused.What != c.what || refused.ID != c.id {
				t.Errorf("%+v, want %q for id %q", refused, c.what, c.id)
			}
		})
	}
}

func TestASurrogateThatCountsForNothingIsNoReason(t *testing.T) {
	if _, err := DecodeV2([]byte(envelopeV2(map[string]string{"data": `{"a":"\ud800","a":1}`})), ToBot, DefaultLimits()); err != nil {
		t.Error(err)
	}
}

func TestAFrameOfVersion2HasItsTime(t *testing.T) {
	key := mustKey(t, "key")
	e := mustOpen(t, mustAppend(t, Ack{}, key), key)
	for offset, want := range map[time.Duration]error{
		-45 * time.Second: nil, 45 * time.Second: nil, -46 * time.Second: ErrExpired, 46 * time.Second: ErrExpired,
	} {
		signature, err := e.Verify(NewKeyRing(key), time.Unix(testTS, 0).Add(offset), 45*time.Second)
		if !errors.Is(err, want) || signature.KeyID != key.ID() {
			t.Errorf("%v: %+v %v, want %v", offset, signature, err, want)
		}
	}
}

func TestWhatCannotBeSentIsNotPrinted(t *testing.T) {
	key := mustKey(t, "key")
	for name, c := range map[string]struct {
		id, nonce string
		key       Key
	}{
		"no key":       {"id", "nonce", Key{}},
		"no id":        {"", "nonce", key},
		"id not ASCII": {"я", "nonce", key},
		"long nonce":   {"id", strings.Repeat("n", MaxLabelLen+1), key},
	} {
		if frame, err := AppendV2([]byte("kept"), ToBot, c.id, Ack{}, c.key, 1, c.nonce); err == nil || string(frame) != "kept" {
			t.Errorf("%s: %s, %v", name, frame, err)
		}
	}
	for _, data := range []string{`[]`, `{`, `{"a":"\ud800"}`} {
		if _, err := NewBody("t", []byte(data)); err == nil {
			t.Errorf("%s is a body", data)
		}
	}
	if _, err := NewBody("я", []byte(`{}`)); err == nil {
		t.Error("a type that is not ASCII")
	}
}

// What is printed has to be canonical, for it is what was signed.
func TestBodiesArePrintedInCanonicalForm(t *testing.T) {
	key := mustKey(t, "key")
	for name, body := range someBodies() {
		frame := mustAppend(t, body, key)
		e := mustOpen(t, frame, key)
		canonical, err := e.Data.AppendCanonical(nil, FormUTF8)
		if printed := body.appendData(nil); err != nil || !bytes.Equal(canonical, printed) {
			t.Errorf("%s:\nprinted   %s\ncanonical %s", name, printed, canonical)
		}
		if !json.Valid(frame) {
			t.Errorf("%s is not JSON: %s", name, frame)
		}
	}
}
