// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// told is what a site of version 2 was told, each thing once, in the order in which it happened.
func (j *judge) told() (events []kept) {
	type happening struct {
		kept
		at string
	}
	var all []happening
	for _, r := range j.w.site.Received("") {
		var d struct {
			Ticket  string `json:"ticket_id"`
			Status  string `json:"status"`
			From    string `json:"from"`
			Text    string `json:"text"`
			Message string `json:"message"`
			At      string `json:"at"`
			Actor   struct {
				Username string `json:"username"`
			} `json:"actor"`
		}
		if err := json.Unmarshal(r.Data, &d); err != nil {
			j.w.fail("a frame for the site: %v", err)
			continue
		}
		e := kept{ticket: d.Ticket, text: d.Text}
		switch {
		case r.Type == wire.TypeFeedbackCreated:
			e.kind, e.text = "created", d.Message
		case r.Type == wire.TypeFeedbackStatus:
			e.kind, e.status, e.actor = "status", d.Status, "@"+d.Actor.Username
		case r.Type == wire.TypeFeedbackReply && d.From == wire.FromStaff:
			e.kind = "reply"
		case r.Type == wire.TypeFeedbackReply:
			e.kind = "message"
		default: // hello
			continue
		}
		all = append(all, happening{e, d.At})
	}
	slices.SortStableFunc(all, func(a, b happening) int { return strings.Compare(a.at, b.at) })
	for _, h := range all {
		events = append(events, h.kept)
	}
	return events
}
