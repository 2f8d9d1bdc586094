// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

const (
	// maxTokenHeader bounds the part of a token that is read for the id of its key, in base64.
	maxTokenHeader = 8 << 10
	// maxKeyID bounds what is told of that id, in bytes.
	maxKeyID = 128
)

// tokenKeyID is the kid in a token's header, as far as it is printable ASCII; empty where there is none. It is read
// without verification: it names the key for people and the operator, and proves nothing.
func tokenKeyID(token string) string {
	encoded, _, dots := strings.Cut(token, ".")
	if !dots || len(encoded) > maxTokenHeader {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	if json.Unmarshal(raw, &header) != nil {
		return ""
	}
	id := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, header.KeyID)
	return id[:min(len(id), maxKeyID)]
}
