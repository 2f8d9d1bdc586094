// SPDX-License-Identifier: Apache-2.0

package richtext

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-telegram/bot/models"
)

const (
	// maxEntities is how many of the sender's entities Telegram keeps; the rest is dropped without a word.
	maxEntities = 100
	// maxOffset bounds what an entity may say about itself.
	maxOffset = 1_000_000
)

// Refusals of Compose that callers tell apart.
const (
	// ErrEmpty means that nothing is left of the text.
	ErrEmpty = Refusal("Text must be non-empty")
	// ErrNotUTF8 means that the text is not UTF-8.
	ErrNotUTF8 = Refusal("Strings must be encoded in UTF-8")
)

// Compose turns what a sender gave into what readers see: characters that Telegram drops are gone, entities are
// validated, untangled and stripped of leading white space, the text is trimmed, and hashtags, mentions, commands,
// links and addresses are marked.
func Compose(t Text) (Text, error) {
	if !utf8.ValidString(t.Text) {
		return Text{}, ErrNotUTF8
	}
	entities, err := checkEntities(t.Text, t.Entities)
	if err != nil {
		return Text{}, err
	}
	text, dropped := clean(t.Text)
	if len(dropped) > 0 {
		entities = shift(entities, dropped)
	}
	entities = untangle(entities)
	text, entities = trim(text, entities)
	if isBlank(text) {
		return Text{}, ErrEmpty
	}
	if len(entities) > maxEntities {
		entities = entities[:maxEntities]
	}
	return Text{Text: text, Entities: addDetected(entities, Detect(text))}, nil
}

// checkEntities copies the entities that are not empty, and refuses those that do not fit the text.
func checkEntities(text string, entities []Entity) ([]Entity, error) {
	if len(entities) == 0 {
		return nil, nil
	}
	kept := make([]Entity, 0, len(entities))
	for _, e := range entities {
		if e.Offset < 0 || e.Offset > maxOffset {
			return nil, refusef("Receive an entity with incorrect offset %d", e.Offset)
		}
		if e.Length < 0 || e.Length > maxOffset {
			return nil, refusef("Receive an entity with incorrect length %d", e.Length)
		}
		if e.Length > 0 {
			kept = append(kept, e)
		}
	}
	boundary := boundaries(text)
	for _, e := range kept {
		switch last := len(boundary) - 1; {
		case e.Offset >= last:
			return nil, refusef("Entity begins after the end of the text at UTF-16 offset %d", e.Offset)
		case end(e) > last:
			return nil, refusef("Entity beginning at UTF-16 offset %d ends after the end of the text at UTF-16 offset %d",
				e.Offset, end(e))
		case boundary[e.Offset] < 0:
			return nil, refusef("Entity begins in a middle of a UTF-16 symbol at byte offset %d", -boundary[e.Offset])
		case boundary[end(e)] < 0:
			return nil, refusef("Entity ends in a middle of a UTF-16 symbol at byte offset %d", -boundary[end(e)])
		}
	}
	return kept, nil
}

// boundaries maps each UTF-16 offset of text, its end included, to a byte offset; inside a surrogate pair to minus the
// byte offset after it.
func boundaries(text string) []int {
	at := make([]int, 0, len(text)+1)
	for i, r := range text {
		at = append(at, i)
		if units(r) == 2 {
			at = append(at, -(i + utf8.RuneLen(r)))
		}
	}
	return append(at, len(text))
}

// clean replaces control characters by spaces and drops those that Telegram drops. The offsets returned are of the
// dropped characters, each one UTF-16 unit long, in the old text.
func clean(text string) (cleaned string, dropped []int) {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || isDropped(r) }) {
		return text, nil
	}
	var b strings.Builder
	b.Grow(len(text))
	offset := 0
	for _, r := range text {
		switch {
		case isDropped(r):
			dropped = append(dropped, offset)
		case r < ' ' && r != '\n':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
		offset += units(r)
	}
	return b.String(), dropped
}

func isDropped(r rune) bool {
	return r == '\r' || r >= 0x2028 && r <= 0x202e || r == 0x333 || r == 0x33f || r == 0x30a
}

// shift moves entities to where their characters are after those at the given offsets were dropped.
func shift(entities []Entity, dropped []int) []Entity {
	moved := func(offset int) int {
		n, _ := slices.BinarySearch(dropped, offset)
		return offset - n
	}
	kept := entities[:0]
	for _, e := range entities {
		from, to := moved(e.Offset), moved(end(e))
		if e.Offset, e.Length = from, to-from; e.Length > 0 {
			kept = append(kept, e)
		}
	}
	return kept
}

// trim removes white space around the text and at the beginning of entities, and entities of nothing else. As in
// Telegram, an entity at the beginning keeps the white space before its first character.
func trim(text string, entities []Entity) (string, []Entity) {
	text = strings.TrimRight(text, " \n")
	if len(entities) == 0 {
		return strings.TrimLeft(text, " \n"), nil
	}
	boundary := boundaries(text)
	last := len(boundary) - 1
	kept := make([]Entity, 0, len(entities))
	for _, e := range entities {
		stop := min(end(e), last)
		for e.Offset < stop && isBlankByte(text[max(boundary[e.Offset], 0)]) {
			e.Offset++
		}
		if e.Length = stop - e.Offset; e.Length > 0 && !isBlank(text[boundary[e.Offset]:boundary[stop]]) {
			kept = append(kept, e)
		}
	}
	sortEntities(kept)
	lead := len(text) - len(strings.TrimLeft(text, " \n"))
	if len(kept) > 0 {
		lead = min(lead, boundary[kept[0].Offset])
	}
	for i := range kept {
		kept[i].Offset -= lead
	}
	return text[lead:], kept
}

func isBlankByte(c byte) bool { return c == ' ' || c == '\n' }

// isBlank tells whether s shows nothing.
func isBlank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		switch {
		case r == ' ' || r == '\n' || r == 0xa0 || r == 0xfeff || r == 0x1680 || r == 0x180e || r == 0x2800 || r == 0x3000:
			return false
		case r >= 0x2000 && r <= 0x200f, r == 0x202f, r == 0x205f, r == 0xfffc:
			return false
		}
		return true
	}) < 0
}

// addDetected adds what was found in the text where the sender's own entities leave room for it.
func addDetected(entities, found []Entity) []Entity {
	if len(found) == 0 {
		return entities
	}
	var room []Entity
	for _, f := range found {
		free := !slices.ContainsFunc(entities, func(e Entity) bool {
			meets := e.Offset < end(f) && f.Offset < end(e)
			inside := e.Offset <= f.Offset && end(f) <= end(e)
			return meets && !isStyle(e.Type) && !(isQuote(e.Type) && inside)
		})
		if free {
			room = append(room, f)
		}
	}
	entities = append(entities, room...)
	sortEntities(entities)
	return entities
}

// mentionType is set apart because text mentions are only kept for users the bot may know.
const mentionType = models.MessageEntityTypeTextMention

// KeepMentions drops text mentions of users for whom known returns nil, and completes the others.
func (t Text) KeepMentions(known func(id int64) *models.User) Text {
	if !slices.ContainsFunc(t.Entities, func(e Entity) bool { return e.Type == mentionType }) {
		return t
	}
	kept := make([]Entity, 0, len(t.Entities))
	for _, e := range t.Entities {
		if e.Type == mentionType {
			if e.User = known(e.User.ID); e.User == nil {
				continue
			}
		}
		kept = append(kept, e)
	}
	return Text{Text: t.Text, Entities: kept}
}
