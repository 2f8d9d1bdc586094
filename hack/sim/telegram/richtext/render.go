// SPDX-License-Identifier: Apache-2.0

package richtext

import (
	"fmt"
	"html"
	"strings"

	"github.com/go-telegram/bot/models"
)

// HTML renders t in the HTML parse mode. What Telegram marks by itself (hashtags, links...) stays plain text.
func (t Text) HTML() string {
	var b strings.Builder
	var open []Entity
	next, offset := 0, 0
	closeUntil := func(at int) {
		for len(open) > 0 && end(open[len(open)-1]) <= at {
			_, tag := tags(open[len(open)-1])
			b.WriteString(tag)
			open = open[:len(open)-1]
		}
	}
	for _, r := range t.Text {
		closeUntil(offset)
		for ; next < len(t.Entities) && t.Entities[next].Offset <= offset; next++ {
			if tag, _ := tags(t.Entities[next]); tag != "" {
				b.WriteString(tag)
				open = append(open, t.Entities[next])
			}
		}
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		default:
			b.WriteRune(r)
		}
		offset += units(r)
	}
	closeUntil(offset)
	return b.String()
}

// tags returns the start and end tag of an entity, both empty where it needs none.
func tags(e Entity) (start, stop string) {
	simple := func(name string) (string, string) { return "<" + name + ">", "</" + name + ">" }
	switch e.Type {
	case models.MessageEntityTypeBold:
		return simple("b")
	case models.MessageEntityTypeItalic:
		return simple("i")
	case models.MessageEntityTypeUnderline:
		return simple("u")
	case models.MessageEntityTypeStrikethrough:
		return simple("s")
	case models.MessageEntityTypeSpoiler:
		return simple("tg-spoiler")
	case models.MessageEntityTypeCode:
		return simple("code")
	case models.MessageEntityTypeBlockquote:
		return simple("blockquote")
	case models.MessageEntityTypeExpandableBlockquote:
		return "<blockquote expandable>", "</blockquote>"
	case models.MessageEntityTypePre:
		if e.Language == "" {
			return simple("pre")
		}
		return fmt.Sprintf("<pre><code class=\"language-%s\">", html.EscapeString(e.Language)), "</code></pre>"
	case models.MessageEntityTypeTextLink:
		return fmt.Sprintf("<a href=\"%s\">", html.EscapeString(e.URL)), "</a>"
	case models.MessageEntityTypeTextMention:
		if e.User != nil {
			return fmt.Sprintf("<a href=\"tg://user?id=%d\">", e.User.ID), "</a>"
		}
	case models.MessageEntityTypeCustomEmoji:
		return fmt.Sprintf("<tg-emoji emoji-id=\"%s\">", html.EscapeString(e.CustomEmojiID)), "</tg-emoji>"
	}
	return "", ""
}
