// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

func TestSiteThatClosesAtOnceIsNotDialledInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.site.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 1000}})
		r.start()
		time.Sleep(time.Hour) // of the bubble
		// Half of 1, 2, 4 ... 64 and then of 120 s: seven dials in a minute, one a minute after that.
		if got := len(r.dialled()); got < 60 || got > 70 {
			t.Errorf("%d dials in an hour", got)
		}
		if state := r.disconnected(); state.reason != v1alpha1.ReasonConnectionClosed || !strings.Contains(state.message, "1000") {
			t.Errorf("state %+v", state)
		}
	})
}

func TestReconnects(t *testing.T) {
	for _, test := range []struct {
		name   string
		lived  time.Duration
		end    func(*simsite.Server)
		reason string // that was given for the interruption; "" where it was routine
		wait   time.Duration
	}{
		{"closed after an hour", time.Hour, func(s *simsite.Server) { s.CloseConnections(1001, "restart") }, "", 0},
		{"lost after an hour", time.Hour, (*simsite.Server).Drop, v1alpha1.ReasonConnectionLost, 0},
		{"closed after a second", time.Second, func(s *simsite.Server) { s.CloseConnections(1000, "") }, v1alpha1.ReasonConnectionClosed,
			500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				r.connected(1)
				time.Sleep(test.lived) // of the bubble
				ended := time.Now()
				test.end(r.site)
				r.connected(2)
				if got := time.Since(ended); got != test.wait {
					t.Errorf("connected again after %v, want %v", got, test.wait)
				}
				synctest.Wait()
				want := []string{v1alpha1.ReasonConnecting, v1alpha1.ReasonConnected, v1alpha1.ReasonConnected}
				if test.reason != "" {
					want = slices.Insert(want, 2, test.reason)
				}
				if got := r.health.reasons(); !slices.Equal(got, want) || r.health.reconnects != 1 {
					t.Errorf("said %v and %d reconnects, want %v", got, r.health.reconnects, want)
				}
				r.delivered(1)
			})
		})
	}
}

func TestSiteThatGoesAfterAGoodConnectionIsReportedAtOnce(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		time.Sleep(time.Hour) // of the bubble
		gone := time.Now()
		r.site.SetFaults(simsite.Faults{HandshakeDelay: simsite.Duration(time.Hour)})
		r.site.CloseConnections(1001, "")
		if state := r.disconnected(); state.reason != v1alpha1.ReasonTimeout || state.at.Sub(gone) > 30*time.Second {
			t.Errorf("%+v after %v", state, state.at.Sub(gone))
		}
	})
}

func TestHalfOpenConnectionIsFoundWithinTwoAndAHalfIntervals(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		time.Sleep(5 * time.Minute) // of the bubble: a silent site that answers pings is alive
		if got := len(r.dialled()); got != 1 {
			t.Fatalf("%d dials while the site was fine", got)
		}
		frozen := time.Now()
		r.site.SetFaults(simsite.Faults{Frozen: true})
		state := r.disconnected()
		if state.reason != v1alpha1.ReasonTimeout || state.at.Sub(frozen) > interval*5/2 {
			t.Errorf("%+v after %v", state, state.at.Sub(frozen))
		}
		r.site.SetFaults(simsite.Faults{})
		r.connected(2)
		r.delivered(1)
	})
}

func TestSiteThatStopsReadingIsLeftAndNothingIsLost(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		r.site.SetFaults(simsite.Faults{StopReading: true})
		stalled := time.Now()
		first, second := r.send(1), r.send(2)
		state := r.disconnected()
		// Found by the first write that nobody reads, at the latest a ping.
		if state.reason != v1alpha1.ReasonTimeout || state.at.Sub(stalled) > interval+writeTimeout {
			t.Errorf("%+v after %v", state, state.at.Sub(stalled))
		}
		r.site.SetFaults(simsite.Faults{})
		for _, id := range []string{first, second} {
			if result := r.result(id); !result.OK {
				t.Errorf("result %+v", result)
			}
		}
		if got := r.store.posted(); got != 2 {
			t.Errorf("%d posts", got)
		}
	})
}

func TestRefusedCredentials(t *testing.T) {
	for name, refuse := range map[string]func(*simsite.Server){
		"403": func(s *simsite.Server) { s.SetAccept(simsite.AcceptToken("another")) },
		"401": func(s *simsite.Server) {
			s.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: http.StatusUnauthorized}})
		},
		"close 4401": func(s *simsite.Server) { s.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 4401}}) },
		"close 4403": func(s *simsite.Server) { s.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 4403}}) },
		"close 1008": func(s *simsite.Server) { s.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 1008}}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				refuse(r.site)
				r.start()
				if state := r.disconnected(); state.reason != v1alpha1.ReasonCredentialsRefused {
					t.Errorf("state %+v", state)
				}
				time.Sleep(10 * time.Minute) // of the bubble
				dials := r.dialled()
				if len(dials) < 5 || len(dials) > 20 {
					t.Errorf("%d dials in ten minutes", len(dials))
				}
				if n := r.health.said(v1alpha1.ReasonConnected); n > 1 {
					t.Errorf("connected %d times, to a site that refuses the token each time", n)
				}
				for i := 1; i < len(dials); i++ {
					if wait := dials[i].Sub(dials[i-1]); wait < refusedDelay {
						t.Errorf("dial %d came after %v", i, wait)
					}
				}

				r.site.SetFaults(simsite.Faults{})
				r.site.SetAccept(simsite.AcceptToken("renewed"))
				changed := time.Now()
				r.setCredentials(func(c *Credentials) { c.JWT = "renewed" })
				r.delivered(1)
				if waited := time.Since(changed); waited != 0 {
					t.Errorf("the new token was used after %v, want at once", waited)
				}
				if reasons := r.health.reasons(); reasons[len(reasons)-1] != v1alpha1.ReasonConnected {
					t.Errorf("the site accepts the token; reasons %v", reasons)
				}
			})
		})
	}
}

func TestNewTokenLeavesTheConnectionAndServesTheNextDial(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.delivered(1)
		r.site.SetAccept(simsite.AcceptToken("renewed"))
		r.setCredentials(func(c *Credentials) { c.JWT = "renewed" })
		time.Sleep(time.Hour) // of the bubble
		r.delivered(2)
		if got := r.site.Stats().Connections; got != 1 {
			t.Errorf("%d connections", got)
		}
		r.site.Drop()
		r.delivered(3)
		if stats := r.site.Stats(); stats.Connections != 2 || stats.Refused != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestHandshakesThatFail(t *testing.T) {
	for _, test := range []struct {
		name, reason, message string
		faults                simsite.Faults
	}{
		{"502", v1alpha1.ReasonHandshakeFailed, "HTTP 502 Bad Gateway", simsite.Faults{Refuse: &simsite.Refusal{Status: 502}}},
		{"404", v1alpha1.ReasonHandshakeFailed, "check site.url", simsite.Faults{Refuse: &simsite.Refusal{Status: 404}}},
		{"301", v1alpha1.ReasonHandshakeFailed, "redirects", simsite.Faults{Refuse: &simsite.Refusal{Status: 301}}},
		{"no answer", v1alpha1.ReasonTimeout, "did not answer within 10s", simsite.Faults{HandshakeDelay: simsite.Duration(time.Minute)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.site.SetFaults(test.faults)
				start := time.Now()
				r.start()
				state := r.disconnected()
				if state.reason != test.reason || !strings.Contains(state.message, test.message) {
					t.Errorf("state %+v", state)
				}
				if took := state.at.Sub(start); took > 30*time.Second {
					t.Errorf("said after %v", took)
				}
				r.site.SetFaults(simsite.Faults{})
				r.delivered(1)
			})
		})
	}
}

func TestStopSaysGoodbye(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.delivered(1)
		if took := r.halt(); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		synctest.Wait()
		if end := r.site.Stats().LastEnd; !strings.Contains(end, "1001") {
			t.Errorf("the connection ended with %q, want code 1001", end)
		}
	})
}

func TestStopDoesNotWaitForASiteThatHangs(t *testing.T) {
	for name, faults := range map[string]simsite.Faults{
		"half open":     {Frozen: true},
		"stops reading": {StopReading: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				r.connected(1)
				r.site.SetFaults(faults)
				r.send(1) // whose result cannot be written, where the site writes at all
				synctest.Wait()
				if took := r.halt(); took > 2*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
