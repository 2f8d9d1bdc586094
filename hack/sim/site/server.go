// SPDX-License-Identifier: Apache-2.0

package site

import (
	"embed"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
)

// pageFiles are the page and its parts.
//
//go:embed page/index.html page/style.css page/page.js
var pageFiles embed.FS

// DefaultPath is where the WebSocket is.
const DefaultPath = "/ws/feedback-bot"

// resultTTL is how old a result may be.
const resultTTL = 45 * time.Second

// Config is what a Server starts with.
type Config struct {
	// Path is where the WebSocket is; DefaultPath unless given.
	Path string
	// Accept judges tokens; every token is good unless given.
	Accept Accept
	// AnyOrigin does without the check of the Origin.
	AnyOrigin bool
	// Key and Form are what feedback is signed with.
	Key  wire.Key
	Form wire.Form
	// PingInterval is the time between the site's own pings; none unless given.
	PingInterval time.Duration
	// ResendAfter is how long an answer may take before the feedback is sent again; for ever unless given.
	ResendAfter time.Duration
	// OnResult, if given, is called with every frame that answers a feedback; it must not call the Server.
	OnResult func(Sent)
}

// Server is a simulated site. All methods are safe for concurrent use.
type Server struct {
	cfg       Config
	mux       *http.ServeMux
	done      chan struct{}
	closeOnce sync.Once
	sessions  sync.WaitGroup

	mu       sync.Mutex
	accept   Accept
	key      wire.Key
	form     wire.Form
	ring     wire.KeyRing  // what results are verified with
	former   wire.KeyRing  // keys that were held before, to tell their results from forged ones
	offset   time.Duration // how far the site's clock is ahead
	conns    []*conn       // the open ones, oldest first
	faults   Faults
	feedback map[string]*tracked
	order    []string // ids in the order they came
	unsent   []*tracked
	stats    counters
	rev      *control.Revision // of everything that the page shows
}

// New returns a Server that has sent nothing.
func New(cfg Config) *Server {
	if cfg.Path == "" {
		cfg.Path = DefaultPath
	}
	if cfg.Accept == nil {
		cfg.Accept = func(string, time.Time) error { return nil }
	}
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), done: make(chan struct{}), accept: cfg.Accept,
		key: cfg.Key, form: cfg.Form, ring: wire.NewKeyRing(cfg.Key), feedback: map[string]*tracked{},
	}
	s.rev = control.NewRevision(&s.mu, s.done)
	s.mux.HandleFunc("GET "+cfg.Path, s.serveWebSocket)
	s.routeControl()
	control.RoutePage(s.mux, pageFiles)
	return s
}

// ServeHTTP serves the WebSocket, the control API and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends waits and, with a goodbye, connections; the Server must not be used after.
func (s *Server) Close() {
	s.mu.Lock()
	s.closeOnce.Do(func() { close(s.done) })
	s.mu.Unlock()
	s.SetFaults(Faults{}) // a frozen connection could not say goodbye
	s.dropFrozen()
	s.CloseConnections(websocket.CloseGoingAway, "")
	s.sessions.Wait()
}

// SetKey signs with another key, or in another form, from now on. Results may be signed with any key so far.
func (s *Server) SetKey(key wire.Key, form wire.Form) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key, s.form, s.ring = key, form, wire.NewKeyRing(append([]wire.Key{key}, keysOf(s.ring)...)...)
}

// HoldKeys signs with the first of several keys from now on, and takes results that are signed with one of them: a key that
// is not among them is gone. At least one is needed.
func (s *Server) HoldKeys(keys ...wire.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	former := keysOf(s.ring)
	s.key, s.ring = keys[0], wire.NewKeyRing(keys...)
	s.former = wire.NewKeyRing(append(former, keysOf(s.former)...)...)
}

func keysOf(ring wire.KeyRing) (keys []wire.Key) {
	for _, id := range ring.IDs() {
		key, _ := ring.Lookup(id)
		keys = append(keys, key)
	}
	return keys
}

// SetClock puts the site's clock ahead of the machine's, or behind it: the times of frames, and what tokens and results are
// judged by.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = ahead
}

// SetAccept judges tokens by another rule from now on; open connections stay.
func (s *Server) SetAccept(accept Accept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accept = accept
}
