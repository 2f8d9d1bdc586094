// SPDX-License-Identifier: Apache-2.0

// Package health is what the bot says of itself: a report that its parts keep up to date, a Lease that carries it to
// the operator, and a unix socket that answers the kubelet's probes. It listens on no network port.
package health

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
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
	report v1alpha1.BotReport // without HMACKeysUsed, and with Tickets only while they are another bot's
	uses   map[string]*keyUse // of HMACKeyIDs, by id
}

// NewTracker starts a report; tickets is asked for the counters whenever the report is read. Where it is nil, they are those
// that the bot before reported, until CountBy.
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
	t.mu.Lock()
	count := t.tickets
	t.mu.Unlock()
	var tickets v1alpha1.TicketsStatus
	if count != nil {
		tickets = count() // not under the lock: it has locks of its own
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	if count != nil {
		r.Tickets = tickets
	}
	r.FramesRefused = maps.Clone(r.FramesRefused)
	r.HMACKeyIDs = slices.Clone(r.HMACKeyIDs)
	r.HMACKeysUsed = t.keysUsed()
	if r.Refusing != nil {
		r.Refusing = new(*r.Refusing)
	}
	return r
}

// CountBy says who is asked for the counters from now on.
func (t *Tracker) CountBy(tickets func() v1alpha1.TicketsStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tickets = tickets
}

// inherit takes over the counters of the bot before: until its own store is open, this bot knows no others, and counters
// that begin anew look like a burst when they are back.
func (t *Tracker) inherit(report string) {
	var former v1alpha1.BotReport
	if json.Unmarshal([]byte(report), &former) != nil {
		return // there was none, or it is of another version
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Tickets = former.Tickets
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

// Chat says which supergroup the chat has become; empty where it is the chat of the spec.
func (t *Tracker) Chat(effectiveID string) {
	t.change(func(r *v1alpha1.BotReport) bool { return set(&r.EffectiveChatID, effectiveID) })
}

// Storage says what is wrong with the store; an empty reason means nothing. The message may be a database's, of several lines.
func (t *Tracker) Storage(reason, message string) {
	message = strings.Join(strings.Fields(message), " ")
	t.change(func(r *v1alpha1.BotReport) bool {
		was := r.Storage
		switch {
		case reason == "":
			r.Storage = nil
			return was != nil
		case was != nil && was.Reason == reason:
			r.Storage = &v1alpha1.StorageReport{Reason: reason, Message: message, Since: was.Since}
			return false
		}
		r.Storage = &v1alpha1.StorageReport{Reason: reason, Message: message, Since: metav1.NewTime(t.now())}
		return true
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
