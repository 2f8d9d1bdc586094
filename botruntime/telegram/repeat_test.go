// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

func TestAMessageSaysThatItMayBeARepeat(t *testing.T) {
	texts := ticket.Texts("en")
	line := "⚠️ This may be a repeat: the same message may have come already.\n\n"
	n := ticket.Units(line)
	most := ticket.MaxUnits - n
	bold := func(offset, length int) models.MessageEntity {
		return models.MessageEntity{Type: models.MessageEntityTypeBold, Offset: offset, Length: length}
	}
	tests := []struct {
		name     string
		in, want payload
	}{
		{"HTML", payload{Text: "<b>x</b> &amp;", HTML: true}, payload{Text: line + "<b>x</b> &amp;", HTML: true}},
		{"entities", payload{Text: "a bold", Entities: []models.MessageEntity{bold(2, 4)}},
			payload{Text: line + "a bold", Entities: []models.MessageEntity{bold(n+2, 4)}}},
		{"as long as there is room", payload{Text: strings.Repeat("😀", most/2)}, payload{Text: line + strings.Repeat("😀", most/2), Entities: []models.MessageEntity{}}},
		{"too long", payload{Text: strings.Repeat("a", 4096), Entities: []models.MessageEntity{bold(10, 4086), bold(4090, 2)}},
			payload{Text: line + strings.Repeat("a", most-1) + "…", Entities: []models.MessageEntity{bold(n+10, most-11)}}},
		{"too long, in pairs of units", payload{Text: "a" + strings.Repeat("😀", 2047)},
			payload{Text: line + "a" + strings.Repeat("😀", (most-2)/2) + "…", Entities: []models.MessageEntity{}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.in.repeated(texts, ticket.MaxUnits)
			if tc.want.Entities == nil && got.Entities != nil {
				tc.want.Entities = got.Entities[:0]
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := ticket.Units(got.Text); n > ticket.MaxUnits {
				t.Errorf("%d units", n)
			}
		})
	}
}
