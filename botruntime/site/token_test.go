// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// testToken is a token whose header has a kid.
func testToken(kid string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"`+kid+`"}`)) + ".test-token.signature"
}

func TestTokenKeyID(t *testing.T) {
	for _, test := range []struct{ name, token, want string }{
		{"kid", testToken("key-1"), "key-1"},
		{"padded", strings.Replace(testToken("key-1"), ".", "==.", 1), ""},
		{"none", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + ".x.y", ""},
		{"no string", base64.RawURLEncoding.EncodeToString([]byte(`{"kid":5}`)) + ".x.y", ""},
		{"no token", "a ready token", ""},
		{"no header", ".x.y", ""},
		{"empty", "", ""},
		{"long", testToken(strings.Repeat("k", 500)), strings.Repeat("k", maxKeyID)},
		{"endless", testToken(strings.Repeat("k", maxTokenHeader)), ""},
		{"not printable", testToken(`a\u0000b\n\u202ec\u0444`), "abc"},
	} {
		if got := tokenKeyID(test.token); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// onlyOld are the ways of a site that does not know the new key yet.
var onlyOld = map[string]func(*simsite.Server){
	"403": func(s *simsite.Server) { s.SetAccept(simsite.AcceptToken(testToken("old"))) },
	"401": func(s *simsite.Server) {
		s.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: http.StatusUnauthorized, Times: 1}})
	},
	"close 4401": func(s *simsite.Server) {
		s.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 4401, Times: 1}})
	},
	"close 4403": func(s *simsite.Server) {
		s.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 4403, Times: 1}})
	},
	"close 1008": func(s *simsite.Server) {
		s.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: 1008, Times: 1}})
	},
}

func TestPreviousTokenIsTriedAtOnce(t *testing.T) {
	for name, refuse := range onlyOld {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(site *simsite.Config, _ *Config) { site.Accept = nil })
				r.credentials.JWT, r.credentials.JWTPrevious = testToken("new"), testToken("old")
				refuse(r.site)
				began := time.Now()
				r.start()
				r.until(func(s simsite.Stats) bool { return s.Connected && s.Refused+s.Connections == 2 })
				r.delivered(1)
				if waited := time.Since(began); waited != 0 {
					t.Errorf("connected after %v, want at once", waited)
				}
				time.Sleep(refusalGrace)
				r.wantTokens("old")
				if r.health.said(v1alpha1.ReasonCredentialsRefused) != 0 {
					t.Errorf("reasons %v: the site has a token that it accepts", r.health.reasons())
				}

				// The site learns of the new key, and the next dial begins with it.
				r.site.SetFaults(simsite.Faults{})
				r.site.SetAccept(simsite.AcceptToken(testToken("new")))
				r.site.Drop()
				r.delivered(2)
				r.wantTokens("old", "new")
				if n := len(r.dialled()); n != 3 {
					t.Errorf("%d dials, want 3", n)
				}
			})
		})
	}
}

// A token counts as accepted with the first frame, or after the time in which a site may refuse it by closing.
func TestTokenIsAcceptedAfterTheGrace(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.connected(1)
		time.Sleep(refusalGrace - time.Millisecond)
		synctest.Wait()
		r.wantTokens()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		r.wantTokens("")
	})
}

func TestBothTokensRefusedBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.credentials.JWT, r.credentials.JWTPrevious = testToken("new"), testToken("old")
		r.start()
		if state := r.disconnected(); state.reason != v1alpha1.ReasonCredentialsRefused {
			t.Errorf("state %+v", state)
		}
		time.Sleep(10 * time.Minute) // of the bubble
		dials := r.dialled()
		if len(dials) < 10 || len(dials) > 40 || len(dials)%2 != 0 {
			t.Fatalf("%d dials in ten minutes", len(dials))
		}
		for i := 0; i < len(dials); i += 2 {
			if dials[i+1] != dials[i] || i > 0 && dials[i].Sub(dials[i-1]) < refusedDelay {
				t.Errorf("dials %d and %d at %v and %v", i, i+1, dials[i], dials[i+1])
			}
		}
		r.wantTokens()
	})
}

// A site may end connections whose token has expired meanwhile: the renewed one is tried without the wait for tokens that
// are refused.
func TestLiveConnectionWhoseTokenExpires(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		r.delivered(1)
		time.Sleep(time.Hour) // of the bubble
		r.site.SetAccept(simsite.AcceptToken("renewed"))
		r.setCredentials(func(c *Credentials) { c.JWT = "renewed" })
		began := time.Now()
		r.site.CloseConnections(4401, "expired")
		r.connected(2)
		r.delivered(2)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("connected again after %v, want at once", waited)
		}
	})
}

func TestFailuresThatAreNoRefusalsLeaveThePreviousTokenAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.credentials.JWTPrevious = testToken("old")
		r.site.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: http.StatusServiceUnavailable, Times: 1}})
		r.start()
		r.delivered(1)
		if dials := r.dialled(); len(dials) != 2 || dials[0].Equal(dials[1]) {
			t.Errorf("dials at %v", dials)
		}
		r.wantTokens("")
	})
}

func TestAhead(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for ts, want := range map[int64]int64{
		1_800_000_090: 90, 1_799_999_910: -90, 1_800_000_000: 0, -1 << 63: -1<<31 + 1, 1<<63 - 1: 1<<31 - 1,
	} {
		if got := ahead(ts, now); got != want {
			t.Errorf("%d: %d, want %d", ts, got, want)
		}
	}
}

// wantTokens checks the key ids of the tokens that were accepted, in order.
func (r *rig) wantTokens(want ...string) {
	r.t.Helper()
	r.health.see(func() {
		if strings.Join(r.health.tokens, " ") != strings.Join(want, " ") || len(r.health.tokens) != len(want) {
			r.t.Errorf("accepted tokens %q, want %q", r.health.tokens, want)
		}
	})
}
