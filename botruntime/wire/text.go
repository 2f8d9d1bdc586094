// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// class sorts the bytes of a JSON string by what a reader does with them.
type class uint8

const (
	classPlain   class = iota // stands for itself in both forms
	classHigh                 // DEL and whatever is not ASCII
	classControl              // not allowed unescaped
	classQuote
	classEscape
)

var classes = func() (t [256]class) {
	for c := range t {
		switch {
		case c < 0x20:
			t[c] = classControl
		case c >= 0x7f:
			t[c] = classHigh
		}
	}
	t['"'], t['\\'] = classQuote, classEscape
	return t
}()

// string reads a string, whose opening quote is at pos. One without escapes is
// its own text; one with them is unescaped into text.
func (p *parser) string() error {
	start := p.pos + 1
	var f flags
	end, err := p.run(start, &f)
	if err != nil {
		return err
	}
	if p.data[end] == '"' {
		p.pos = end + 1
		p.add(KindString, f, start, end)
		return nil
	}
	from := len(p.text)
	for p.data[end] != '"' {
		p.text = append(p.text, p.data[start:end]...)
		if start, err = p.escape(end, &f); err != nil {
			return err
		}
		if end, err = p.run(start, &f); err != nil {
			return err
		}
	}
	p.text = append(p.text, p.data[start:end]...)
	p.pos = end + 1
	p.add(KindString, f|inText, from, len(p.text))
	return nil
}

// run finds the end of the characters that stand for themselves: the index of
// the next quote or backslash.
func (p *parser) run(i int, f *flags) (end int, err error) {
	data := p.data
	for i < len(data) {
		switch classes[data[i]] {
		case classPlain:
			i++
		case classHigh:
			*f |= needsASCII
			size := highLen(data[i:])
			if size == 0 {
				return 0, p.fail(i, "invalid UTF-8")
			}
			i += size
		case classControl:
			return 0, p.fail(i, "a control character in a string has to be escaped")
		default:
			return i, nil
		}
	}
	return 0, p.fail(len(data), "it ends within a string")
}

// highLen returns the length of the character from 0x7f up that s begins with,
// or 0 where its UTF-8 is wrong.
func highLen(s []byte) int {
	if s[0] >= 0xc2 && s[0] < 0xe0 { // two bytes: Cyrillic and its neighbours
		if len(s) > 1 && s[1]&0xc0 == 0x80 {
			return 2
		}
		return 0
	}
	if s[0] == 0x7f {
		return 1
	}
	if _, size := utf8.DecodeRune(s); size > 1 {
		return size
	}
	return 0
}

// escape appends to text the character whose backslash is at i, and returns
// the index after it.
func (p *parser) escape(i int, f *flags) (next int, err error) {
	if i+1 == len(p.data) {
		return 0, p.fail(len(p.data), "it ends within a string")
	}
	var c byte
	switch p.data[i+1] {
	case 'u':
		return p.escapeU(i, f)
	case '/':
		p.text = append(p.text, '/')
		return i + 2, nil
	case '"', '\\':
		c = p.data[i+1]
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	default:
		return 0, p.fail(i, "an escape that JSON does not have")
	}
	*f |= needsEscape
	p.text = append(p.text, c)
	return i + 2, nil
}

// escapeU is escape for \uXXXX and for the pair that it may begin.
func (p *parser) escapeU(i int, f *flags) (next int, err error) {
	r, ok := hex4(p.data, i)
	if !ok {
		return 0, p.fail(i, "\\u needs four hexadecimal digits")
	}
	i += 6
	switch {
	case r < utf8.RuneSelf:
		if r < 0x20 || r == '"' || r == '\\' {
			*f |= needsEscape
		} else if r == 0x7f {
			*f |= needsASCII
		}
		p.text = append(p.text, byte(r))
		return i, nil
	case isSurrogate(r):
		if low, ok := hex4(p.data, i); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			r = utf16.DecodeRune(r, low)
			i += 6
			break
		}
		*f |= needsASCII | hasLone
		p.lone = true
		p.text = appendSurrogate(p.text, r)
		return i, nil
	}
	*f |= needsASCII
	p.text = utf8.AppendRune(p.text, r)
	return i, nil
}

// hex4 reads \uXXXX at i.
func hex4(s []byte, i int) (r rune, ok bool) {
	if len(s) < i+6 || s[i] != '\\' || s[i+1] != 'u' {
		return 0, false
	}
	for _, c := range s[i+2 : i+6] {
		d := unhex[c]
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

var unhex = func() (t [256]int8) {
	for c := range t {
		t[c] = -1
	}
	for i, c := range "0123456789abcdef" {
		t[c] = int8(i)
	}
	for i, c := range "ABCDEF" {
		t[c] = int8(10 + i)
	}
	return t
}()
