// SPDX-License-Identifier: Apache-2.0

package site

import (
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

func TestFeedbackIsAnsweredInItsOwnForm(t *testing.T) {
	for _, form := range []wire.Form{wire.FormUTF8, wire.FormASCII} {
		t.Run(form.String(), func(t *testing.T) {
			bubble(t, func(site *simsite.Config, _ *Config) { site.Form = form }, func(r *rig) {
				result := r.result(r.send(123))
				if !result.OK || result.TicketID != "ticket_site_123" || result.MessageID != 1 {
					t.Errorf("result %+v", result)
				}
			})
		})
	}
}
