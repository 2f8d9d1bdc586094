// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	nines := strings.Repeat("9", 4301)
	for name, c := range map[string]struct{ doc, want string }{
		"nothing":                   {"", "at byte 0: it ends where a value is needed"},
		"space only":                {" \n", "at byte 2: it ends where a value is needed"},
		"byte order mark":           {"\ufeff{}", "at byte 0: a byte order mark is not JSON"},
		"NaN":                       {`{"a":NaN}`, "at byte 5: NaN is not JSON"},
		"Infinity":                  {`[Infinity]`, "at byte 1: Infinity is not JSON"},
		"-Infinity":                 {`[-Infinity]`, "at byte 1: -Infinity is not JSON"},
		"overflow":                  {`[1e400]`, "at byte 1: a number too large for a float"},
		"negative overflow":         {`-1e309`, "at byte 0: a number too large for a float"},
		"overflow that is replaced": {`{"a":1e400,"a":1}`, "at byte 5: a number too large for a float"},
		"leading zero":              {`[01]`, "at byte 1: a number with leading zeros"},
		"negative leading zero":     {`-00`, "at byte 0: a number with leading zeros"},
		"plus sign":                 {`+1`, "at byte 0: '+' where a value is needed"},
		"minus alone":               {`-`, "at byte 0: a minus sign without digits"},
		"no digits before point":    {`.5`, "at byte 0: '.' where a value is needed"},
		"no digits after point":     {`1.`, "at byte 2: a decimal point without digits after it"},
		"no exponent":               {`1e+`, "at byte 3: an exponent without digits"},
		"integer beyond CPython's":  {nines, "at byte 0: an integer of more digits than CPython reads"},
		"control character":         {"\"a\nb\"", "at byte 2: a control character in a string has to be escaped"},
		"NUL":                       {"\"\x00\"", "at byte 1: a control character in a string has to be escaped"},
		"invalid UTF-8":             {"\"\xff\"", "at byte 1: invalid UTF-8"},
		"overlong UTF-8":            {"\"\xc0\xaf\"", "at byte 1: invalid UTF-8"},
		"cut UTF-8":                 {"\"\xd0\"", "at byte 1: invalid UTF-8"},
		"UTF-8 of leads alone":      {"\"\xd0\xd0\"", "at byte 1: invalid UTF-8"},
		"surrogate in UTF-8":        {"\"\xed\xa0\x80\"", "at byte 1: invalid UTF-8"},
		"invalid UTF-8 in a key":    {"{\"\x80\":1}", "at byte 2: invalid UTF-8"},
		"invalid UTF-8 outside":     {"\xff", "at byte 0: byte 0xff where a value is needed"},
		"unknown escape":            {`"\x41"`, "at byte 1: an escape that JSON does not have"},
		"short \\u":                 {`"\u12"`, `at byte 1: \u needs four hexadecimal digits`},
		"wrong second \\u":          {`"\ud83d\uzzzz"`, `at byte 7: \u needs four hexadecimal digits`},
		"open string":               {`"abc`, "at byte 4: it ends within a string"},
		"open escape":               {`"abc\`, "at byte 5: it ends within a string"},
		"open array":                {`[1`, "at byte 2: it ends where ',' or ']' is needed"},
		"open object":               {`{"a":1`, "at byte 6: it ends where ',' or '}' is needed"},
		"comma before ]":            {`[1, ]`, "at byte 4: a comma before ']'"},
		"comma before }":            {`{"a":1,}`, "at byte 7: a comma before '}'"},
		"no comma":                  {`[1 2]`, "at byte 3: '2' where ',' or ']' is needed"},
		"no colon":                  {`{"a" 1}`, "at byte 5: '1' where ':' is needed"},
		"key without quotes":        {`{a:1}`, "at byte 1: 'a' where a key in double quotes is needed"},
		"key in single quotes":      {`{'a':1}`, "at byte 1: keys need double quotes"},
		"number as key":             {`{1:1}`, "at byte 1: '1' where a key in double quotes is needed"},
		"trailing text":             {`{} x`, "at byte 3: text after the end of the document"},
		"two documents":             {`{}{}`, "at byte 2: text after the end of the document"},
		"vertical tab as space":     {"\v{}", "at byte 0: byte 0x0b where a value is needed"},
		"no-break space":            {"\u00a0{}", "at byte 0: byte 0xc2 where a value is needed"},
		"comment":                   {`/**/1`, "at byte 0: '/' where a value is needed"},
		"Python's None":             {`None`, "at byte 0: 'N' where a value is needed"},
		"cut literal":               {`tru`, "at byte 0: 't' where a value is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.doc), DefaultLimits())
			if err == nil || err.Error() != "not acceptable JSON "+c.want {
				t.Errorf("%.40q: %v, want %s", c.doc, err, c.want)
			}
			if errors.Is(err, ErrLimit) {
				t.Error("reported as over a limit")
			}
		})
	}
}

func TestParseLimits(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for name, c := range map[string]struct {
		doc  string
		lim  Limits
		want string // "" where it is within the limits
	}{
		"64 levels":          {doc: nested(64)},
		"65 levels":          {doc: nested(65), want: "over the limit at byte 64: more than 64 levels of nesting"},
		"64 levels, objects": {doc: objects(64)},
		"65 levels, objects": {doc: objects(65), want: "over the limit at byte 320: more than 64 levels of nesting"},
		"a million levels":   {doc: strings.Repeat("[", 1e6), want: "over the limit at byte 64: more than 64 levels of nesting"},
		"1 MiB":              {doc: `"` + strings.Repeat("a", 1<<20-2) + `"`},
		"1 MiB and a byte": {
			doc:  `"` + strings.Repeat("a", 1<<20-1) + `"`,
			want: "over the limit at byte 1048576: 1048577 bytes are more than 1048576",
		},
		"own size":       {doc: `[1]`, lim: Limits{MaxBytes: 2}, want: "over the limit at byte 2: 3 bytes are more than 2"},
		"own depth":      {doc: `[[]]`, lim: Limits{MaxDepth: 1}, want: "over the limit at byte 1: more than 1 levels of nesting"},
		"own values":     {doc: `[1,{"a":2}]`, lim: Limits{MaxValues: 4}},
		"over values":    {doc: `[1,{"a":2}]`, lim: Limits{MaxValues: 3}, want: "over the limit at byte 8: more than 3 values"},
		"100,000 values": {doc: "[" + strings.Repeat("1,", 99_998) + "1]"},
		"100,001 values": {doc: "[" + strings.Repeat("1,", 99_999) + "1]", want: "over the limit at byte 199999: more than 100000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.doc), c.lim)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || err.Error() != c.want || !errors.Is(err, ErrLimit) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestValue(t *testing.T) {
	v, err := Parse([]byte(`{"n":null,"t":true,"f":false,"i":-7,"max":9223372036854775807,"big":9223372036854775808,
		"zero":-0,"x":1.0,"s":"a\ud800\udfff\ud801b","a":[1,[2],3],"\u0069d":"first","id":"last","e":{}}`), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Kind{
		"n": KindNull, "t": KindTrue, "f": KindFalse, "i": KindInteger, "big": KindInteger, "zero": KindInteger,
		"x": KindFloat, "s": KindString, "a": KindArray, "e": KindObject, "absent": KindNone,
	}
	for key, want := range kinds {
		if got := v.Get(key).Kind(); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	for key, want := range map[string]int64{"i": -7, "max": math.MaxInt64, "zero": 0} {
		if got, ok := v.Get(key).Int64(); !ok || got != want {
			t.Errorf("%s = %d, %v", key, got, ok)
		}
	}
	for _, key := range []string{"big", "x", "t", "s", "absent"} {
		if got, ok := v.Get(key).Int64(); ok {
			t.Errorf("%s is the int64 %d", key, got)
		}
	}
	if s, ok := v.Get("s").Text(); !ok || s != "a\U000103ff\ufffdb" {
		t.Errorf("s = %q, %v", s, ok)
	}
	if s, ok := v.Get("i").Text(); ok {
		t.Errorf("i is the text %q", s)
	}
	if s, _ := v.Get("id").Text(); s != "last" {
		t.Errorf("of two keys, the one with the value %q wins", s)
	}
	if b, ok := v.Get("t").Bool(); !b || !ok {
		t.Errorf("t = %v, %v", b, ok)
	}
	if v.Len() != 12 || v.Get("a").Len() != 3 || v.Get("e").Len() != 0 || v.Get("s").Len() != 0 {
		t.Errorf("lengths are %d, %d, %d, %d", v.Len(), v.Get("a").Len(), v.Get("e").Len(), v.Get("s").Len())
	}
}

func TestParseKeepsNoReference(t *testing.T) {
	data := []byte(`{"a":"text","b":"\u0041"}`)
	v, err := Parse(data, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = 'x'
	}
	if _, err := Parse([]byte(`{"c":"another, in the same scratch","d":"\u0042"}`), DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if got, _ := v.AppendCanonical(nil, FormUTF8); string(got) != `{"a":"text","b":"A"}` {
		t.Errorf("it became %s", got)
	}
}
