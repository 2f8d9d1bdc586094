// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"unicode/utf8"
)

// KeyRing is the keys that are accepted at one time, the one to sign with
// first. It is immutable: a rotation replaces it. The zero KeyRing accepts
// nothing.
type KeyRing struct{ keys []Key }

// Signature says what a valid signature was made with, and so what to sign the
// answer with.
type Signature struct {
	KeyID string
	Form  Form // FormUTF8 where both forms are the same
}

// NewKeyRing makes a ring of keys in the order of preference. Zero keys, and
// keys that are there already, are left out.
func NewKeyRing(keys ...Key) KeyRing {
	var r KeyRing
	for _, k := range keys {
		if _, known := r.Lookup(k.ID()); k.state != nil && !known {
			r.keys = append(r.keys, k)
		}
	}
	return r
}

// Lookup finds a key by its id.
func (r KeyRing) Lookup(id string) (Key, bool) {
	for _, k := range r.keys {
		if k.ID() == id {
			return k, true
		}
	}
	return Key{}, false
}

// Preferred returns the key to sign with, or false where the ring is empty.
func (r KeyRing) Preferred() (Key, bool) {
	if len(r.keys) == 0 {
		return Key{}, false
	}
	return r.keys[0], true
}

// IDs returns the ids of the keys in the order of preference.
func (r KeyRing) IDs() []string {
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.ID()
	}
	return ids
}

// String returns the ids of the keys.
func (r KeyRing) String() string { return "[" + strings.Join(r.IDs(), " ") + "]" }

// Verify looks for the key and the form that sig, 64 lower-case hexadecimal
// digits, was made with. The comparison takes the same time however much of it
// is right. The error is [ErrBadSignature].
func (r KeyRing) Verify(ts int64, nonce string, payload Value, sig string) (Signature, error) {
	return r.verify(ts, nonce, &payload, sig)
}

// canonicaler is a payload: a [Value], or the part of a frame that is signed.
type canonicaler interface {
	AppendCanonical(dst []byte, form Form) ([]byte, error)
}

func (r KeyRing) verify(ts int64, nonce string, payload canonicaler, sig string) (Signature, error) {
	want, ok := parseSignature(sig)
	if !ok || !utf8.ValidString(nonce) { // what has no UTF-8 cannot be signed
		return Signature{}, ErrBadSignature
	}
	buf := getBuffer()
	defer buf.release()
	for _, form := range [...]Form{FormUTF8, FormASCII} {
		canonical, err := payload.AppendCanonical(buf.b[:0], form)
		if errors.Is(err, ErrLoneSurrogate) {
			continue // this form does not exist, so nobody can have signed it
		}
		if err != nil {
			break
		}
		buf.b = canonical
		for _, k := range r.keys {
			if got := k.state.mac(ts, nonce, canonical); hmac.Equal(got[:], want[:]) {
				return Signature{KeyID: k.ID(), Form: form}, nil
			}
		}
		if isASCII(canonical) {
			break // the other form is the same
		}
	}
	return Signature{}, ErrBadSignature
}

func parseSignature(sig string) (sum [sha256.Size]byte, ok bool) {
	if len(sig) != 2*sha256.Size {
		return sum, false
	}
	for i := range sum {
		high, low := sig[2*i], sig[2*i+1]
		if upper(high) || upper(low) || unhex[high] < 0 || unhex[low] < 0 {
			return sum, false
		}
		sum[i] = byte(unhex[high])<<4 | byte(unhex[low])
	}
	return sum, true
}

// upper tells the hexadecimal digits that hexdigest() never prints.
func upper(c byte) bool { return 'A' <= c && c <= 'F' }
