// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
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
				if _, err := time.Parse("2006-01-02T15:04:05", result.SentAt); err != nil {
					t.Errorf("sent_at %q: %v", result.SentAt, err)
				}
				r.store.set(func(s *testStore) {
					if got := s.admitted[0].Signature.Form; got != form {
						t.Errorf("admitted in form %v", got)
					}
				})
			})
		})
	}
}

// A failure's text is not ASCII, so that its form can be told.
func TestFinalRefusalByTelegramIsAnsweredInTheRequestsForm(t *testing.T) {
	for _, form := range []wire.Form{wire.FormUTF8, wire.FormASCII} {
		t.Run(form.String(), func(t *testing.T) {
			bubble(t, func(site *simsite.Config, _ *Config) { site.Form = form }, func(r *rig) {
				r.store.set(func(s *testStore) { s.refuse = "чат не найден" })
				result := r.result(r.send(1))
				if result.OK || result.Error != "чат не найден" || result.Form != form.String() {
					t.Errorf("result %+v", result)
				}
			})
		})
	}
}

func TestResultIsSignedWithItsRequestsKeyThoughItWasRotatedSince(t *testing.T) {
	old, fresh := testKey(t, "first"), testKey(t, "second")
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		r.setCredentials(func(c *Credentials) { c.Keys = wire.NewKeyRing(fresh, old) })
		if result := r.result(r.send(1)); result.KeyID != old.ID() {
			t.Errorf("signed with %s, want the request's key %s", result.KeyID, old.ID())
		}
		r.site.SetKey(fresh, wire.FormUTF8)
		if result := r.result(r.send(2)); result.KeyID != fresh.ID() {
			t.Errorf("signed with %s, want the new key %s", result.KeyID, fresh.ID())
		}
		if got := r.health.keys; len(got) != 2 || got[0] != old.ID() || got[1] != fresh.ID() {
			t.Errorf("the site's keys: %v", got)
		}
		if stats := r.site.Stats(); stats.Connections != 1 {
			t.Errorf("%d connections: a new key must not end the old one", stats.Connections)
		}
	})
}

func TestRefusalIsSignedWithItsFramesKey(t *testing.T) {
	old, fresh := testKey(t, "first"), testKey(t, "second")
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		r.setCredentials(func(c *Credentials) { c.Keys = wire.NewKeyRing(fresh, old) })
		for _, out := range []simsite.Outgoing{
			{Data: []byte(`{"feedback_id": 1, "category": "bug", "message": "m"}`), Age: simsite.Duration(time.Hour)},
			{Data: []byte(`{"feedback_id": 1}`)},
		} {
			id, err := r.site.SendOut(out)
			r.must(err)
			if result := r.result(id); result.OK || result.KeyID != old.ID() {
				t.Errorf("%q is signed with %s, want the frame's key %s", result.Error, result.KeyID, old.ID())
			}
		}
	})
}

func TestSameFrameAgainIsAnsweredAgainAndPostedOnce(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		raw, err := json.Marshal(feedback(7))
		r.must(err)
		id, err := r.site.SendOut(simsite.Outgoing{Data: raw, Repeat: 3})
		r.must(err)
		r.result(id)
		_, err = r.site.SendOut(simsite.Outgoing{Data: raw, ID: id})
		r.must(err)
		r.until(func(s simsite.Stats) bool { return s.Repeated > 0 })
		r.delivered(8)
		if got := r.store.posted(); got != 2 {
			t.Errorf("%d posts, want one for each feedback", got)
		}
	})
}

func TestResultsThatWereNotConfirmedAreSentAgain(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		// The result is written into a connection that nobody reads, and is lost with it.
		r.site.SetFaults(simsite.Faults{StopReading: true})
		id := r.send(1)
		synctest.Wait() // until the bot is stuck in its write
		if got := r.store.posted(); got != 1 {
			t.Fatalf("%d posts", got)
		}
		r.site.SetFaults(simsite.Faults{})
		r.site.Drop()
		if result := r.result(id); !result.OK {
			t.Errorf("result %+v", result)
		}
		r.connected(2)
		if got := r.store.posted(); got != 1 {
			t.Errorf("%d posts", got)
		}
	})
}

func TestConfirmedResultsAreNotSentAgain(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.delivered(1)
		r.delivered(2)
		time.Sleep(confirmPause)
		synctest.Wait() // until the pong has come
		r.site.Drop()
		r.connected(2)
		r.delivered(3)
		if stats := r.site.Stats(); stats.Repeated != 0 || stats.Answered != 3 {
			t.Errorf("%d results came again", stats.Repeated)
		}
		time.Sleep(confirmPause)
		synctest.Wait()
		if due, err := r.store.DueResults(r.ctx, 0, 10); err != nil || len(due) != 0 {
			t.Errorf("still due: %v, %v", due, err)
		}
	})
}

func TestManyFeedbacksOverManyDisconnects(t *testing.T) {
	bubble(t, func(site *simsite.Config, _ *Config) { site.ResendAfter = 30 * time.Second }, func(r *rig) {
		const feedbacks, drops = 100, 10
		for drop := range int64(drops) {
			r.connected(drop + 1)
			for i := range int64(feedbacks / drops) {
				r.send(drop*feedbacks/drops + i + 1)
			}
			r.until(func(s simsite.Stats) bool { return s.Answered > drop*feedbacks/drops })
			r.site.Drop()
		}
		r.until(func(s simsite.Stats) bool { return s.Answered == feedbacks })
		if stats := r.site.Stats(); stats.OK != feedbacks || stats.Missigned+stats.Unknown+stats.Malformed != 0 {
			t.Errorf("%+v", stats)
		}
		if got := r.store.posted(); got != feedbacks {
			t.Errorf("%d posts for %d feedbacks", got, feedbacks)
		}
	})
}

func TestStoreThatFailsEndsTheSessionAndTheSiteSendsAgain(t *testing.T) {
	bubble(t, func(site *simsite.Config, _ *Config) { site.ResendAfter = time.Minute }, func(r *rig) {
		r.connected(1)
		r.store.set(func(s *testStore) { s.broken = errors.New("disk full") })
		id := r.send(1)
		state := r.disconnected()
		if state.reason != v1alpha1.ReasonConnectionClosed || !strings.Contains(state.message, "disk full") {
			t.Errorf("state %+v", state)
		}
		r.store.set(func(s *testStore) { s.broken = nil })
		if result := r.result(id); !result.OK {
			t.Errorf("result %+v", result)
		}
		if end := r.site.Stats().LastEnd; !strings.Contains(end, "1013") {
			t.Errorf("the connection ended with %q, want code %d", end, websocket.CloseTryAgainLater)
		}
		if results := mustSent(r, id).Results; results != 1 {
			t.Errorf("%d results; a frame that was not stored has none", results)
		}
	})
}

func mustSent(r *rig, id string) simsite.Sent {
	r.t.Helper()
	sent, ok := r.site.Sent(id)
	if !ok {
		r.t.Fatalf("no feedback %s", id)
	}
	return sent
}
