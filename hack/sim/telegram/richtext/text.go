// SPDX-License-Identifier: Apache-2.0

// Package richtext does to a message's text what Telegram does to it: it parses the HTML parse mode, validates and
// repairs entities, trims, and finds hashtags, mentions, commands and links by itself. It does no I/O.
//
// Offsets and lengths of entities are in UTF-16 code units throughout, as in the Bot API. Error texts are those of
// Telegram, without the "Bad Request: " in front.
package richtext

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/go-telegram/bot/models"
)

// Entity is one formatted or recognised part of a text.
type Entity = models.MessageEntity

// Text is a text with its entities, sorted by offset, the outer before the inner.
type Text struct {
	Text     string
	Entities []Entity
}

// Refusal is why Telegram would not take a text, in Telegram's words, which begin with a capital letter.
type Refusal string

func (r Refusal) Error() string { return string(r) }

func refusef(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }

// Length returns the number of UTF-16 code units of s, the unit of every offset and limit of the Bot API.
func Length(s string) int {
	n := 0
	for _, r := range s {
		n += units(r)
	}
	return n
}

// units returns how many UTF-16 code units r takes.
func units(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// Kinds of entities by how they may be combined. Styles overlap freely; a solid may not meet another solid; a quote
// may hold anything but a quote; code and pre are solids that hold nothing.
func isStyle(t models.MessageEntityType) bool {
	switch t {
	case models.MessageEntityTypeBold, models.MessageEntityTypeItalic, models.MessageEntityTypeUnderline,
		models.MessageEntityTypeStrikethrough, models.MessageEntityTypeSpoiler:
		return true
	}
	return false
}

func isQuote(t models.MessageEntityType) bool {
	return t == models.MessageEntityTypeBlockquote || t == models.MessageEntityTypeExpandableBlockquote
}

func isCode(t models.MessageEntityType) bool {
	return t == models.MessageEntityTypeCode || t == models.MessageEntityTypePre
}

// rank orders entities of the same range, the outermost first.
func rank(e Entity) int {
	switch e.Type {
	case models.MessageEntityTypeBlockquote, models.MessageEntityTypeExpandableBlockquote:
		return 0
	case models.MessageEntityTypePre:
		return 10
	case models.MessageEntityTypeCode:
		return 20
	case models.MessageEntityTypeTextLink, models.MessageEntityTypeTextMention:
		return 49
	case models.MessageEntityTypeBold:
		return 90
	case models.MessageEntityTypeItalic:
		return 91
	case models.MessageEntityTypeUnderline:
		return 92
	case models.MessageEntityTypeStrikethrough:
		return 93
	case models.MessageEntityTypeSpoiler:
		return 94
	case models.MessageEntityTypeCustomEmoji:
		return 99
	}
	return 50
}

func sortEntities(es []Entity) {
	slices.SortStableFunc(es, func(a, b Entity) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(b.Length, a.Length), cmp.Compare(rank(a), rank(b)))
	})
}

func end(e Entity) int { return e.Offset + e.Length }

// Equal tells whether a and b would look the same to a reader: the test behind "message is not modified".
func Equal(a, b Text) bool {
	return a.Text == b.Text && slices.EqualFunc(a.Entities, b.Entities, func(x, y Entity) bool {
		sameUser := x.User == nil && y.User == nil || x.User != nil && y.User != nil && x.User.ID == y.User.ID
		return sameUser && x.Type == y.Type && x.Offset == y.Offset && x.Length == y.Length && x.URL == y.URL &&
			x.Language == y.Language && x.CustomEmojiID == y.CustomEmojiID
	})
}

// runeAt decodes the rune of s at byte i; size is 0 past the end.
func runeAt(s string, i int) (r rune, size int) {
	if i >= len(s) {
		return 0, 0
	}
	return utf8.DecodeRuneInString(s[i:])
}

// runeBefore decodes the rune of s that ends before byte i; size is 0 at the start.
func runeBefore(s string, i int) (r rune, size int) {
	if i <= 0 {
		return 0, 0
	}
	return utf8.DecodeLastRuneInString(s[:i])
}
