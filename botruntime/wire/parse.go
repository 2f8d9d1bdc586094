// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// parser reads one document. Its slices are scratch that is used again; what
// the document keeps is copied out at its exact size.
type parser struct {
	data   []byte
	pos    int
	lim    Limits
	values int

	nodes []node
	text  []byte
	keys  []uint32 // keys of the objects that are still open, innermost last
	lone  bool     // see document
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// Parse reads a JSON document as CPython's json.loads would read its text, less
// NaN, Infinity, and numbers that overflow to it. Of equal keys the last wins.
// data is copied. The error is a [*ParseError].
func Parse(data []byte, lim Limits) (Value, error) {
	lim = lim.orDefaults()
	if len(data) > lim.MaxBytes {
		return Value{}, &ParseError{
			Offset: lim.MaxBytes,
			What:   fmt.Sprintf("%d bytes are more than %d", len(data), lim.MaxBytes),
			limit:  true,
		}
	}
	p := parsers.Get().(*parser)
	defer p.release()
	p.data, p.lim = data, lim
	if err := p.document(); err != nil {
		return Value{}, err
	}
	return Value{doc: &document{
		src:   string(data),
		text:  string(p.text),
		nodes: slices.Clone(p.nodes),
		lone:  p.lone,
	}}, nil
}

func (p *parser) release() {
	if cap(p.nodes) > maxScratch || cap(p.text) > maxScratch || cap(p.keys) > maxScratch {
		return
	}
	*p = parser{nodes: p.nodes[:0], text: p.text[:0], keys: p.keys[:0]}
	parsers.Put(p)
}

func (p *parser) document() error {
	if bytes.HasPrefix(p.data, []byte("\xef\xbb\xbf")) {
		return p.fail(0, "a byte order mark is not JSON")
	}
	p.space()
	if err := p.value(0); err != nil {
		return err
	}
	p.space()
	if p.pos < len(p.data) {
		return p.fail(p.pos, "text after the end of the document")
	}
	return nil
}

func (p *parser) value(depth int) error {
	if p.values++; p.values > p.lim.MaxValues {
		return p.exceed("more than %d values", p.lim.MaxValues)
	}
	if p.pos == len(p.data) {
		return p.unexpected("a value")
	}
	switch c := p.data[p.pos]; c {
	case '"':
		return p.string()
	case '{', '[':
		if depth == p.lim.MaxDepth {
			return p.exceed("more than %d levels of nesting", p.lim.MaxDepth)
		}
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case 'n':
		return p.literal("null", KindNull)
	case 't':
		return p.literal("true", KindTrue)
	case 'f':
		return p.literal("false", KindFalse)
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number()
		}
		return p.unexpected("a value")
	}
}

func (p *parser) array(depth int) error {
	at := p.open(KindArray)
	count := uint32(0)
	for p.space(); !p.take(']'); count++ {
		if count > 0 {
			if !p.take(',') {
				return p.unexpected("',' or ']'")
			}
			p.space()
		}
		if err := p.value(depth); err != nil {
			return err
		}
		p.space()
	}
	p.close(at, 0, count)
	return nil
}

func (p *parser) object(depth int) error {
	at := p.open(KindObject)
	base := len(p.keys)
	for p.space(); !p.take('}'); p.space() {
		if len(p.keys) > base {
			if !p.take(',') {
				return p.unexpected("',' or '}'")
			}
			p.space()
		}
		if p.pos == len(p.data) || p.data[p.pos] != '"' {
			return p.unexpected("a key in double quotes")
		}
		p.keys = append(p.keys, uint32(len(p.nodes)))
		if err := p.string(); err != nil {
			return err
		}
		p.space()
		if !p.take(':') {
			return p.unexpected("':'")
		}
		p.space()
		if err := p.value(depth); err != nil {
			return err
		}
	}
	first, count := p.sortKeys(p.keys[base:])
	p.keys = p.keys[:base]
	p.close(at, first, count)
	return nil
}

func (p *parser) open(kind Kind) (at int) {
	p.pos++
	p.nodes = append(p.nodes, node{kind: kind})
	return len(p.nodes) - 1
}

func (p *parser) close(at int, start, count uint32) {
	n := &p.nodes[at]
	n.start, n.end, n.next = start, count, uint32(len(p.nodes))
}

// add appends a node without content.
func (p *parser) add(kind Kind, f flags, start, end int) {
	p.nodes = append(p.nodes, node{
		kind: kind, flags: f, start: uint32(start), end: uint32(end), next: uint32(len(p.nodes) + 1),
	})
}

// sortKeys links an object's keys in the order of their code points, which is
// that of their UTF-8 (and WTF-8) bytes; of equal keys it links the last.
func (p *parser) sortKeys(keys []uint32) (first, count uint32) {
	if len(keys) <= 16 { // insertion sort: objects are small and often sorted
		for i := 1; i < len(keys); i++ {
			for j := i; j > 0 && p.compareKeys(keys[j-1], keys[j]) > 0; j-- {
				keys[j-1], keys[j] = keys[j], keys[j-1]
			}
		}
	} else {
		slices.SortStableFunc(keys, p.compareKeys)
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if first != 0 && p.compareKeys(keys[i], first) == 0 {
			continue
		}
		p.nodes[keys[i]].next = first
		first = keys[i]
		count++
	}
	return first, count
}

func (p *parser) compareKeys(a, b uint32) int {
	return bytes.Compare(p.span(&p.nodes[a]), p.span(&p.nodes[b]))
}

func (p *parser) span(n *node) []byte {
	if n.flags&inText != 0 {
		return p.text[n.start:n.end]
	}
	return p.data[n.start:n.end]
}

func (p *parser) literal(word string, kind Kind) error {
	if !bytes.HasPrefix(p.data[p.pos:], []byte(word)) {
		return p.unexpected("a value")
	}
	p.pos += len(word)
	p.add(kind, 0, 0, 0)
	return nil
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\n', '\r', '\t':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) take(c byte) bool {
	if p.pos < len(p.data) && p.data[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) fail(at int, what string) error {
	return &ParseError{Offset: at, What: what}
}

func (p *parser) exceed(format string, bound int) error {
	return &ParseError{Offset: p.pos, What: fmt.Sprintf(format, bound), limit: true}
}

// unexpected reports what stands at pos in the place of what was wanted.
func (p *parser) unexpected(wanted string) error {
	rest := p.data[p.pos:]
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(rest, []byte(word)) {
			return p.fail(p.pos, word+" is not JSON")
		}
	}
	switch {
	case len(rest) == 0:
		return p.fail(p.pos, "it ends where "+wanted+" is needed")
	case rest[0] == ']' || rest[0] == '}':
		if before := bytes.TrimRight(p.data[:p.pos], " \n\r\t"); bytes.HasSuffix(before, []byte(",")) {
			return p.fail(p.pos, "a comma before "+quoteByte(rest[0]))
		}
	case rest[0] == '\'' && strings.Contains(wanted, "key"):
		return p.fail(p.pos, "keys need double quotes")
	}
	return p.fail(p.pos, quoteByte(rest[0])+" where "+wanted+" is needed")
}

// quoteByte shows a byte without copying what may be text of a person.
func quoteByte(c byte) string {
	if c > ' ' && c < 0x7f {
		return "'" + string(rune(c)) + "'"
	}
	return fmt.Sprintf("byte 0x%02x", c)
}
