// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// Every refusal of the protocol, as the site sees it; the feedback after it is delivered over the same connection.
func TestRefusalsThatAreAnswered(t *testing.T) {
	const good = `{"feedback_id": 1, "category": "bug", "message": "m"}`
	for _, test := range []struct {
		name   string
		out    simsite.Outgoing
		answer string
		reason string
		offset int64
	}{
		{"forged", simsite.Outgoing{Data: []byte(good), Forged: true}, "Invalid HMAC signature", RefusedInvalidSignature, 0},
		{"old", simsite.Outgoing{Data: []byte(good), Age: simsite.Duration(47 * time.Second)}, "Message expired", RefusedExpired, -47},
		{"ahead", simsite.Outgoing{Data: []byte(good), Age: simsite.Duration(-47 * time.Second)}, "Message expired", RefusedExpired, 47},
		{"forged and old", simsite.Outgoing{Data: []byte(good), Forged: true, Age: simsite.Duration(time.Hour)},
			"Invalid HMAC signature", RefusedInvalidSignature, 0},
		{"no category", simsite.Outgoing{Data: []byte(`{"feedback_id": 1, "message": "m"}`)},
			"Invalid payload: category: missing", RefusedInvalidPayload, 0},
		{"message of another type", simsite.Outgoing{Data: []byte(`{"feedback_id": 1, "category": "bug", "message": 5}`)},
			"Invalid payload: message: an integer, not a string", RefusedInvalidPayload, 0},
		{"negative number", simsite.Outgoing{Data: []byte(`{"feedback_id": -1, "category": "bug", "message": "m"}`)},
			"Invalid payload: feedback_id: negative", RefusedInvalidPayload, 0},
		{"replayed", simsite.Outgoing{Data: []byte(good), Nonce: "seen"}, "Replayed nonce", RefusedReplayedNonce, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				raw, err := json.Marshal(feedback(100))
				r.must(err)
				first, err := r.site.SendOut(simsite.Outgoing{Data: raw, Nonce: "seen"})
				r.must(err)
				r.result(first)

				id, err := r.site.SendOut(test.out)
				r.must(err)
				if result := r.result(id); result.OK || result.Error != test.answer {
					t.Errorf("answered %+v, want %q", result, test.answer)
				}
				if got := r.health.count(test.reason); got != 1 {
					t.Errorf("%s counted %d times: %v", test.reason, got, r.health.refused)
				}
				r.health.see(func() {
					if r.health.offset != test.offset || r.health.accepted != 1 {
						t.Errorf("clock offset %d, want %d; %d frames accepted", r.health.offset, test.offset, r.health.accepted)
					}
				})
				r.delivered(2)
				if stats := r.site.Stats(); stats.Connections != 1 || r.store.posted() != 2 {
					t.Errorf("%d connections, %d posts", stats.Connections, r.store.posted())
				}
			})
		})
	}
}

// What has an id is answered even where it is no frame; what has none is counted. The connection survives all of it.
func TestHostileMessages(t *testing.T) {
	large := strings.Repeat("x", 10<<20)
	for _, test := range []struct {
		name     string
		kind     int
		data     string
		reason   string
		answered bool // as the id "spoilt"
	}{
		{"not JSON", websocket.TextMessage, `{"id": "spoilt", "type": "new_feedback"`, RefusedInvalidMessage, true},
		{"not an object", websocket.TextMessage, `[]`, RefusedInvalidMessage, false},
		{"empty", websocket.TextMessage, ``, RefusedInvalidMessage, false},
		{"no data", websocket.TextMessage, `{"type":"new_feedback","id":"spoilt"}`, RefusedInvalidMessage, true},
		{"id of another type", websocket.TextMessage, `{"type":"new_feedback","id":5}`, RefusedInvalidMessage, false},
		{"NaN", websocket.TextMessage, `{"type":"new_feedback","id":"spoilt","data":{"x":NaN}}`, RefusedInvalidMessage, true},
		{"overflow", websocket.TextMessage, `{"type":"new_feedback","id":"spoilt","data":{"x":1e400}}`, RefusedInvalidMessage, true},
		{"invalid UTF-8", websocket.TextMessage, "{\"type\":\"new_feedback\",\"id\":\"spoilt\",\"data\":{\"x\":\"\xff\"}}",
			RefusedInvalidMessage, true},
		{"deep", websocket.TextMessage, `{"type":"new_feedback","id":"spoilt","data":` + strings.Repeat("[", 5000) + `}`,
			RefusedOverLimit, true},
		{"unknown type", websocket.TextMessage, `{"type":"feedback_status","id":"spoilt"}`, RefusedUnknownType, false},
		{"binary", websocket.BinaryMessage, `{"type":"ping"}`, RefusedBinary, false},
		{"10 MiB", websocket.TextMessage, large, RefusedTooLarge, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				r.connected(1)
				// A feedback of the simulator's under the same id, so that the answer can be told.
				_, err := r.site.SendOut(simsite.Outgoing{ID: "spoilt", Data: []byte(`{}`)})
				r.must(err)
				r.result("spoilt")
				before := r.health.count(test.reason)
				r.must(r.site.SendRaw(test.kind, []byte(test.data)))
				r.delivered(1)
				synctest.Wait()
				if got := r.health.count(test.reason) - before; got != 1 {
					t.Errorf("%s counted %d times: %v", test.reason, got, r.health.refused)
				}
				if answered := mustSent(r, "spoilt").Results == 2; answered != test.answered {
					t.Errorf("answered: %v, want %v", answered, test.answered)
				}
				if stats := r.site.Stats(); stats.Connections != 1 || stats.Malformed+stats.Missigned+stats.Unknown != 0 {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

func TestFrameFarOverTheLimitEndsTheConnection(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		r.must(r.site.SendRaw(websocket.TextMessage, make([]byte, 17<<20)))
		if state := r.disconnected(); state.reason != v1alpha1.ReasonConnectionClosed {
			t.Errorf("state %+v", state)
		}
		r.connected(2)
		r.delivered(1)
	})
}

// A site that floods the bot and reads nothing gets no more answers than the queue holds, and is left after the timeout
// of the writes.
func TestFloodOfBadFramesIsBounded(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		r.site.SetFaults(simsite.Faults{StopReading: true})
		start := time.Now()
		for range 4 * answersQueued {
			r.must(r.site.SendRaw(websocket.TextMessage, []byte(`{"type":"new_feedback","id":"x"}`)))
		}
		state := r.disconnected()
		if state.reason != v1alpha1.ReasonTimeout || state.at.Sub(start) > writeTimeout+time.Second {
			t.Errorf("state %+v after %v", state, state.at.Sub(start))
		}
		r.health.see(func() {
			if r.health.dropped < answersQueued {
				t.Errorf("%d answers were dropped", r.health.dropped)
			}
		})
		r.site.SetFaults(simsite.Faults{})
		r.connected(2)
		r.delivered(1)
	})
}

// A long id makes a long answer: those that wait for a site that reads nothing are bounded by their size, too.
func TestFloodOfLongIDsIsBounded(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		r.site.SetFaults(simsite.Faults{StopReading: true})
		const frames = answersQueued / 4
		frame := []byte(`{"type":"new_feedback","id":"` + strings.Repeat("x", answersSize/8) + `"}`)
		for range frames {
			r.must(r.site.SendRaw(websocket.TextMessage, frame))
		}
		synctest.Wait()
		// Eight are being written, and eight wait.
		r.health.see(func() {
			if r.health.dropped < frames-2*8 {
				t.Errorf("%d answers of %d were dropped", r.health.dropped, frames)
			}
		})
		r.site.SetFaults(simsite.Faults{})
		r.delivered(1)
	})
}

func TestPingsAreAnswered(t *testing.T) {
	bubble(t, func(site *simsite.Config, _ *Config) { site.PingInterval = time.Second }, func(r *rig) {
		start := time.Now()
		r.until(func(s simsite.Stats) bool { return s.Pongs >= 40 && s.Pings >= 2 && s.ControlPings >= 2 })
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}
