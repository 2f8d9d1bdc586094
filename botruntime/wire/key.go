// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"log/slog"
	"strconv"
	"sync"
)

// Key is an HMAC-SHA256 key with a public id. It cannot be made to print its
// secret. The zero Key has the id "" and signs nothing.
type Key struct{ state *keyState }

// keyState holds the secret only inside of keyed hashes, behind a pointer that
// fmt does not follow.
type keyState struct {
	id   string
	macs sync.Pool // of *mac
}

// mac is a keyed hash, at its start, with room for what surrounds a message.
type mac struct {
	hash.Hash
	head []byte
	sum  [sha256.Size]byte
}

// NewKey makes a key of a secret, which is copied and must not be empty.
func NewKey(secret []byte) (Key, error) {
	if len(secret) == 0 {
		return Key{}, errors.New("an HMAC key must not be empty")
	}
	secret = bytes.Clone(secret)
	k := &keyState{id: keyID(secret)}
	k.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, secret)} }
	return Key{state: k}, nil
}

// keyID is a hash of the secret under a prefix of its own. Like any signature
// it lets a guessed secret be tested, so secrets have to be random; unlike the
// secret it may be logged and published.
func keyID(secret []byte) string {
	h := sha256.New()
	h.Write([]byte("feedbackbridge hmac key id\x00"))
	h.Write(secret)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// ID names the key without revealing it: the first 16 hexadecimal digits of
// SHA-256("feedbackbridge hmac key id" || 0x00 || secret). The same secret has
// the same id everywhere.
func (k Key) ID() string {
	if k.state == nil {
		return ""
	}
	return k.state.id
}

// String returns the key's id.
func (k Key) String() string { return k.ID() }

// GoString shows the key's id only.
func (k Key) GoString() string { return "wire.Key{" + k.ID() + "}" }

// LogValue makes slog show the key's id only.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.ID()) }

// Sign returns the signature, in lower-case hexadecimal digits, of canonical
// JSON sent at ts, in Unix seconds, with a nonce:
//
//	HMAC-SHA256(secret, "{ts}.{nonce}.{canonical}")
//
// It panics on the zero Key.
func (k Key) Sign(ts int64, nonce string, canonical []byte) string {
	if k.state == nil {
		panic("wire: Sign with the zero Key")
	}
	sum := k.state.mac(ts, nonce, canonical)
	return hex.EncodeToString(sum[:])
}

// mac is the signature of version 1.
func (k *keyState) mac(ts int64, nonce string, canonical []byte) [sha256.Size]byte {
	m := k.macs.Get().(*mac)
	m.head = strconv.AppendInt(m.head[:0], ts, 10)
	m.head = append(m.head, '.')
	m.head = append(m.head, nonce...)
	m.head = append(m.head, '.')
	m.Write(m.head)
	return k.finish(m, canonical)
}

// macBare is the signature of version 2, whose canonical JSON has everything.
func (k *keyState) macBare(canonical []byte) [sha256.Size]byte {
	return k.finish(k.macs.Get().(*mac), canonical)
}

func (k *keyState) finish(m *mac, canonical []byte) [sha256.Size]byte {
	m.Write(canonical)
	m.Sum(m.sum[:0])
	sum := m.sum
	m.Reset()
	k.macs.Put(m)
	return sum
}
