// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"strings"
	"unicode/utf8"
)

// Lone surrogates are kept in WTF-8: the three bytes, ED A0..BF 80..BF, that
// UTF-8 would use if it allowed them. Their order is that of code points.

func isSurrogate(r rune) bool { return 0xd800 <= r && r <= 0xdfff }

func appendSurrogate(dst []byte, r rune) []byte {
	return append(dst, 0xed, 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
}

func surrogateAt(s string, i int) bool {
	return len(s) > i+2 && s[i] == 0xed && s[i+1] >= 0xa0 && s[i+1] <= 0xbf && s[i+2]&0xc0 == 0x80
}

// decodeRune is utf8.DecodeRuneInString for WTF-8.
func decodeRune(s string, i int) (r rune, size int) {
	r, size = utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && surrogateAt(s, i) {
		return 0xd000 | rune(s[i+1]&0x3f)<<6 | rune(s[i+2]&0x3f), 3
	}
	return r, size
}

func containsSurrogate(s string) bool {
	for i := strings.IndexByte(s, 0xed); i >= 0 && i < len(s); i++ {
		if surrogateAt(s, i) {
			return true
		}
	}
	return false
}

// replaceSurrogates puts U+FFFD in the place of each lone surrogate.
func replaceSurrogates(s string) string {
	if !containsSurrogate(s) {
		return s
	}
	b := []byte(s)
	for i := range b {
		if surrogateAt(s, i) {
			copy(b[i:], "\uFFFD")
		}
	}
	return string(b)
}

// toWTF8 puts U+FFFD in the place of each byte that is not part of WTF-8.
func toWTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b []byte
	for i := 0; i < len(s); {
		r, size := decodeRune(s, i)
		if isSurrogate(r) {
			b = append(b, s[i:i+size]...)
		} else {
			b = utf8.AppendRune(b, r)
		}
		i += size
	}
	return string(b)
}

// toUTF8 is toWTF8 with U+FFFD in the place of each lone surrogate, too.
func toUTF8(s string) string { return replaceSurrogates(toWTF8(s)) }
