// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// KeyID names an HMAC key without revealing it: the first 16 hexadecimal digits of
// SHA-256("feedbackbridge hmac key id" || 0x00 || secret). The same secret has the same id everywhere.
func KeyID(secret []byte) string {
	h := sha256.New()
	h.Write([]byte("feedbackbridge hmac key id\x00"))
	h.Write(secret)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// CredentialValue is the value that a credential's file or Secret key holds: its bytes without one trailing newline,
// which editors and `echo` leave behind.
func CredentialValue(raw []byte) []byte { return bytes.TrimSuffix(raw, []byte("\n")) }
