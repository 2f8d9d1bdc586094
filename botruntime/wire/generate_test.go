// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator writes JSON documents that are hard to read and to print: any
// spelling that the grammar has, and, by mutate, some that it has not.
type generator struct {
	*rand.Rand
	b strings.Builder
}

// document returns a document; about a third are damaged.
func (g *generator) document() string {
	g.b.Reset()
	g.space()
	if g.IntN(50) == 0 {
		g.nest(g.IntN(80))
	} else {
		g.value(0)
	}
	g.space()
	doc := g.b.String()
	for range max(0, g.IntN(6)-3) {
		doc = g.mutate(doc)
	}
	return doc
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) space() {
	for range max(0, g.IntN(8)-5) {
		g.b.WriteString(g.pick(" ", "\n", "\r", "\t", "  "))
	}
}

func (g *generator) value(depth int) {
	kind := g.IntN(12)
	if depth > 5 {
		kind = g.IntN(8)
	}
	switch {
	case kind < 1:
		g.b.WriteString(g.pick("null", "true", "false"))
	case kind < 3:
		g.integer()
	case kind < 5:
		g.float()
	case kind < 8:
		g.string()
	case kind < 10:
		g.list('[', ']', func() { g.value(depth + 1) })
	default:
		var keys []string // some of which come again
		g.list('{', '}', func() {
			start := g.b.Len()
			if len(keys) > 0 && g.IntN(4) == 0 {
				g.b.WriteString(keys[g.IntN(len(keys))])
			} else {
				g.string()
				keys = append(keys, g.b.String()[start:])
			}
			g.space()
			g.b.WriteByte(':')
			g.space()
			g.value(depth + 1)
		})
	}
}

func (g *generator) list(open, end byte, item func()) {
	g.b.WriteByte(open)
	g.space()
	n := g.IntN(5)
	if g.IntN(40) == 0 {
		n = 40 // objects of many keys are sorted in another way
	}
	for i := range n {
		if i > 0 {
			g.b.WriteByte(',')
			g.space()
		}
		item()
		g.space()
	}
	g.b.WriteByte(end)
}

func (g *generator) nest(depth int) {
	for range depth {
		g.b.WriteString("[")
	}
	g.value(5)
	for range depth {
		g.b.WriteString("]")
	}
}

func (g *generator) digits(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + g.IntN(10)))
	}
	return b.String()
}

func (g *generator) integer() {
	switch g.IntN(5) {
	case 0:
		fmt.Fprint(&g.b, g.IntN(201)-100)
	case 1:
		fmt.Fprint(&g.b, int64(g.Uint64()))
	case 2:
		g.b.WriteString(g.pick("0", "-0", "-1", "9223372036854775807", "9223372036854775808", "-9223372036854775809"))
	default:
		n := g.IntN(60)
		if g.IntN(20) == 0 {
			n = 4290 + g.IntN(20) // CPython stops at 4300
		}
		g.b.WriteString(g.pick("", "-") + g.pick("1", "5", "9") + g.digits(n))
	}
}

func (g *generator) float() {
	switch g.IntN(5) {
	case 0: // any bits, in any of Go's spellings
		f := math.Float64frombits(g.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0
		}
		g.b.WriteString(strconv.FormatFloat(f, "eEfg"[g.IntN(4)], g.IntN(20)-1, 64))
	case 1: // about where repr() changes over to an exponent
		fmt.Fprintf(&g.b, "%se%d", g.pick("1", "9.9999999999999999", "9.999999999999999", "1.5"), g.IntN(45)-22)
	case 2:
		g.b.WriteString(g.pick("0.0", "-0.0", "-0e0", "1E+2", "5e-324", "2e-324", "1e-400", "1e400", "-1e309",
			"1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072011e-308", "9007199254740993.0"))
	default:
		g.b.WriteString(g.pick("", "-") + g.pick("0", "7", "12"+g.digits(g.IntN(20))) + "." + g.digits(1+g.IntN(25)) +
			g.pick("", "e"+g.digits(1+g.IntN(3)), "E-"+g.digits(1+g.IntN(3))))
	}
}

func (g *generator) string() {
	g.b.WriteByte('"')
	for range g.IntN(8) {
		switch g.IntN(8) {
		case 0:
			g.b.WriteString(g.pick(`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`))
		case 1:
			fmt.Fprintf(&g.b, g.pick(`\u%04x`, `\u%04X`), g.IntN(0x10000))
		case 2: // halves and wholes of surrogate pairs, escaped
			fmt.Fprintf(&g.b, `\u%04x`, 0xd800+g.IntN(0x800))
		case 3:
			fmt.Fprintf(&g.b, `\ud%03X\ud%03x`, 0x800+g.IntN(0x400), 0xc00+g.IntN(0x400))
		case 4:
			fmt.Fprintf(&g.b, `\u%04x`, g.IntN(0x80))
		case 5: // invalid runes become U+FFFD
			g.b.WriteRune(rune(g.IntN(0x110000)))
		default:
			g.b.WriteString(g.pick("a", "b", "Я", "ж", "é", "\x7f", "<&>", "\u2028", "\ufeff", "\uffff", "😀", " "))
		}
	}
	g.b.WriteByte('"')
}

// mutate damages a document, or not: the reference decides.
func (g *generator) mutate(doc string) string {
	i := g.IntN(len(doc) + 1)
	j := min(len(doc), i+g.IntN(3))
	switch g.IntN(4) {
	case 0:
		return doc[:i] + doc[j:]
	case 1:
		return doc[:i] + string([]byte{byte(g.IntN(256))}) + doc[i:]
	case 2:
		return doc[:i] + doc[i:j] + doc[i:]
	default:
		return doc[:i] + g.pick(",", "]", "}", `"`, `\`, ":", "0", "-", ".", "e", "NaN", "Infinity", "-Infinity", "\x0b",
			"\u00a0", "\x00", "\x1f", "\ufeff", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "//", "'", `\u12`, `\x41`,
			"+", "01", "True", "null ", `\ud83d\u`) + doc[j:]
	}
}
