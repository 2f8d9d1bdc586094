// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"testing"
)

// The expected texts are CPython's.
func TestCanonical(t *testing.T) {
	for name, c := range map[string]struct{ doc, utf8, ascii string }{
		"scalars":                       {`[ null , true,false ]`, `[null,true,false]`, `[null,true,false]`},
		"integers":                      {`[0,-0,-1,123456789012345678901234567890]`, `[0,0,-1,123456789012345678901234567890]`, ``},
		"floats":                        {`[1.0,-0.0,1E16,1e15,0.0001,0.00001,1.5e300]`, `[1.0,-0.0,1e+16,1000000000000000.0,0.0001,1e-05,1.5e+300]`, ``},
		"extreme floats":                {`[5e-324,1e-400,1.7976931348623157e308]`, `[5e-324,0.0,1.7976931348623157e+308]`, ``},
		"last key wins":                 {`{"b":1,"a":[2],"b":{"c":3}}`, `{"a":[2],"b":{"c":3}}`, ``},
		"equal keys in other spellings": {`{"a":1,"\u0061":2}`, `{"a":2}`, ``},
		"keys by code point, not by UTF-16 unit": {
			`{"\ud800\udc00":1,"\uffff":2,"\u00e9":3,"z":4,"":5}`,
			"{\"\":5,\"z\":4,\"é\":3,\"\uffff\":2,\"\U00010000\":1}",
			`{"":5,"z":4,"\u00e9":3,"\uffff":2,"\ud800\udc00":1}`,
		},
		"short escapes":        {`"\"\\\/\b\f\n\r\t"`, `"\"\\/\b\f\n\r\t"`, ``},
		"long escapes":         {`"\u0000\u001F\u0020\u007e"`, `"\u0000\u001f ~"`, ``},
		"DEL":                  {`"\u007f"`, "\"\x7f\"", `"\u007f"`},
		"DEL as it is":         {"\"\x7f\"", "\"\x7f\"", `"\u007f"`},
		"HTML and JavaScript":  {`"<>&\u2028\u2029"`, "\"<>&\u2028\u2029\"", `"<>&\u2028\u2029"`},
		"Cyrillic":             {`"\u0418мя"`, `"Имя"`, `"\u0418\u043c\u044f"`},
		"emoji":                {`"😀\ud83d\ude00"`, `"😀😀"`, `"\ud83d\ude00\ud83d\ude00"`},
		"escapes and Cyrillic": {`"\"Имя\"\n"`, `"\"Имя\"\n"`, `"\"\u0418\u043c\u044f\"\n"`},
		"empty":                {` { "a" : [ ] , "b" : { } } `, `{"a":[],"b":{}}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := Parse([]byte(c.doc), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if c.ascii == "" {
				c.ascii = c.utf8
			}
			want := forms{ok: true, utf8: c.utf8, ascii: c.ascii}
			if got := canonicalForms(t, v); got != want {
				t.Errorf("\n got %v\nwant %v", got, want)
			}
		})
	}
}

func TestCanonicalLoneSurrogates(t *testing.T) {
	for doc, want := range map[string]string{
		`"\ud800"`:             `"\ud800"`,
		`"\uDFFF"`:             `"\udfff"`,
		`"\ude00\ud83d"`:       `"\ude00\ud83d"`,
		`"\ud83d\ud83d\ude00"`: `"\ud83d\ud83d\ude00"`,
		`"\ud83dx\ude00"`:      `"\ud83dx\ude00"`,
		`"\ud83d\n"`:           `"\ud83d\n"`,
		`{"\ud800":1}`:         `{"\ud800":1}`,
		`[[{"a":"\udc00"}]]`:   `[[{"a":"\udc00"}]]`,
		"{\"\uffff\":1,\"\\ud800\\udc00\":2,\"\\udbff\":3}": `{"\udbff":3,"\uffff":1,"\ud800\udc00":2}`,
	} {
		v, err := Parse([]byte(doc), DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		if got, err := v.AppendCanonical(nil, FormASCII); err != nil || string(got) != want {
			t.Errorf("%s: %s (%v), want %s", doc, got, err, want)
		}
		if got, err := v.AppendCanonical([]byte("kept"), FormUTF8); !errors.Is(err, ErrLoneSurrogate) || string(got) != "kept" {
			t.Errorf("%s in UTF-8: %s (%v)", doc, got, err)
		}
	}
}

func TestCanonicalOfNothing(t *testing.T) {
	if got, err := (Value{}).AppendCanonical(nil, FormUTF8); err == nil || errors.Is(err, ErrLoneSurrogate) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestForm(t *testing.T) {
	for _, f := range []Form{FormUTF8, FormASCII} {
		if got, err := ParseForm(f.String()); err != nil || got != f {
			t.Errorf("%v: %v, %v", f, got, err)
		}
	}
	for _, s := range []string{"", "UTF8", "latin1", Form(7).String()} {
		if f, err := ParseForm(s); err == nil {
			t.Errorf("%q is the form %v", s, f)
		}
	}
}
