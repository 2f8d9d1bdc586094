// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// composer puts a text together from stretches with a meaning. It needs no escaping, and what people wrote keeps the
// entities that they gave it.
type composer struct {
	b        strings.Builder
	units    int
	entities []models.MessageEntity
}

func (c *composer) text(s string) *composer {
	c.b.WriteString(s)
	c.units += ticket.Units(s)
	return c
}

// styled writes a stretch with an entity; an empty stretch has none.
func (c *composer) styled(e models.MessageEntity, s string) *composer {
	if s == "" {
		return c
	}
	e.Offset, e.Length = c.units, ticket.Units(s)
	c.entities = append(c.entities, e)
	return c.text(s)
}

func (c *composer) bold(s string) *composer {
	return c.styled(models.MessageEntity{Type: models.MessageEntityTypeBold}, s)
}

// inert writes words of a stranger's so that Telegram makes no link, mention, hashtag or command of them.
func (c *composer) inert(s string) *composer {
	if ticket.IsInert(s) {
		return c.text(s)
	}
	return c.styled(models.MessageEntity{Type: models.MessageEntityTypeCode}, s)
}

// excerpt writes the beginning of a message, in one line of at most so many UTF-16 units, so that it calls nobody and tags
// nothing once more.
func (c *composer) excerpt(message string, limit int) *composer {
	line := ticket.Line(message, limit)
	if strings.ContainsAny(line, "@#") {
		return c.inert(line)
	}
	return c.styled(models.MessageEntity{Type: models.MessageEntityTypeItalic}, line)
}

// link writes a stretch that leads to an address; without one it is text.
func (c *composer) link(s, address string) *composer {
	if address == "" {
		return c.text(s)
	}
	return c.styled(models.MessageEntity{Type: models.MessageEntityTypeTextLink, URL: address}, s)
}

// quote writes a text with the entities that its writer gave it. What Telegram finds in a text by itself it will find
// again.
func (c *composer) quote(s string, entities []models.MessageEntity) *composer {
	at, length := c.units, ticket.Units(s)
	for _, e := range entities {
		if !formatting[e.Type] || e.Offset < 0 || e.Length <= 0 || e.Offset+e.Length > length {
			continue
		}
		e.Offset += at
		c.entities = append(c.entities, e)
	}
	return c.text(s)
}

// formatting are the entities that a writer chooses.
var formatting = map[models.MessageEntityType]bool{
	models.MessageEntityTypeBold: true, models.MessageEntityTypeItalic: true, models.MessageEntityTypeUnderline: true,
	models.MessageEntityTypeStrikethrough: true, models.MessageEntityTypeSpoiler: true,
	models.MessageEntityTypeBlockquote: true, models.MessageEntityTypeExpandableBlockquote: true,
	models.MessageEntityTypeCode: true, models.MessageEntityTypePre: true, models.MessageEntityTypeTextLink: true,
}

func (c *composer) payload() payload { return payload{Text: c.b.String(), Entities: c.entities} }
