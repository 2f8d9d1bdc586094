// SPDX-License-Identifier: Apache-2.0

package django

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// sites are both sites of this repository: what the brief's does, the app's does too.
var sites = map[string]plan{"brief": {kind: Brief}, "portal": {kind: Portal}}

// dial opens a WebSocket as the bot does, with a token and an Origin (none where it is empty), and returns how the site answered.
func (w *world) dial(token, origin string) (status int) {
	w.t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	conn, response, err := websocket.DefaultDialer.DialContext(w.t.Context(), "ws://"+w.site.Address()+"/ws/feedback-bot?token="+token, header)
	if err == nil {
		must(w.t, conn.Close())
	} else if !errors.Is(err, websocket.ErrBadHandshake) {
		w.t.Fatal(err)
	}
	return response.StatusCode
}

// What a site does not want it refuses before it accepts the WebSocket: daphne makes 403 of that.
func TestRefusedBeforeAccept(t *testing.T) {
	good, err := Token(jwtSecret, nil)
	must(t, err)
	expired, err := Token(jwtSecret, jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()})
	must(t, err)
	other, err := Token("another-secret-than-the-site-has", nil)
	must(t, err)
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "feedback-bot"}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	must(t, err)
	const origin = "http://127.0.0.1"
	for name, p := range sites {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, p)
			for what, c := range map[string]struct {
				token, origin string
				want          int
			}{
				"a good token, the site's own origin":          {good, origin, http.StatusSwitchingProtocols},
				"the origin with another port":                 {good, origin + ":8443", http.StatusSwitchingProtocols},
				"no token":                                     {"", origin, http.StatusForbidden},
				"no JWT":                                       {"nonsense", origin, http.StatusForbidden},
				"an expired token":                             {expired, origin, http.StatusForbidden},
				"a token of somebody else's":                   {other, origin, http.StatusForbidden},
				"a token that nobody signed":                   {unsigned, origin, http.StatusForbidden},
				"a good token, the origin of a page elsewhere": {good, "https://evil.example", http.StatusForbidden},
				"a good token, no origin":                      {good, "", http.StatusForbidden},
			} {
				if got := w.dial(c.token, c.origin); got != c.want {
					t.Errorf("%s: the site answers %d, want %d", what, got, c.want)
				}
			}
		})
	}
}

// The bot says what the matter is, keeps calm, and is there as soon as its token is good.
func TestBotThatIsRefused(t *testing.T) {
	expired, err := Token(jwtSecret, jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()})
	must(t, err)
	for name, p := range sites {
		t.Run(name, func(t *testing.T) {
			p.jwt = expired
			w := newWorld(t, p)
			must(t, w.bot.Start())
			w.until("the bot says that the site refuses it", func() bool {
				r, ok := w.report()
				return ok && !r.Site.OK && r.Site.Reason == v1alpha1.ReasonCredentialsRefused
			})
			good, err := Token(jwtSecret, nil)
			must(t, err)
			must(t, w.bot.Credential(v1alpha1.FileJWT, good))
			w.until("the bot connects with the new token", w.isConnected)
		})
	}
}

// Where the site is reached by another name than it knows, its origin validator refuses the bot.
func TestBotWithAForeignOrigin(t *testing.T) {
	for name, p := range sites {
		t.Run(name, func(t *testing.T) {
			p.settings.Hosts = "shop.example"
			w := newWorld(t, p)
			must(t, w.bot.Start())
			w.until("the bot says that the site refuses it", func() bool {
				r, ok := w.report()
				return ok && !r.Site.OK && r.Site.Reason == v1alpha1.ReasonCredentialsRefused
			})
		})
	}
}
