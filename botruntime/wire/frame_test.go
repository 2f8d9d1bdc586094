// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

const (
	testTS   = 1_760_702_400
	testData = `{"feedback_id":1,"category":"bug","message":"Текст"}`
	testSig  = "0000000000000000000000000000000000000000000000000000000000000000"
)

// envelopeWith is a frame of the right shape with some members replaced by
// JSON, or left out where that is "".
func envelopeWith(changes map[string]string) string {
	members := [][2]string{
		{"type", `"new_feedback"`}, {"id", `"an id"`}, {"data", testData}, {"ts", fmt.Sprint(testTS)},
		{"nonce", `"a nonce"`}, {"sig", `"` + testSig + `"`},
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

func TestDecode(t *testing.T) {
	f, err := Decode([]byte(envelopeWith(nil)), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	got := *f.Feedback
	if data, _ := got.Data.AppendCanonical(nil, FormUTF8); string(data) != `{"category":"bug","feedback_id":1,"message":"Текст"}` {
		t.Errorf("data is %s", data)
	}
	got.Data = Value{}
	if want := (NewFeedback{ID: "an id", TS: testTS, Nonce: "a nonce", Sig: testSig}); got != want || f.Type != TypeNewFeedback {
		t.Errorf("%s %+v, want %+v", f.Type, got, want)
	}
}

func TestDecodeOtherTypes(t *testing.T) {
	for doc, want := range map[string]string{
		string(Ping()):                   TypePing,
		string(Pong()):                   TypePong,
		`{"type":"ping","id":7,"ts":{}}`: TypePing,
		`{"type":"feedback_status"}`:     "feedback_status",
		`{"type":"ping","type":"pong"}`:  TypePong,
		`{"type":"a\ud800"}`:             "a\ufffd",
	} {
		f, err := Decode([]byte(doc), DefaultLimits())
		if err != nil || f.Type != want || f.Feedback != nil {
			t.Errorf("%s: %+v, %v", doc, f, err)
		}
	}
}

func TestDecodeAccepts(t *testing.T) {
	for name, changes := range map[string]map[string]string{
		"members that are not ours": {"sig": `"` + testSig + `","v":1,"extra":[{}]`},
		"the last of equal keys":    {"id": `7,"id":"an id"`},
		"an escaped key":            {"ts": `1,"\u0074s":2`},
		"the smallest time":         {"ts": fmt.Sprint(math.MinInt64)},
		"the longest id":            {"id": `"` + strings.Repeat("я", MaxNameLen) + `"`},
		"a long id of surrogates":   {"id": `"` + strings.Repeat(`\ud800`, MaxNameLen) + `"`},
		"an empty nonce":            {"nonce": `""`},
		"any text as signature":     {"sig": `"abc"`},
	} {
		if _, err := Decode([]byte(envelopeWith(changes)), DefaultLimits()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var longName = `"` + strings.Repeat("я", MaxNameLen+1) + `"`

var refusedFrames = map[string]struct {
	frame    string // or
	change   map[string]string
	what, id string
}{
	"array":             {frame: `[]`, what: "the frame is an array, not an object"},
	"text":              {frame: `"x"`, what: "the frame is a string, not an object"},
	"empty object":      {frame: `{}`, what: "type is missing"},
	"not JSON":          {frame: `hello`, what: "not acceptable JSON at byte 0: 'h' where a value is needed"},
	"no type":           {change: map[string]string{"type": ""}, what: "type is missing", id: "an id"},
	"type null":         {change: map[string]string{"type": "null"}, what: "type is null, not a string", id: "an id"},
	"type empty":        {change: map[string]string{"type": `""`}, what: "type is empty", id: "an id"},
	"no id":             {change: map[string]string{"id": ""}, what: "id is missing"},
	"id number":         {change: map[string]string{"id": "7"}, what: "id is an integer, not a string"},
	"id null":           {change: map[string]string{"id": "null"}, what: "id is null, not a string"},
	"id empty":          {change: map[string]string{"id": `""`}, what: "id is empty"},
	"id long":           {change: map[string]string{"id": longName}, what: "id is longer than 200 characters", id: strings.Trim(longName, `"`)},
	"last id counts":    {change: map[string]string{"id": `"an id","id":7`}, what: "id is an integer, not a string"},
	"no data":           {change: map[string]string{"data": ""}, what: "data is missing", id: "an id"},
	"data array":        {change: map[string]string{"data": "[]"}, what: "data is an array, not an object", id: "an id"},
	"data null":         {change: map[string]string{"data": "null"}, what: "data is null, not an object", id: "an id"},
	"no ts":             {change: map[string]string{"ts": ""}, what: "ts is missing", id: "an id"},
	"ts float":          {change: map[string]string{"ts": "1.0"}, what: "ts is a float, not an integer", id: "an id"},
	"ts exponent":       {change: map[string]string{"ts": "1e9"}, what: "ts is a float, not an integer", id: "an id"},
	"ts true":           {change: map[string]string{"ts": "true"}, what: "ts is true, not an integer", id: "an id"},
	"ts text":           {change: map[string]string{"ts": `"1"`}, what: "ts is a string, not an integer", id: "an id"},
	"ts huge":           {change: map[string]string{"ts": "9223372036854775808"}, what: "ts does not fit in 64 bits", id: "an id"},
	"no nonce":          {change: map[string]string{"nonce": ""}, what: "nonce is missing", id: "an id"},
	"nonce number":      {change: map[string]string{"nonce": "1.5"}, what: "nonce is a float, not a string", id: "an id"},
	"nonce long":        {change: map[string]string{"nonce": longName}, what: "nonce is longer than 200 characters", id: "an id"},
	"no sig":            {change: map[string]string{"sig": ""}, what: "sig is missing", id: "an id"},
	"sig null":          {change: map[string]string{"sig": "null"}, what: "sig is null, not a string", id: "an id"},
	"the first counts":  {change: map[string]string{"id": "", "data": "", "ts": "", "nonce": "", "sig": ""}, what: "id is missing"},
	"data before ts":    {change: map[string]string{"data": "1", "ts": "", "sig": ""}, what: "data is an integer, not an object", id: "an id"},
	"id with surrogate": {change: map[string]string{"id": `"\ud800"`, "ts": ""}, what: "ts is missing", id: "\xed\xa0\x80"},
	"NaN in data": {
		change: map[string]string{"data": `{"a":NaN}`},
		what:   "not acceptable JSON at byte 48: NaN is not JSON", id: "an id",
	},
	"1e400 in data": {
		change: map[string]string{"data": `{"a":1e400}`},
		what:   "not acceptable JSON at byte 48: a number too large for a float", id: "an id",
	},
	"deep data": {
		change: map[string]string{"data": strings.Repeat("[", 64) + strings.Repeat("]", 64)},
		what:   "over the limit at byte 106: more than 64 levels of nesting", id: "an id",
	},
	"invalid UTF-8 in data": {
		change: map[string]string{"data": "{\"a\":\"\xff\"}"},
		what:   "not acceptable JSON at byte 49: invalid UTF-8", id: "an id",
	},
	"too large": {
		frame: envelopeWith(map[string]string{"data": `"` + strings.Repeat("a", 1<<20) + `"`}),
		what:  "over the limit at byte 1048576: 1048729 bytes are more than 1048576",
	},
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range refusedFrames {
		t.Run(name, func(t *testing.T) {
			if c.frame == "" {
				c.frame = envelopeWith(c.change)
			}
			_, err := Decode([]byte(c.frame), DefaultLimits())
			var refused *InvalidMessageError
			if !errors.As(err, &refused) {
				t.Fatalf("%v", err)
			}
			if refused.What != c.what || refused.ID != c.id {
				t.Errorf("%q for the id %q,\nwant %q for %q", refused.What, refused.ID, c.what, c.id)
			}
			if got, want := Reason(fmt.Errorf("frame: %w", err)), "Invalid message: "+c.what; got != want {
				t.Errorf("Reason() = %q, want %q", got, want)
			}
		})
	}
}

// What is not JSON is answered where its sender's id can be told.
func TestSalvageID(t *testing.T) {
	for doc, want := range map[string]string{
		`{"id":"x","data":NaN}`:                    "x",
		`{"data":NaN,"id":"x"}`:                    "x",
		`{"data":{"id":"inner","a":[{"id":"y"}]},`: "",
		`{"data":{"id":"inner"},"id":"x"`:          "x",
		`{"id":"x","id":"y",`:                      "y",
		`{"id":"x","id":7,`:                        "",
		`{"id":"x"`:                                "x",
		`{"id":"x`:                                 "",
		`{"id":`:                                   "",
		`{"id"`:                                    "",
		`{"id`:                                     "",
		`{`:                                        "",
		``:                                         "",
		`["id":"x"]`:                               "",
		`{"id":"x"}}`:                              "x",
		`{"id":"x"} {"id":"y"}`:                    "x",
		`{"\u0069d":"\u0078","data":1e400}`:        "x",
		`{"id":"\ud800",`:                          "\xed\xa0\x80",
		"{\"id\":\"\xff\",":                        "",
		"{\"a\":\"\xff\\\"\",\"id\":\"x\",":        "x",
		`{"a":"id","b":"x",`:                       "",
		`{"type":"new_feedback","id":"x",`:         "x",
		`{"type":"feedback_status","id":"x",`:      "",
		`{"id":"x",` + strings.Repeat(`[`, 1000):   "x",
		`{"a":` + strings.Repeat(`[`, 99) + `,"id":"x"`: "",
	} {
		if got := salvageID([]byte(doc)); got != want {
			t.Errorf("%.60q: %q, want %q", doc, got, want)
		}
	}
}

func TestVerifyOrder(t *testing.T) {
	key := mustKey(t, "key")
	ring := NewKeyRing(key)
	now := time.Unix(testTS, 0)
	frame := func(key Key, ts int64) *NewFeedback {
		data, err := AppendNewFeedback(nil, "id", []byte(testData), key, FormASCII, ts, "nonce")
		if err != nil {
			t.Fatal(err)
		}
		f, err := Decode(data, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return f.Feedback
	}
	want := Signature{KeyID: key.ID(), Form: FormASCII}
	if got, err := frame(key, testTS).Verify(ring, now, time.Minute); err != nil || got != want {
		t.Errorf("good frame: %+v, %v", got, err)
	}
	got, err := frame(key, testTS-61).Verify(ring, now, time.Minute)
	if !errors.Is(err, ErrExpired) || Reason(err) != "Message expired" || got != want {
		t.Errorf("old frame: %+v, %v", got, err)
	}
	_, err = frame(mustKey(t, "foreign"), testTS-61).Verify(ring, now, time.Minute)
	if !errors.Is(err, ErrBadSignature) || Reason(err) != "Invalid HMAC signature" {
		t.Errorf("old frame with a bad signature: %v", err)
	}
}

func TestAppendNewFeedbackRefuses(t *testing.T) {
	key := mustKey(t, "key")
	for name, c := range map[string]struct {
		key         Key
		data, nonce string
		form        Form
		want        string
	}{
		"no key":         {data: `{}`, want: ErrNoKey.Error()},
		"lone surrogate": {key: key, data: `["\ud800"]`, want: "data of a feedback: " + ErrLoneSurrogate.Error()},
		"not JSON":       {key: key, data: `{`, want: "data of a feedback: not acceptable JSON at byte 1: it ends where a key in double quotes is needed"},
		"nonce":          {key: key, data: `{}`, nonce: "\xff", want: "the nonce of a frame is not valid UTF-8"},
	} {
		got, err := AppendNewFeedback([]byte("kept"), "id", []byte(c.data), c.key, c.form, 1, c.nonce)
		if err == nil || err.Error() != c.want || string(got) != "kept" {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
}

func TestReasonOfOthers(t *testing.T) {
	for _, err := range []error{nil, errors.New("disk full: /secret/path"), ErrNoKey, ErrLoneSurrogate, &ParseError{}} {
		if got := Reason(err); got != "" {
			t.Errorf("%v is told as %q", err, got)
		}
	}
	if got := Reason(fmt.Errorf("store: %w", ErrReplayedNonce)); got != "Replayed nonce" {
		t.Errorf("replayed nonce is told as %q", got)
	}
}
