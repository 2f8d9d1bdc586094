// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// BenchmarkSend is one post over the network, without a store; the server's work is part of it.
func BenchmarkSend(b *testing.B) {
	w := newWorld(b, sim.Limits{})
	server := httptest.NewServer(w.Server)
	defer server.Close()
	defer w.end()
	w.cfg.APIURL, w.cfg.HTTPClient = server.URL, NewHTTPClient()
	if err := w.cfg.complete(); err != nil {
		b.Fatal(err)
	}
	a := newAPI(&w.cfg)
	tk := ticket.Ticket{ID: "ticket_site_1", Source: ticket.SourceSite, FeedbackID: 1, Category: "bug", Message: "text"}
	b.ReportAllocs()
	for b.Loop() {
		d := &delivery{api: a, cfg: &w.cfg, forum: &forum{}, job: &store.Job{ChatID: group, Kind: store.JobPost, Ticket: tk}}
		if finished, err := d.step(context.Background()); !finished || err != nil {
			b.Fatal(finished, err)
		}
	}
}

// BenchmarkPost is a ticket from the outbox to its result, over the network and the disk.
func BenchmarkPost(b *testing.B) {
	w := newWorld(b, sim.Limits{})
	server := httptest.NewServer(w.Server)
	defer server.Close()
	defer w.end()
	w.cfg.APIURL, w.cfg.HTTPClient = server.URL, NewHTTPClient()
	w.admit(counted(b.N)...)
	b.ResetTimer()
	w.start()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if _, err := w.WaitMessages(ctx, group, b.N); err != nil {
		b.Fatal(fmt.Errorf("%w\n%s", err, w.logs))
	}
	b.StopTimer()
}
