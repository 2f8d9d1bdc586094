// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func TestKeyID(t *testing.T) {
	// printf 'feedbackbridge hmac key id\0example' | sha256sum | cut -c-16
	const want = "b60fd978667dec61"
	if got := mustKey(t, "example").ID(); got != want {
		t.Errorf("ID() = %s, want %s", got, want)
	}
	if got := (Key{}).ID(); got != "" {
		t.Errorf("the zero key has the id %q", got)
	}
	if _, err := NewKey(nil); err == nil {
		t.Error("an empty secret makes a key")
	}
}

func TestKeyNeverPrintsItsSecret(t *testing.T) {
	const secret = "correct horse battery staple"
	key := mustKey(t, secret)
	ring := NewKeyRing(key)
	holder := struct {
		key  Key
		ring KeyRing
		ptr  *Key
	}{key, ring, &key}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{key, &key, ring, holder, &holder, []Key{key}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "key", key, "ring", ring, "holder", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "key", key, "ring", ring, "holder", holder)
	if err := json.NewEncoder(&out).Encode([]any{key, ring}); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{
		secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprint([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
	} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the secret is printed as %s", leak)
		}
	}
	if !strings.Contains(out.String(), key.ID()) {
		t.Error("the id is not printed")
	}
}

func TestKeyCopiesItsSecret(t *testing.T) {
	secret := []byte("secret")
	key, err := NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	clear(secret)
	if got, want := key.Sign(1, "n", nil), mustKey(t, "secret").Sign(1, "n", nil); got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}

func TestZeroKeyDoesNotSign(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the zero key signs")
		}
	}()
	Key{}.Sign(1, "n", nil)
}

func TestKeySignsConcurrently(t *testing.T) {
	key := mustKey(t, "secret")
	want := key.Sign(1, "nonce", []byte("{}"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got := key.Sign(1, "nonce", []byte("{}")); got != want {
					t.Errorf("signed %s, want %s", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestKeyRing(t *testing.T) {
	a, b, c := mustKey(t, "a"), mustKey(t, "b"), mustKey(t, "c")
	ring := NewKeyRing(a, Key{}, b, mustKey(t, "a"))
	if got, want := fmt.Sprint(ring.IDs()), fmt.Sprint([]string{a.ID(), b.ID()}); got != want {
		t.Errorf("IDs() = %s, want %s", got, want)
	}
	if k, ok := ring.Preferred(); !ok || k != a {
		t.Errorf("Preferred() = %v, %v", k, ok)
	}
	if k, ok := ring.Lookup(b.ID()); !ok || k != b {
		t.Errorf("Lookup(b) = %v, %v", k, ok)
	}
	for _, id := range []string{c.ID(), "", "a"} {
		if k, ok := ring.Lookup(id); ok {
			t.Errorf("Lookup(%q) = %v", id, k)
		}
	}
	if k, ok := (KeyRing{}).Preferred(); ok {
		t.Errorf("an empty ring prefers %v", k)
	}
}

func TestKeyRingVerify(t *testing.T) {
	current, previous, foreign := mustKey(t, "current"), mustKey(t, "previous"), mustKey(t, "foreign")
	ring := NewKeyRing(current, previous)
	payload, err := Parse([]byte(`{"b":"я","a":1.0}`), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	const utf8, ascii = `{"a":1.0,"b":"я"}`, `{"a":1.0,"b":"\u044f"}`
	good := current.Sign(1, "n", []byte(utf8))
	for name, c := range map[string]struct {
		sig   string
		nonce string
		want  Signature // zero where it is refused
	}{
		"current":             {sig: good, want: Signature{current.ID(), FormUTF8}},
		"current, escaped":    {sig: current.Sign(1, "n", []byte(ascii)), want: Signature{current.ID(), FormASCII}},
		"previous":            {sig: previous.Sign(1, "n", []byte(utf8)), want: Signature{previous.ID(), FormUTF8}},
		"previous, escaped":   {sig: previous.Sign(1, "n", []byte(ascii)), want: Signature{previous.ID(), FormASCII}},
		"foreign":             {sig: foreign.Sign(1, "n", []byte(utf8))},
		"other time":          {sig: current.Sign(2, "n", []byte(utf8))},
		"other nonce":         {sig: current.Sign(1, "m", []byte(utf8))},
		"not canonical":       {sig: current.Sign(1, "n", []byte(`{"b":"я","a":1.0}`))},
		"upper case":          {sig: strings.ToUpper(good)},
		"empty":               {},
		"short":               {sig: good[:63]},
		"long":                {sig: good + "0"},
		"not hexadecimal":     {sig: "g" + good[1:]},
		"one digit wrong":     {sig: flip(good)},
		"nonce without UTF-8": {sig: current.Sign(1, "\xed\xa0\x80", []byte(utf8)), nonce: "\xed\xa0\x80"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.nonce == "" {
				c.nonce = "n"
			}
			got, err := ring.Verify(1, c.nonce, payload, c.sig)
			if got != c.want || (err == nil) != (c.want != Signature{}) || err != nil && !errors.Is(err, ErrBadSignature) {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
		})
	}
	for i := range good {
		upper := good[:i] + strings.ToUpper(good[i:i+1]) + good[i+1:]
		if _, err := ring.Verify(1, "n", payload, upper); upper != good && !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s, with an upper-case digit: %v", upper, err)
		}
	}
	if _, err := (KeyRing{}).Verify(1, "n", payload, good); !errors.Is(err, ErrBadSignature) {
		t.Errorf("an empty ring: %v", err)
	}
	if _, err := ring.Verify(1, "n", Value{}, good); !errors.Is(err, ErrBadSignature) {
		t.Errorf("no payload: %v", err)
	}
}

// DEL is ASCII, and yet the forms differ.
func TestKeyRingVerifyDEL(t *testing.T) {
	key := mustKey(t, "key")
	payload, err := Parse([]byte("{\"a\":\"\x7f\"}"), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for form, canonical := range map[Form]string{FormUTF8: "{\"a\":\"\x7f\"}", FormASCII: `{"a":"\u007f"}`} {
		got, err := NewKeyRing(key).Verify(1, "n", payload, key.Sign(1, "n", []byte(canonical)))
		if want := (Signature{key.ID(), form}); got != want || err != nil {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

// A lone surrogate leaves the escaped form only.
func TestKeyRingVerifyLoneSurrogate(t *testing.T) {
	key := mustKey(t, "key")
	const doc = `{"a":"\ud800"}`
	payload, err := Parse([]byte(doc), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	got, err := NewKeyRing(key).Verify(1, "n", payload, key.Sign(1, "n", []byte(doc)))
	if want := (Signature{key.ID(), FormASCII}); got != want || err != nil {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, guess := range []string{"{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\ufffd\"}", `{"a":"`} {
		if _, err := NewKeyRing(key).Verify(1, "n", payload, key.Sign(1, "n", []byte(guess))); !errors.Is(err, ErrBadSignature) {
			t.Errorf("a signature of %q: %v", guess, err)
		}
	}
}

func flip(sig string) string {
	if sig[0] == '0' {
		return "1" + sig[1:]
	}
	return "0" + sig[1:]
}
