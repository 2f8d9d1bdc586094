// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"iter"
	"strconv"
)

// Kind is the type of a [Value].
type Kind uint8

// The kinds. Integer and float are told apart as Python does: by a fraction or
// an exponent in the number's text.
const (
	KindNone Kind = iota // the zero Value: absent
	KindNull
	KindFalse
	KindTrue
	KindInteger
	KindFloat
	KindString
	KindArray
	KindObject
)

var kindNames = [...]string{
	"nothing", "null", "false", "true", "an integer", "a float", "a string", "an array", "an object",
}

// String names the kind with its article: "an integer".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Value is a node of a parsed document. It is immutable, cheap to copy, and
// keeps the whole document alive. The zero Value is absent: no kind, no
// members, not canonicalisable.
type Value struct {
	doc *document
	at  uint32
}

// document is a parsed text: its nodes in the order of the text, each key
// before its value, each container before its content.
type document struct {
	src   string // the text as it came
	text  string // strings that held escapes, unescaped; numbers that print otherwise
	nodes []node
	lone  bool // some string has a lone surrogate, perhaps one that counts for nothing
}

type node struct {
	kind  Kind
	flags flags
	// A string's characters or a number's canonical text, in src or in text.
	// In an object, start is its first key in canonical order; in a container,
	// end counts its values.
	start, end uint32
	// For a value, the node after it and its content; for a key, the next key
	// in canonical order, or 0.
	next uint32
}

type flags uint8

const (
	inText      flags = 1 << iota // the span is one of document.text
	needsEscape                   // has a character that both forms escape
	needsASCII                    // has a character that only FormASCII escapes
	hasLone                       // has a lone surrogate
)

func (d *document) span(n *node) string {
	if n.flags&inText != 0 {
		return d.text[n.start:n.end]
	}
	return d.src[n.start:n.end]
}

func (v Value) node() *node {
	if v.doc == nil {
		return &node{}
	}
	return &v.doc.nodes[v.at]
}

// Kind returns the kind of the value.
func (v Value) Kind() Kind { return v.node().kind }

// Len returns the number of elements of an array, or of distinct members of an
// object, and 0 for anything else.
func (v Value) Len() int {
	n := v.node()
	if n.kind == KindArray || n.kind == KindObject {
		return int(n.end)
	}
	return 0
}

// Elements are the elements of an array, with their places; there are none of
// anything else.
func (v Value) Elements() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		n := v.node()
		if n.kind != KindArray {
			return
		}
		i := 0
		for at := v.at + 1; at < n.next; at = v.doc.nodes[at].next {
			if !yield(i, Value{doc: v.doc, at: at}) {
				return
			}
			i++
		}
	}
}

// Get returns the member of an object, or the zero Value where there is none.
func (v Value) Get(key string) Value {
	n := v.node()
	if n.kind != KindObject {
		return Value{}
	}
	for at := n.start; at != 0; at = v.doc.nodes[at].next {
		if v.doc.span(&v.doc.nodes[at]) == key {
			return Value{doc: v.doc, at: at + 1}
		}
	}
	return Value{}
}

// Text returns a string fit for display, lone surrogates replaced by U+FFFD,
// and false for any other kind.
func (v Value) Text() (string, bool) {
	n := v.node()
	if n.kind != KindString {
		return "", false
	}
	if n.flags&hasLone != 0 {
		return replaceSurrogates(v.doc.span(n)), true
	}
	return v.doc.span(n), true
}

// exact returns a string with its lone surrogates kept as WTF-8, or false for
// any other kind.
func (v Value) exact() (string, bool) {
	n := v.node()
	if n.kind != KindString {
		return "", false
	}
	return v.doc.span(n), true
}

// Int64 returns an integer, and false for any other kind, 1.0 and true
// included, or where it does not fit.
func (v Value) Int64() (int64, bool) {
	n := v.node()
	if n.kind != KindInteger {
		return 0, false
	}
	i, err := strconv.ParseInt(v.doc.span(n), 10, 64)
	return i, err == nil
}

// Bool returns a boolean, and false, false for any other kind.
func (v Value) Bool() (value, ok bool) {
	k := v.Kind()
	return k == KindTrue, k == KindTrue || k == KindFalse
}
