// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

func TestTheVersionIsNegotiated(t *testing.T) {
	for _, c := range []struct {
		name, site string
		bot        v1alpha1.SiteProtocol
		want       string
	}{
		{"a site of version 1", simsite.ProtocolV1, "", "v1"},
		{"a site of version 2", simsite.ProtocolV2, "", "v2"},
		{"asked for both", simsite.ProtocolV2, v1alpha1.SiteProtocolAuto, "v2"},
		{"told to speak version 1", simsite.ProtocolV2, v1alpha1.SiteProtocolV1, "v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubbleV2(t, func(site *simsite.Config, cfg *Config) { site.Protocol, cfg.Protocol = c.site, c.bot }, func(r *rig, _ *testDesk) {
				r.delivered(1)
				if got := r.site.Stats().Protocol; got != c.want {
					t.Errorf("the site speaks %s, want %s", got, c.want)
				}
				r.health.see(func() {
					if !slices.Equal(r.health.protocols, []string{c.want}) {
						t.Errorf("said %v", r.health.protocols)
					}
				})
			})
		})
	}
}

// Whoever stands between the two could strip version 2 from the handshake: where it is demanded, nothing is said by version 1.
func TestASiteOfVersion1IsRefusedWhereVersion2IsDemanded(t *testing.T) {
	bubbleV2(t, func(site *simsite.Config, cfg *Config) {
		site.Protocol, cfg.Protocol = simsite.ProtocolV1, v1alpha1.SiteProtocolV2
	}, func(r *rig, _ *testDesk) {
		state := r.disconnected()
		if state.reason != v1alpha1.ReasonProtocolTooOld || !strings.Contains(state.message, "spec.site.protocol: Auto") {
			t.Errorf("state %+v", state)
		}
		if got := r.site.Stats(); got.Answered+got.Pings+got.Malformed > 0 {
			t.Errorf("the bot spoke: %+v", got)
		}
		r.must(r.site.SetProtocol(simsite.ProtocolV2))
		r.delivered(1)
	})
}

func TestTheBotBeginsWithHello(t *testing.T) {
	var first []byte
	bubbleV2(t, func(site *simsite.Config, _ *Config) {
		check := site.OnFrame
		site.OnFrame = func(version int, frame []byte) {
			if first == nil {
				first = slices.Clone(frame)
			}
			check(version, frame)
		}
	}, func(r *rig, _ *testDesk) {
		r.delivered(1)
		e, err := wire.DecodeV2(first, wire.ToSite, wire.DefaultLimits())
		r.must(err)
		hello, err := e.Hello()
		r.must(err)
		id := testKey(t, "first").ID()
		if e.Type != wire.TypeHello || hello.Software != "feedbackbridge-bot/test" || hello.Preferred != id || !slices.Equal(hello.Keys, []string{id}) ||
			!slices.Equal(hello.Capabilities, []string{"statuses", "replies", "attachments"}) {
			t.Errorf("%s %+v", e.Type, hello)
		}
	})
}

func TestFeedbackOfVersion2IsAcknowledgedAndAnswered(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		data := feedback(123)
		data["attachments"] = []map[string]any{{"name": "a.png", "base64": "AAE="}, {"url": "https://shop.test/b"}}
		data["locale"] = "en"
		id := r.sendAs("", data)
		r.acked(id)
		result := r.result(id)
		if !result.OK || result.TicketID != "ticket_site_123" || result.MessageID != 1 || result.KeyID != testKey(t, "first").ID() {
			t.Errorf("result %+v", result)
		}
		if _, err := time.Parse("2006-01-02T15:04:05", result.SentAt); err != nil {
			t.Errorf("sent_at %q: %v", result.SentAt, err)
		}
		desk.see(func() {
			if len(desk.attached) != 1 || len(desk.attached[0].Attachments) != 2 || desk.attached[0].Locale != "en" {
				t.Errorf("attached: %+v", desk.attached)
			}
		})
		r.store.set(func(s *testStore) {
			if got := s.admitted[0].Ticket; got.Attachments != 2 || got.Message != "Не открывается инвентарь" {
				t.Errorf("admitted %+v", got)
			}
		})
	})
}

func TestATicketIsWorthMoreThanItsFiles(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		desk.see(func() { desk.fail = errors.New("no room for files") })
		data := feedback(1)
		data["attachments"] = []map[string]any{{"base64": "AAE="}}
		if result := r.result(r.sendAs("", data)); !result.OK {
			t.Errorf("result %+v", result)
		}
	})
}

// What is wrong with a frame decides whether it is acknowledged, and what its sender may do.
func TestRefusalsOfVersion2(t *testing.T) {
	good := json.RawMessage(`{"feedback_id": 1, "category": "bug", "message": "m"}`)
	for _, c := range []struct {
		name      string
		out       simsite.Outgoing
		code      string
		message   string
		retryable bool
		acks      int
		reason    string
	}{
		{"forged", simsite.Outgoing{Data: good, Forged: true}, "invalid_signature", "Invalid HMAC signature", true, 0, RefusedInvalidSignature},
		{"old", simsite.Outgoing{Data: good, Age: simsite.Duration(time.Minute)}, "expired", "Message expired", true, 0, RefusedExpired},
		{"no message", simsite.Outgoing{Data: json.RawMessage(`{"feedback_id": 1}`)}, "invalid_payload", "Invalid payload: category: missing",
			false, 1, RefusedInvalidPayload},
		{"a bad file", simsite.Outgoing{Data: json.RawMessage(`{"feedback_id": 1, "category": "bug", "message": "m", "attachments": [7]}`)},
			"invalid_payload", "Invalid payload: attachments: 0: an integer, not an object", false, 1, RefusedInvalidPayload},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubbleV2(t, nil, func(r *rig, _ *testDesk) {
				id, err := r.site.SendOut(c.out)
				r.must(err)
				result := r.result(id)
				if result.OK || result.Code != c.code || result.Error != c.message || result.Retryable != c.retryable {
					t.Errorf("result %+v", result)
				}
				synctest.Wait()
				if got := mustSent(r, id).Acks; got != c.acks {
					t.Errorf("%d acks, want %d", got, c.acks)
				}
				if r.health.count(c.reason) != 1 || r.store.posted() != 0 {
					t.Errorf("counted %v, %d posts", r.health.refused, r.store.posted())
				}
			})
		})
	}
}

func TestANonceThatWasSeenIsAReplayInVersion2(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		data := json.RawMessage(`{"feedback_id": 0, "category": "bug", "message": "m"}`)
		first, err := r.site.SendOut(simsite.Outgoing{Data: data, Nonce: "n"})
		r.must(err)
		r.result(first)
		second, err := r.site.SendOut(simsite.Outgoing{Data: data, Nonce: "n"})
		r.must(err)
		if result := r.result(second); result.OK || result.Code != "replayed" || !result.Retryable {
			t.Errorf("result %+v", result)
		}
		// What is known is known, whatever its nonce.
		third, err := r.site.SendOut(simsite.Outgoing{Data: data, Nonce: "m"})
		r.must(err)
		r.result(third)
		_, err = r.site.SendOut(simsite.Outgoing{Data: data, ID: first, Nonce: "m"})
		r.must(err)
		r.sent(first, func(s simsite.Sent) bool { return s.Acks == 2 && s.Results == 2 })
		if acks := mustSent(r, second).Acks; acks != 0 || r.store.posted() != 2 {
			t.Errorf("%d acks, %d posts", acks, r.store.posted())
		}
	})
}

func TestFinalRefusalByTelegramInVersion2(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		r.store.set(func(s *testStore) { s.refuse = "чат не найден" })
		result := r.result(r.send(1))
		if result.OK || result.Error != "чат не найден" || result.Code != "delivery_refused" || result.Retryable {
			t.Errorf("result %+v", result)
		}
	})
}

func TestAKnownRequestIsAcknowledgedAndAnsweredAgain(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		raw, err := json.Marshal(feedback(7))
		r.must(err)
		id, err := r.site.SendOut(simsite.Outgoing{Data: raw, Repeat: 2})
		r.must(err)
		r.result(id)
		_, err = r.site.SendOut(simsite.Outgoing{Data: raw, ID: id})
		r.must(err)
		r.sent(id, func(s simsite.Sent) bool { return s.Acks == 4 && s.Results >= 2 })
		if got := r.store.posted(); got != 1 {
			t.Errorf("%d posts", got)
		}
	})
}

func TestUnknownTypesAreAcknowledgedAndCounted(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		for _, frameType := range []string{"feedback_poll", "feedback_created", "key_update"} {
			r.acked(r.sendAs(frameType, map[string]any{"x": 1}))
		}
		if got := r.health.count(RefusedUnknownType); got != 3 {
			t.Errorf("%d counted", got)
		}
		r.delivered(1)
	})
}

// status is a feedback_status of the site's.
func status(feedbackID int64, status string, at time.Time) map[string]any {
	return map[string]any{"feedback_id": feedbackID, "status": status, "at": at.UTC().Format("2006-01-02T15:04:05.000000Z"),
		"actor": map[string]any{"username": "admin", "name": "Анна"}}
}

func TestAStatusOfTheSiteIsShownOnceAndOnlyIfItIsTheLatest(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		r.delivered(5)
		at := time.Now()
		id := r.sendAs(wire.TypeFeedbackStatus, status(5, "in_progress", at))
		r.acked(id)
		_, err := r.site.SendOut(simsite.Outgoing{Type: wire.TypeFeedbackStatus, ID: id, Data: mustSent(r, id).Data})
		r.must(err)
		r.sent(id, func(s simsite.Sent) bool { return s.Acks == 2 })
		r.acked(r.sendAs(wire.TypeFeedbackStatus, status(5, "read", at.Add(-time.Microsecond))))
		r.acked(r.sendAs(wire.TypeFeedbackStatus, status(99, "read", at.Add(-overtaken)))) // of nothing that is known
		desk.see(func() {
			if want := []string{"ticket_site_5 in_progress by Анна"}; !slices.Equal(desk.statuses, want) {
				t.Errorf("shown: %q, want %q", desk.statuses, want)
			}
		})
		if due := r.events(); len(due) != 0 {
			t.Errorf("the site is told of what it told: %+v", due)
		}
	})
}

func TestAStatusThatOvertookItsFeedbackComesAgain(t *testing.T) {
	bubbleV2(t, func(site *simsite.Config, _ *Config) { site.ResendAfter = 30 * time.Second }, func(r *rig, desk *testDesk) {
		r.connected(1)
		id := r.sendAs(wire.TypeFeedbackStatus, status(5, "read", time.Now()))
		synctest.Wait()
		if acks := mustSent(r, id).Acks; acks != 0 {
			t.Errorf("%d acks of what had no effect", acks)
		}
		r.delivered(5)
		r.acked(id)
		desk.see(func() {
			if len(desk.statuses) != 1 {
				t.Errorf("shown: %q", desk.statuses)
			}
		})
	})
}

// Large frames of a site that sends faster than the store takes them must not fill the memory.
func TestTheBotReadsNoMoreThanItHasRoomFor(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		r.connected(1)
		desk.gate = make(chan struct{})
		const feedbacks, size = 30, 600_000
		var ids []string
		for i := range int64(feedbacks) {
			data := feedback(i + 1)
			data["attachments"] = []map[string]any{{"base64": strings.Repeat("A", size)}}
			ids = append(ids, r.sendAs("", data))
		}
		synctest.Wait()
		if got := r.site.Stats().Frames; got > tasksSize/(2*size)+2 { // one is being read, and one waits to be
			t.Errorf("%d frames were read", got)
		}
		close(desk.gate)
		for _, id := range ids {
			if result := r.result(id); !result.OK {
				t.Errorf("%+v", result)
			}
		}
	})
}

func TestAReplyOfTheSiteIsBroughtOnce(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		r.delivered(5)
		id := r.sendAs(wire.TypeFeedbackReply, map[string]any{"ticket_id": "ticket_site_5", "from": "staff", "text": "Ответ",
			"at": time.Now().UTC().Format(time.RFC3339Nano), "author": map[string]any{"name": "Анна"}})
		r.acked(id)
		r.site.Drop()
		r.connected(2)
		_, err := r.site.SendOut(simsite.Outgoing{Type: wire.TypeFeedbackReply, ID: id, Data: mustSent(r, id).Data})
		r.must(err)
		r.sent(id, func(s simsite.Sent) bool { return s.Acks == 2 })
		desk.see(func() {
			if len(desk.replies) != 1 || desk.replies[0].Text != "Ответ" || desk.replies[0].Author.Name != "Анна" {
				t.Errorf("brought: %+v", desk.replies)
			}
		})
	})
}

// A frame that can never have its effect must not end every connection.
func TestWhatTheDeskCannotDoIsGivenUp(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		r.delivered(5)
		desk.see(func() { desk.fail = errors.New("cannot be shown") })
		r.acked(r.sendAs(wire.TypeFeedbackStatus, status(5, "read", time.Now())))
		if !strings.Contains(r.logs.String(), "cannot be shown") {
			t.Error("the log does not say why")
		}
		r.delivered(6)
		if got := r.site.Stats().Connections; got != 1 {
			t.Errorf("%d connections", got)
		}
	})
}

func TestABadStatusIsAcknowledgedAndCounted(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		r.delivered(1)
		r.acked(r.sendAs(wire.TypeFeedbackStatus, map[string]any{"feedback_id": 1, "status": "lost", "at": "2026-01-02T03:04:05Z"}))
		r.acked(r.sendAs(wire.TypeFeedbackStatus, status(1, "read", time.Now().Add(mostAhead+time.Minute)))) // it would win for ever
		if got := r.health.count(RefusedInvalidPayload); got != 2 || len(desk.statuses) != 0 {
			t.Errorf("%d counted, shown: %q", got, desk.statuses)
		}
	})
}

func TestAStoreThatFailsAcknowledgesNothing(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		r.connected(1)
		r.store.set(func(s *testStore) { s.broken = errors.New("disk full") })
		id := r.send(1)
		if state := r.disconnected(); !strings.Contains(state.message, "disk full") {
			t.Errorf("state %+v", state)
		}
		if got := mustSent(r, id).Acks; got != 0 {
			t.Errorf("%d acks", got)
		}
		r.store.set(func(s *testStore) { s.broken = nil })
		if result := r.result(id); !result.OK { // the site sends it again: it was not acknowledged
			t.Errorf("result %+v", result)
		}
	})
}

// Both sides sign with the same keys: whoever sits between them can send a frame back to who wrote it.
func TestAFrameThatIsSentBackToTheBotHasNoEffect(t *testing.T) {
	var mu sync.Mutex
	var sent []byte
	bubbleV2(t, func(site *simsite.Config, _ *Config) {
		check := site.OnFrame
		site.OnFrame = func(version int, frame []byte) {
			if strings.Contains(string(frame), wire.TypeFeedbackReply) {
				mu.Lock()
				sent = slices.Clone(frame)
				mu.Unlock()
			}
			check(version, frame)
		}
	}, func(r *rig, desk *testDesk) {
		r.delivered(5)
		r.emit(store.Event{Kind: store.EventReply, Ticket: "ticket_site_5", Text: "Ответ", At: time.Now()})
		r.told(wire.TypeFeedbackReply, 1)
		acked := r.site.Stats().Acked
		mu.Lock()
		r.must(r.site.SendRaw(websocket.TextMessage, sent))
		mu.Unlock()
		synctest.Wait()
		if got := r.site.Stats().Acked; got != acked || len(desk.replies) != 0 || r.health.count(RefusedInvalidMessage) != 1 {
			t.Errorf("%d acks more, brought %+v, counted %v", got-acked, desk.replies, r.health.refused)
		}
	})
}

// Without a desk the bot names nothing that it takes, and what comes all the same has no effect.
func TestABotWithoutADeskTakesFeedbackAlone(t *testing.T) {
	bubbleV2(t, func(_ *simsite.Config, cfg *Config) { cfg.Desk = nil }, func(r *rig, _ *testDesk) {
		r.delivered(5)
		r.acked(r.sendAs(wire.TypeFeedbackStatus, status(5, "read", time.Now())))
		if got := r.health.count(RefusedUnknownType); got != 1 {
			t.Errorf("%d counted", got)
		}
		r.inTx(func(tx store.Tx) error {
			if t5, err := tx.Ticket("ticket_site_5"); err != nil || t5.Status != ticket.StatusNew {
				t.Errorf("%+v, %v", t5, err)
			}
			return nil
		})
	})
}
