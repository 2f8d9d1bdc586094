// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

const (
	maxCallbackData = 64 // bytes
	maxButtons      = 100
	maxRow          = 8
)

// Button is an inline button: one that the bot hears of, or a link.
type Button struct {
	Text         string `json:"text"`
	URL          string `json:"url,omitempty"`
	CallbackData string `json:"callback_data,omitempty"`
}

// keyboard is an inline keyboard.
type keyboard struct {
	Rows [][]Button `json:"inline_keyboard"`
}

// parseMarkup reads reply_markup. It returns nil rows for none, and for the kinds that are not inline keyboards, which
// belong to the text box rather than to the message; inlineOnly refuses those, as edits do.
func parseMarkup(raw string, inlineOnly bool) ([][]Button, error) {
	if strings.TrimSpace(raw) == "" {
		return nil, nil
	}
	var markup map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &markup); err != nil {
		return nil, badRequest("object expected as reply markup")
	}
	inline, ok := markup["inline_keyboard"]
	if !ok {
		if inlineOnly && len(markup) > 0 {
			return nil, badRequest("inline keyboard expected")
		}
		return nil, nil
	}
	var rows [][]json.RawMessage
	if err := json.Unmarshal(inline, &rows); err != nil {
		return nil, badRequest("field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays")
	}
	buttons, total := [][]Button{}, 0
	for _, row := range rows {
		var out []Button
		for _, raw := range row {
			b, err := parseButton(raw)
			if err != nil {
				return nil, err
			}
			if out = append(out, b); len(out) == maxRow {
				buttons, out = append(buttons, out), nil
			}
			total++
		}
		if len(out) > 0 {
			buttons = append(buttons, out)
		}
	}
	if total > maxButtons {
		return nil, badRequest("reply markup is too long")
	}
	if total == 0 {
		return nil, nil
	}
	return buttons, nil
}

func parseButton(raw json.RawMessage) (Button, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return Button{}, badRequest("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
	}
	var b Button
	for _, f := range []struct {
		name string
		into *string
	}{{"text", &b.Text}, {"url", &b.URL}, {"callback_data", &b.CallbackData}} {
		if value, ok := fields[f.name]; ok && json.Unmarshal(value, f.into) != nil {
			return Button{}, badRequest("can't parse inline keyboard button: Field \"" + f.name + "\" must be of type String")
		}
	}
	_, hasText := fields["text"]
	_, hasData := fields["callback_data"]
	switch {
	case !hasText:
		return Button{}, badRequest("can't parse inline keyboard button: Can't find field \"text\"")
	case b.Text == "":
		return Button{}, badRequest("can't parse inline keyboard button: inline keyboard button text must be non-empty")
	case b.URL != "":
		link, ok := richtext.CheckedLink(b.URL)
		if !ok {
			return Button{}, badRequest("inline keyboard button URL '" + b.URL + "' is invalid: Wrong HTTP URL")
		}
		b.URL, b.CallbackData = link, ""
	case hasData && (b.CallbackData == "" || len(b.CallbackData) > maxCallbackData):
		return Button{}, badRequest("BUTTON_DATA_INVALID")
	case !hasData && len(fields) == 1:
		return Button{}, badRequest(
			"can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
	}
	return b, nil
}
