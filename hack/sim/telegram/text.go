// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
	"github.com/go-telegram/bot/models"
)

// maxText is the longest text of a message, in UTF-16 units after its markup was parsed.
const maxText = 4096

// composeText makes of text, parse_mode and entities what readers will see.
func composeText(p params) (richtext.Text, error) {
	raw := p["text"]
	if raw == "" {
		return richtext.Text{}, badRequest("message text is empty")
	}
	t := richtext.Text{Text: raw}
	switch strings.ToLower(p["parse_mode"]) {
	case "", "none":
		entities, err := parseEntities(p["entities"])
		if err != nil {
			return richtext.Text{}, err
		}
		t.Entities = entities
	case "html":
		parsed, err := richtext.ParseHTML(raw)
		if err != nil {
			return richtext.Text{}, badRequest("can't parse entities: " + err.Error())
		}
		t = parsed
	default: // Markdown is left out
		return richtext.Text{}, badRequest("unsupported parse_mode")
	}
	t, err := richtext.Compose(t)
	if err != nil {
		return richtext.Text{}, refused(err)
	}
	return t, nil
}

// parseEntities reads the entities parameter and keeps those that a bot may set; Telegram finds the others by itself.
func parseEntities(raw string) ([]richtext.Entity, error) {
	if strings.TrimSpace(raw) == "" {
		return nil, nil
	}
	var given []richtext.Entity
	if err := json.Unmarshal([]byte(raw), &given); err != nil {
		return nil, badRequest("can't parse entities JSON array")
	}
	kept := given[:0]
	for _, e := range given {
		clean := richtext.Entity{Type: e.Type, Offset: e.Offset, Length: e.Length}
		switch e.Type {
		case models.MessageEntityTypeBold, models.MessageEntityTypeItalic, models.MessageEntityTypeUnderline,
			models.MessageEntityTypeStrikethrough, models.MessageEntityTypeSpoiler, models.MessageEntityTypeCode,
			models.MessageEntityTypeBlockquote, models.MessageEntityTypeExpandableBlockquote:
		case models.MessageEntityTypePre:
			clean.Language = e.Language
		case models.MessageEntityTypeCustomEmoji:
			clean.CustomEmojiID = e.CustomEmojiID
		case models.MessageEntityTypeTextLink:
			link, ok := richtext.CheckedLink(e.URL)
			if !ok {
				continue
			}
			clean.URL = link
		case models.MessageEntityTypeTextMention:
			if e.User == nil {
				return nil, badRequest("can't find field \"user\"")
			}
			clean.User = &models.User{ID: e.User.ID}
		default:
			continue
		}
		kept = append(kept, clean)
	}
	return kept, nil
}
