// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
)

// vector is one entry of testdata/wire-v1-vectors.json, computed by CPython.
type vector struct {
	Name           string `json:"name"`
	Secret         string `json:"secret"`
	TS             int64  `json:"ts"`
	Nonce          string `json:"nonce"`
	Payload        string `json:"payload"`
	CanonicalASCII string `json:"canonical_ascii"`
	CanonicalUTF8  string `json:"canonical_utf8"`
	SigASCII       string `json:"sig_ascii"`
	SigUTF8        string `json:"sig_utf8"`
}

func (v vector) canonical(f Form) string {
	return map[Form]string{FormUTF8: v.CanonicalUTF8, FormASCII: v.CanonicalASCII}[f]
}
func (v vector) sig(f Form) string {
	return map[Form]string{FormUTF8: v.SigUTF8, FormASCII: v.SigASCII}[f]
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/wire-v1-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != 308 {
		t.Fatalf("%d vectors, want 308", len(file.Vectors))
	}
	return file.Vectors
}

func TestVectors(t *testing.T) {
	other := mustKey(t, "another key, accepted at the same time")
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			key := mustKey(t, v.Secret)
			payload, err := Parse([]byte(v.Payload), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			for _, form := range []Form{FormUTF8, FormASCII} {
				canonical, err := payload.AppendCanonical(nil, form)
				if err != nil || string(canonical) != v.canonical(form) {
					t.Fatalf("%v canonical form:\n got %s (%v)\nwant %s", form, canonical, err, v.canonical(form))
				}
				if sig := key.Sign(v.TS, v.Nonce, canonical); sig != v.sig(form) {
					t.Errorf("%v signature is %s, want %s", form, sig, v.sig(form))
				}
				want := Signature{KeyID: key.ID(), Form: form}
				if v.CanonicalASCII == v.CanonicalUTF8 {
					want.Form = FormUTF8
				}
				got, err := NewKeyRing(other, key).Verify(v.TS, v.Nonce, payload, v.sig(form))
				if err != nil || got != want {
					t.Errorf("verified as %+v (%v), want %+v", got, err, want)
				}
				checkFrame(t, v, form)
			}
			if _, err := NewKeyRing(other).Verify(v.TS, v.Nonce, payload, v.SigUTF8); !errors.Is(err, ErrBadSignature) {
				t.Errorf("another key verifies: %v", err)
			}
		})
	}
}

// checkFrame sends a vector through the frames: encoded, decoded, verified.
func checkFrame(t *testing.T, v vector, form Form) {
	t.Helper()
	key := mustKey(t, v.Secret)
	data, err := AppendNewFeedback(nil, "an id", []byte(v.Payload), key, form, v.TS, v.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := Decode(data, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if frame.Feedback.Sig != v.sig(form) {
		t.Errorf("frame's signature is %s, want %s", frame.Feedback.Sig, v.sig(form))
	}
	if _, err := frame.Feedback.Verify(NewKeyRing(key), time.Unix(v.TS, 0), time.Minute); err != nil {
		t.Errorf("frame: %v", err)
	}
}

func mustKey(t testing.TB, secret string) Key {
	t.Helper()
	key, err := NewKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
