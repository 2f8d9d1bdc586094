// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"encoding/json"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// progress is how far a long post got before the bot was stopped, as it waits in the outbox.
type progress struct {
	// ChatID is where First was posted, At when; More are the parts that followed.
	ChatID int64     `json:"chat"`
	First  int64     `json:"first"`
	More   []int64   `json:"more,omitempty"`
	At     time.Time `json:"at"`
	// Rest are the parts that are left. A post goes on in the words that it began with, whatever has changed since.
	Rest []string `json:"rest"`
	// Unsure is whether the first of Rest may be there already.
	Unsure bool `json:"unsure,omitempty"`
}

// resume takes up a post where it was left. One whose beginning stands elsewhere, or cannot be told, begins anew and says
// that it may be a repeat.
func (d *delivery) resume() {
	var p progress
	if err := json.Unmarshal(d.job.Payload, &p); err != nil || p.ChatID != d.job.ChatID || p.First == 0 || len(p.Rest) == 0 {
		d.job.MaybeSent = true
		return
	}
	d.first, d.more, d.at = accepted{MessageID: p.First}, p.More, p.At
	d.sent = 1 + len(p.More)
	d.parts = append(make([]string, d.sent), p.Rest...)
	d.repeats = d.job.MaybeSent // how many of them came nobody recorded
	d.unsure = p.Unsure || d.repeats
}

// interrupted is the outcome of a job that is not over when the bot is to stop; nil where that cannot be said, so that it
// stays claimed.
func (d *delivery) interrupted() *store.Outcome {
	if d.job.Kind != store.JobPost || d.sent == 0 || d.repeats || d.apart {
		return nil
	}
	body, err := json.Marshal(progress{ChatID: d.job.ChatID, First: d.first.MessageID, More: d.more, At: d.at, Rest: d.parts[d.sent:], Unsure: d.unsure})
	if err != nil {
		return nil
	}
	o := d.outcome(store.Released)
	o.Progress = body
	return o
}

// postNext posts a ticket's next part.
func (d *delivery) postNext(ctx context.Context) (finished bool, err error) {
	show := d.cfg.show()
	if d.parts == nil {
		show.MaybeRepeat = d.job.MaybeSent
		if status := d.job.Status; status != "" && status != ticket.StatusNew { // it was given while the post waited
			show.Change = &ticket.Change{Status: status, Actor: d.job.StatusBy, At: d.job.StatusAt}
		}
		d.parts = ticket.Render(d.job.Ticket, show)
	}
	p := payload{Text: d.parts[d.sent], HTML: true}
	switch {
	case d.sent == 0:
		p.Keyboard = keyboard(d.job.Ticket.ID, show.Texts)
	case d.unsure:
		p = p.repeated(show.Texts, ticket.MaxUnits)
	}
	params := p.message(d.job)
	if !d.apart {
		params.Reply = replyTo(d.first.MessageID) // the other parts answer the first
	}
	if err := d.call(ctx, "sendMessage", params); err != nil {
		return false, err
	}
	d.unsure = d.repeats
	return d.sent == len(d.parts), nil
}

// mayBeThere notes that Telegram may have taken what was sent last.
func (d *delivery) mayBeThere() {
	switch {
	case d.sent > 0:
		d.unsure = true
	case !d.job.MaybeSent:
		d.job.MaybeSent, d.parts = true, nil
	}
}
