// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"unicode/utf16"
)

// AppendCanonical appends the value as CPython's json.dumps prints it with
// sort_keys=True, separators=(',', ':') and ensure_ascii as form says. The
// error is [ErrLoneSurrogate], in FormUTF8, or one about the zero Value.
func (v Value) AppendCanonical(dst []byte, form Form) ([]byte, error) {
	if v.doc == nil {
		return dst, errors.New("canonical JSON of an absent value")
	}
	out, ok := v.doc.appendCanonical(dst, v.at, form)
	if !ok {
		return dst, ErrLoneSurrogate
	}
	return out, nil
}

func (d *document) appendCanonical(dst []byte, at uint32, form Form) (out []byte, ok bool) {
	n := &d.nodes[at]
	switch n.kind {
	case KindString:
		return d.appendText(dst, n, form)
	case KindInteger, KindFloat:
		return append(dst, d.span(n)...), true
	case KindArray:
		dst = append(dst, '[')
		for i := at + 1; i < n.next; i = d.nodes[i].next {
			if i > at+1 {
				dst = append(dst, ',')
			}
			if dst, ok = d.appendCanonical(dst, i, form); !ok {
				return dst, false
			}
		}
		return append(dst, ']'), true
	case KindObject:
		return d.appendObject(dst, n, form, "")
	default:
		return append(dst, n.kind.String()...), true // null, false, true
	}
}

// appendObject prints an object, less the member named without; "" leaves
// none out.
func (d *document) appendObject(dst []byte, n *node, form Form, without string) (out []byte, ok bool) {
	dst = append(dst, '{')
	start := len(dst)
	for key := n.start; key != 0; key = d.nodes[key].next {
		if without != "" && d.span(&d.nodes[key]) == without {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		if dst, ok = d.appendText(dst, &d.nodes[key], form); !ok {
			return dst, false
		}
		dst = append(dst, ':')
		if dst, ok = d.appendCanonical(dst, key+1, form); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

func (d *document) appendText(dst []byte, n *node, form Form) (out []byte, ok bool) {
	s := d.span(n)
	switch {
	case form == FormASCII && n.flags&needsASCII != 0:
		return appendASCII(dst, s), true
	case n.flags&hasLone != 0:
		return dst, false
	case n.flags&needsEscape != 0:
		return appendUTF8(dst, s), true
	default:
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"'), true
	}
}

const hexDigits = "0123456789abcdef"

// appendUTF8 prints a string in FormUTF8.
func appendUTF8(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := range len(s) {
		if c := s[i]; classes[c] >= classControl {
			dst = append(dst, s[done:i]...)
			dst = appendEscape(dst, c)
			done = i + 1
		}
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendASCII prints a string of WTF-8 in FormASCII.
func appendASCII(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch classes[c] {
		case classPlain:
			dst = append(dst, c)
			i++
			continue
		case classHigh:
		default:
			dst = appendEscape(dst, c)
			i++
			continue
		}
		r, size := decodeRune(s, i)
		i += size
		if r >= 0x10000 {
			high, low := utf16.EncodeRune(r)
			dst = appendU(dst, high)
			r = low
		}
		dst = appendU(dst, r)
	}
	return append(dst, '"')
}

// appendEscape prints a character that both forms escape.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return appendU(dst, rune(c))
	}
}

func appendU(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// isASCII says whether canonical JSON in FormUTF8 is the same in FormASCII.
func isASCII(canonical []byte) bool {
	for _, c := range canonical {
		if c >= 0x7f {
			return false
		}
	}
	return true
}
