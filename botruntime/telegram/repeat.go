// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"html"
	"unicode/utf16"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// repeatRoom is what a message had better leave free for the line that says it may be a repeat, in UTF-16 units.
const repeatRoom = 128

// repeated is a message of at most so many UTF-16 units below a line that says it may have come already. HTML has to leave
// room for the line.
func (p payload) repeated(texts *ticket.Catalog, limit int) payload {
	return p.below("⚠️ "+texts.MaybeRepeatMessage+"\n\n", limit)
}

// below is a message below a line, of at most so many UTF-16 units; the end goes of what is too long.
func (p payload) below(line string, limit int) payload {
	if p.HTML {
		p.Text = html.EscapeString(line) + p.Text
		return p
	}
	shift := ticket.Units(line)
	most := limit - shift
	if units := utf16.Encode([]rune(p.Text)); len(units) > most {
		end := most - 1 // for the ellipsis
		if utf16.IsSurrogate(rune(units[end-1])) && utf16.IsSurrogate(rune(units[end])) && units[end] >= 0xDC00 {
			end--
		}
		p.Text, most = string(utf16.Decode(units[:end]))+"…", end
	}
	entities := make([]models.MessageEntity, 0, len(p.Entities))
	for _, e := range p.Entities {
		if e.Length = min(e.Length, most-e.Offset); e.Length > 0 {
			e.Offset += shift
			entities = append(entities, e)
		}
	}
	p.Text, p.Entities = line+p.Text, entities
	return p
}
