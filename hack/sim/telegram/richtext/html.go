// SPDX-License-Identifier: Apache-2.0

package richtext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-telegram/bot/models"
)

// errSurrogate is the refusal of a numeric reference to half of a surrogate pair.
const errSurrogate = Refusal(
	"Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate code units")

// styleOf gives the entity of each start tag that makes one by itself; "" marks a tag that needs more care.
var styleOf = map[string]models.MessageEntityType{
	"b": models.MessageEntityTypeBold, "strong": models.MessageEntityTypeBold,
	"i": models.MessageEntityTypeItalic, "em": models.MessageEntityTypeItalic,
	"u": models.MessageEntityTypeUnderline, "ins": models.MessageEntityTypeUnderline,
	"s": models.MessageEntityTypeStrikethrough, "strike": models.MessageEntityTypeStrikethrough,
	"del":        models.MessageEntityTypeStrikethrough,
	"tg-spoiler": models.MessageEntityTypeSpoiler, "span": models.MessageEntityTypeSpoiler,
	"a": "", "code": "", "pre": "", "blockquote": "", "tg-emoji": "",
}

// ParseHTML parses the HTML parse mode as strictly as Telegram does. The result is neither trimmed nor repaired: see
// Compose. Byte offsets in errors count bytes of src.
func ParseHTML(src string) (Text, error) {
	if !strings.ContainsAny(src, "<&") {
		return Text{Text: src}, nil
	}
	p := htmlParser{src: src, out: make([]byte, 0, len(src))}
	if err := p.run(); err != nil {
		return Text{}, err
	}
	for i := range p.entities {
		if p.entities[i].Type == models.MessageEntityTypeCode {
			p.entities[i].Language = ""
		}
	}
	sortEntities(p.entities)
	return Text{Text: string(p.out), Entities: p.entities}, nil
}

// openTag is a start tag whose end tag has not come yet.
type openTag struct {
	name     string
	argument string // href, language, emoji-id or, in a blockquote, "expandable"
	offset   int    // UTF-16 units
	begin    int    // bytes of output
}

type htmlParser struct {
	src      string
	pos      int
	out      []byte
	units    int
	open     []openTag
	entities []Entity
}

// at returns the byte at i, 0 past the end: Telegram's parser works on C strings, so 0 ends whatever is being read.
func (p *htmlParser) at(i int) byte {
	if i < len(p.src) {
		return p.src[i]
	}
	return 0
}

func (p *htmlParser) run() error {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '&':
			r, next := decodeReference(p.src, p.pos)
			if r == 0 { // not a reference that Telegram knows: literal text
				p.out = append(p.out, c)
				p.units++
				p.pos++
				continue
			}
			if r >= 0xd800 && r <= 0xdfff {
				return errSurrogate
			}
			p.out = utf8.AppendRune(p.out, r)
			p.units += units(r)
			p.pos = next
		case c == '<' && p.at(p.pos+1) == '/':
			if err := p.endTag(); err != nil {
				return err
			}
		case c == '<':
			if err := p.startTag(); err != nil {
				return err
			}
		default:
			p.out = append(p.out, c)
			p.units += unitsOfLeadByte(c)
			p.pos++
		}
	}
	if n := len(p.open); n > 0 {
		return refusef("Can't find end tag corresponding to start tag %q", p.open[n-1].name)
	}
	return nil
}

// unitsOfLeadByte counts a character at its first byte, so that the text need not be decoded.
func unitsOfLeadByte(c byte) int {
	switch {
	case c >= 0xf0:
		return 2
	case c&0xc0 == 0x80:
		return 0
	}
	return 1
}

func (p *htmlParser) startTag() error {
	begin := p.pos
	i := begin + 1
	for !isSpace(p.at(i)) && p.at(i) != '>' {
		i++
	}
	if p.at(i) == 0 {
		return refusef("Unclosed start tag at byte offset %d", begin)
	}
	name := strings.ToLower(p.src[begin+1 : i])
	if _, known := styleOf[name]; !known {
		return refusef("Unsupported start tag %q at byte offset %d", quotable(name), begin)
	}
	p.pos = i
	argument := ""
	for p.at(p.pos) != '>' {
		key, value, err := p.attribute(name, begin)
		if err != nil {
			return err
		}
		if a, ok := argumentOf(name, key, value); ok {
			argument = a
		}
	}
	p.pos++
	if name == "span" && argument != "spoiler" {
		return refusef("Tag \"span\" must have class \"tg-spoiler\" at byte offset %d", begin)
	}
	p.open = append(p.open, openTag{name: name, argument: argument, offset: p.units, begin: len(p.out)})
	return nil
}

// argumentOf picks the one attribute that matters to each tag.
func argumentOf(tag, key, value string) (argument string, ok bool) {
	switch {
	case tag == "a" && key == "href", tag == "tg-emoji" && key == "emoji-id":
		return value, true
	case tag == "code" && key == "class" && strings.HasPrefix(value, "language-"):
		return value[len("language-"):], true
	case tag == "span" && key == "class" && strings.HasPrefix(value, "tg-"):
		return value[len("tg-"):], true
	case tag == "blockquote" && key == "expandable":
		return "expandable", true
	}
	return "", false
}

// attribute reads one attribute of the tag that began at byte begin, and the spaces around it. At the tag's end it
// returns an empty key.
func (p *htmlParser) attribute(tag string, begin int) (key, value string, err error) {
	p.skipSpaces()
	if p.at(p.pos) == '>' {
		return "", "", nil
	}
	start := p.pos
	for c := p.at(p.pos); !isSpace(c) && c != '=' && !(c == '>' && tag == "blockquote"); c = p.at(p.pos) {
		p.pos++
	}
	key = p.src[start:p.pos]
	if key == "" {
		return "", "", refusef("Empty attribute name in the tag %q at byte offset %d", tag, begin)
	}
	p.skipSpaces()
	if c := p.at(p.pos); c != '=' {
		if tag == "blockquote" && key == "expandable" && c != 0 { // the one attribute that may stand alone
			return key, "", nil
		}
		return "", "", refusef(
			"Expected equal sign in declaration of an attribute of the tag %q at byte offset %d", tag, begin)
	}
	p.pos++
	p.skipSpaces()
	if p.at(p.pos) == 0 {
		return "", "", refusef("Unclosed start tag %q at byte offset %d", tag, begin)
	}
	if value, err = p.attributeValue(); err != nil {
		return "", "", err
	}
	if p.at(p.pos) == 0 {
		return "", "", refusef("Unclosed start tag at byte offset %d", begin)
	}
	return key, value, nil
}

// attributeValue reads a quoted string or a bare name token.
func (p *htmlParser) attributeValue() (string, error) {
	quote := p.at(p.pos)
	if quote != '"' && quote != '\'' {
		start := p.pos
		for isNameByte(p.at(p.pos)) {
			p.pos++
		}
		if c := p.at(p.pos); !isSpace(c) && c != '>' {
			return "", refusef("Unexpected end of name token at byte offset %d", start)
		}
		return strings.ToLower(p.src[start:p.pos]), nil
	}
	var value []byte
	p.pos++
	for p.at(p.pos) != quote && p.at(p.pos) != 0 {
		if p.at(p.pos) == '&' {
			if r, next := decodeReference(p.src, p.pos); r != 0 {
				value = utf8.AppendRune(value, r)
				p.pos = next
				continue
			}
		}
		value = append(value, p.src[p.pos])
		p.pos++
	}
	if p.at(p.pos) == quote {
		p.pos++
	}
	return string(value), nil
}

func (p *htmlParser) endTag() error {
	begin := p.pos
	if len(p.open) == 0 {
		return refusef("Unexpected end tag at byte offset %d", begin)
	}
	i := begin + 2
	for !isSpace(p.at(i)) && p.at(i) != '>' {
		i++
	}
	name := strings.ToLower(p.src[begin+2 : i])
	p.pos = i
	p.skipSpaces()
	if p.at(p.pos) != '>' {
		return refusef("Unclosed end tag at byte offset %d", begin)
	}
	p.pos++
	tag := p.open[len(p.open)-1]
	if name != "" && name != tag.name {
		return refusef("Unmatched end tag at byte offset %d, expected \"</%s>\", found \"</%s>\"", begin, tag.name, name)
	}
	p.open = p.open[:len(p.open)-1]
	return p.closeTag(tag)
}

// closeTag adds the entity of a tag whose end was found; an empty one leaves nothing.
func (p *htmlParser) closeTag(tag openTag) error {
	e := Entity{Type: styleOf[tag.name], Offset: tag.offset, Length: p.units - tag.offset}
	if e.Length == 0 {
		return nil
	}
	switch tag.name {
	case "a":
		target := tag.argument
		if target == "" {
			target = string(p.out[tag.begin:])
		}
		if !setLink(&e, target) {
			return nil
		}
	case "pre":
		// <pre><code class="language-x">: one block with a language.
		if last := p.last(); last != nil && last.Type == models.MessageEntityTypeCode && last.Language != "" &&
			last.Offset == e.Offset && last.Length == e.Length {
			last.Type = models.MessageEntityTypePre
			return nil
		}
		e.Type = models.MessageEntityTypePre
	case "code":
		if last := p.last(); last != nil && last.Type == models.MessageEntityTypePre && tag.argument != "" &&
			last.Offset == e.Offset && last.Length == e.Length {
			last.Language = tag.argument
			return nil
		}
		e.Type, e.Language = models.MessageEntityTypeCode, tag.argument
	case "blockquote":
		e.Type = models.MessageEntityTypeBlockquote
		if tag.argument == "expandable" {
			e.Type = models.MessageEntityTypeExpandableBlockquote
		}
	case "tg-emoji":
		if id, err := strconv.ParseInt(tag.argument, 10, 64); err != nil || id == 0 {
			return Refusal("Invalid custom emoji identifier specified")
		}
		e.Type, e.CustomEmojiID = models.MessageEntityTypeCustomEmoji, tag.argument
	}
	p.entities = append(p.entities, e)
	return nil
}

func (p *htmlParser) last() *Entity {
	if len(p.entities) == 0 {
		return nil
	}
	return &p.entities[len(p.entities)-1]
}

func (p *htmlParser) skipSpaces() {
	for c := p.at(p.pos); c != 0 && isSpace(c); c = p.at(p.pos) {
		p.pos++
	}
}

// decodeReference reads the character reference at s[i] == '&' and returns its character and the index after it, or 0
// where Telegram would take the text literally. The semicolon may be missing.
func decodeReference(s string, i int) (r rune, next int) {
	at := func(k int) byte {
		if k < len(s) {
			return s[k]
		}
		return 0
	}
	j := i + 1
	if at(j) != '#' {
		for isAlpha(at(j)) {
			j++
		}
		switch s[i+1 : j] {
		case "lt":
			r = '<'
		case "gt":
			r = '>'
		case "amp":
			r = '&'
		case "quot":
			r = '"'
		default:
			return 0, i
		}
	} else {
		base, digits := 10, j+1
		if at(digits) == 'x' {
			base, digits = 16, digits+1
		}
		for j = digits; isHexDigit(at(j)) && (base == 16 || at(j) <= '9'); j++ {
		}
		n, err := strconv.ParseUint(s[digits:j], base, 32)
		if err != nil || n == 0 || n >= 0x10ffff || j-i >= 10 {
			return 0, i
		}
		r = rune(n)
	}
	if at(j) == ';' {
		j++
	}
	return r, j
}

// quotable keeps a tag's name readable inside %q, which would escape what Telegram prints as it is.
type quotable string

// Format prints the name between plain double quotes.
func (q quotable) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "\"%s\"", string(q)) }

func isSpace(c byte) bool { // 0 counts, as in Telegram's parser: it ends every token
	return c == ' ' || c >= '\t' && c <= '\r' && c != '\f' || c == 0
}

func isAlpha(c byte) bool    { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isHexDigit(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isNameByte(c byte) bool { return isAlpha(c) || isDigit(c) || c == '.' || c == '-' }
