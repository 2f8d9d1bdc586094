// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// kind is how a site takes over keys.
type kind string

const (
	// adopts takes over the site's Secret at once, with all its keys.
	adopts kind = "adopts"
	// swaps holds one HMAC key, and swaps it, and its key set, at a random moment after another was published.
	swaps kind = "swaps"
	// stays keeps its first keys for ever.
	stays kind = "stays"
)

const (
	// mostHesitation is how long a site that swaps takes at most.
	mostHesitation = 3 * time.Second
	// resendAfter is when a site sends again what has no answer.
	resendAfter = 3 * time.Second
)

// site is a simulated site that gets its keys from Secrets.
type site struct {
	b      *bridge
	dice   *rand.Rand
	server *simsite.Server
	http   *httptest.Server
	// equipped is closed when it has its first keys.
	equipped chan struct{}

	// hmac, jwks and secret are what it holds; secret is the user's own, for HS256, and before the one before.
	hmac, jwks, secret facet
	before             string

	mu      sync.Mutex
	outages []time.Duration
	opened  time.Time // when the connection that is open was
}

func newSite(b *bridge) *site {
	s := &site{b: b, dice: b.dice("site"), equipped: make(chan struct{})}
	s.server = simsite.New(simsite.Config{Accept: simsite.AcceptAny(), ResendAfter: resendAfter})
	s.http = httptest.NewServer(s.server)
	return s
}

// facet is one thing that a site takes over from a Secret.
type facet struct {
	held, coming string
	due          time.Time
}

// swap takes over a value after the delay that it is given when the value is first seen; true when it is held from now on.
func (f *facet) swap(value string, now time.Time, delay func() time.Duration) bool {
	switch {
	case value == "" || value == f.held:
		f.coming = ""
		return false
	case value != f.coming:
		f.coming, f.due = value, now.Add(delay())
	}
	if now.Before(f.due) {
		return false
	}
	f.held, f.coming = value, ""
	return true
}

// follow looks at the Secrets until ctx ends.
func (s *site) follow(ctx context.Context) {
	for pause(ctx, glance) {
		var given, users corev1.Secret
		if !s.b.w.read(s.b.name+"-site", &given) {
			continue
		}
		signing := ""
		if s.b.keys == own && s.b.algorithm == v1alpha1.JWTAlgorithmHS256 && s.b.w.read(s.b.name+"-own", &users) {
			signing = string(users.Data[ownSigning])
		}
		// Whoever holds one secret has to wait until the bot has a token by the new one.
		if s.b.kind == swaps && closed(s.equipped) && !s.botHasTokenBy(signing) {
			signing = ""
		}
		if err := s.take(given.Data, signing, time.Now()); err != nil {
			s.b.w.done.fail("%s: the site cannot use what it is given: %v", s.b, err)
			return
		}
		if s.hmac.held != "" && (s.jwks.held != "" || s.secret.held != "") && !closed(s.equipped) {
			close(s.equipped)
		}
	}
}

// botHasTokenBy is whether the token in the bot's directory is signed with a secret.
func (s *site) botHasTokenBy(secret string) bool {
	token := s.b.kubelet.token.Load()
	if token == nil || secret == "" {
		return false
	}
	accept, err := simsite.AcceptJWT([]byte(secret))
	return err == nil && accept(*token, time.Now()) == nil
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// take takes over what the site's kind takes over now.
func (s *site) take(given map[string][]byte, signing string, now time.Time) error {
	if s.b.kind == stays && closed(s.equipped) {
		return nil
	}
	if s.hmac.swap(s.mine(given), now, func() time.Duration { return s.hesitation(0) }) {
		if err := s.takeHMAC(given); err != nil {
			return err
		}
	}
	if s.jwks.swap(string(given[v1alpha1.SiteJWKS]), now, func() time.Duration { return s.hesitation(0) }) {
		if err := s.server.Adopt(map[string][]byte{v1alpha1.SiteJWKS: []byte(s.jwks.held)}); err != nil {
			return err
		}
	}
	was := s.secret.held
	if s.secret.swap(signing, now, func() time.Duration { return s.hesitation(2 * time.Second) }) {
		s.before = was
		return s.takeSecret()
	}
	return nil
}

// hesitation is how long the site takes, at least so long where it holds one key of the kind.
func (s *site) hesitation(least time.Duration) time.Duration {
	if s.b.kind != swaps || !closed(s.equipped) {
		return 0
	}
	return least + between(s.dice, 0, mostHesitation)
}

// mine is that part of the HMAC keys that the site takes over.
func (s *site) mine(given map[string][]byte) string {
	if s.b.kind == swaps {
		return string(given[v1alpha1.SiteHMACKey])
	}
	return fmt.Sprintf("%s %s %s", given[v1alpha1.SiteHMACKey], given[v1alpha1.SiteHMACCurrent], given[v1alpha1.SiteHMACPrevious])
}

func (s *site) takeHMAC(given map[string][]byte) error {
	if s.b.kind != swaps {
		held := map[string][]byte{}
		for _, name := range []string{v1alpha1.SiteHMACKey, v1alpha1.SiteHMACCurrent, v1alpha1.SiteHMACNext, v1alpha1.SiteHMACPrevious} {
			held[name] = given[name]
		}
		return s.server.Adopt(held)
	}
	key, err := wire.NewKey([]byte(s.hmac.held))
	if err != nil {
		return err
	}
	// Results of what was sent before are signed with the key before, and are not taken: they are asked for again.
	s.server.HoldKeys(key)
	return nil
}

func (s *site) takeSecret() error {
	var rules []simsite.Accept
	for _, secret := range []string{s.secret.held, s.before} {
		if secret == "" || len(rules) > 0 && s.b.kind != adopts {
			continue
		}
		accept, err := simsite.AcceptJWT([]byte(secret))
		if err != nil {
			return err
		}
		rules = append(rules, accept)
	}
	s.server.SetAccept(simsite.AcceptAny(rules...))
	return nil
}

// watchConnection notes how long the bot was away, each time.
func (s *site) watchConnection(ctx context.Context) {
	for {
		s.mu.Lock()
		s.opened = time.Now()
		s.mu.Unlock()
		if s.server.WaitFor(ctx, func() bool { return !s.server.Connected() }) != nil {
			return
		}
		since := time.Now()
		err := s.server.WaitFor(ctx, s.server.Connected)
		s.mu.Lock()
		s.outages = append(s.outages, time.Since(since))
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// open is how long the connection has been open.
func (s *site) open() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.opened)
}

// hangUp ends the connection in one of the ways in which connections end.
func (s *site) hangUp(dice *rand.Rand) {
	switch dice.IntN(3) {
	case 0:
		s.server.CloseConnections(websocket.CloseGoingAway, "")
	case 1:
		s.server.CloseConnections(websocket.CloseServiceRestart, "")
	default:
		s.server.Drop()
	}
}
