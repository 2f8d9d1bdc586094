// SPDX-License-Identifier: Apache-2.0

// Package health is what the bot says of itself: a report that its parts keep up to date, a Lease that carries it to
// the operator, and a unix socket that answers the kubelet's probes. It listens on no network port.
package health

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// Tracker gathers the report. Its methods may be called from several goroutines.
type Tracker struct {
	now     func() time.Time
	tickets func() v1alpha1.TicketsStatus
	changed chan struct{}

	siteKey  atomic.Pointer[keyUse] // the use of the key that the site last signed with, for as long as it is accepted
	refusing atomic.Bool            // whether report.Refusing is there

	mu     sync.Mutex
	report v1alpha1.BotReport // without Tickets and HMACKeysUsed
	uses   map[string]*keyUse // of HMACKeyIDs, by id
}

// NewTracker starts a report; tickets is asked for the counters whenever the report is read.
func NewTracker(version string, now func() time.Time, tickets func() v1alpha1.TicketsStatus) *Tracker {
	started := metav1.NewTime(now())
	return &Tracker{
		now: now, tickets: tickets, changed: make(chan struct{}, 1), uses: map[string]*keyUse{},
		report: v1alpha1.BotReport{
			Version:       version,
			StartedAt:     started,
			Site:          v1alpha1.PeerReport{Reason: v1alpha1.ReasonConnecting, Message: "not begun yet: the bot waits for its lease", Since: started},
			Telegram:      v1alpha1.PeerReport{Reason: v1alpha1.ReasonChecking, Since: started},
			FramesRefused: map[string]int64{},
		},
	}
}

// Changed is signalled when a state changed; counters alone don't count as a change.
func (t *Tracker) Changed() <-chan struct{} { return t.changed }

// Report returns a copy of the report as it is now.
func (t *Tracker) Report() v1alpha1.BotReport {
	tickets := t.tickets()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.Tickets = tickets
	r.FramesRefused = maps.Clone(r.FramesRefused)
	r.HMACKeyIDs = slices.Clone(r.HMACKeyIDs)
	r.HMACKeysUsed = t.keysUsed()
	if r.Refusing != nil {
		r.Refusing = new(*r.Refusing)
	}
	return r
}

// Site says how the bot stands with the site; reason is one of the Reason constants, message says what to do.
func (t *Tracker) Site(ok bool, reason, message string) {
	t.change(func(r *v1alpha1.BotReport) bool { return t.peer(&r.Site, ok, reason, message) })
}

// Telegram says how the bot stands with Telegram.
func (t *Tracker) Telegram(ok bool, reason, message string) {
	t.change(func(r *v1alpha1.BotReport) bool { return t.peer(&r.Telegram, ok, reason, message) })
}

// Bot says what Telegram calls the bot and the chat.
func (t *Tracker) Bot(username, chatTitle string) {
	t.change(func(r *v1alpha1.BotReport) bool {
		renamed := set(&r.BotUsername, username)
		return set(&r.ChatTitle, chatTitle) || renamed
	})
}

// Token says which key the token was signed with that the site accepted just now; empty where the token does not name one.
func (t *Tracker) Token(keyID string) {
	t.change(func(r *v1alpha1.BotReport) bool {
		r.JWTAcceptedAt = new(metav1.NewTime(t.now()))
		return set(&r.JWTKeyID, keyID)
	})
}

// Keys says which HMAC keys the bot accepts, the current one first.
func (t *Tracker) Keys(ids []string) {
	t.change(func(r *v1alpha1.BotReport) bool {
		if slices.Equal(r.HMACKeyIDs, ids) {
			return false
		}
		r.HMACKeyIDs = slices.Clone(ids)
		t.forget(ids)
		return true
	})
}

// Reconnected counts a connection to the site that was made again.
func (t *Tracker) Reconnected() {
	t.change(func(r *v1alpha1.BotReport) bool { r.Reconnects++; return false })
}

func (t *Tracker) change(f func(*v1alpha1.BotReport) (stateChanged bool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !f(&t.report) {
		return
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

func (t *Tracker) peer(p *v1alpha1.PeerReport, ok bool, reason, message string) bool {
	if p.OK == ok && p.Reason == reason && p.Message == message {
		return false
	}
	if p.OK != ok {
		p.Since = metav1.NewTime(t.now())
	}
	p.OK, p.Reason, p.Message = ok, reason, message
	if !ok && reason != v1alpha1.ReasonConnecting && reason != v1alpha1.ReasonChecking {
		p.LastError = message
	}
	return true
}

func set(field *string, value string) bool {
	if *field == value {
		return false
	}
	*field = value
	return true
}
