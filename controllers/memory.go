// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// recall is what the operator remembers of one bridge between reconciles. All of it can be lost: a restart costs some
// reads, and at most one write of counters before their turn.
type recall struct {
	// inputs is what creds were computed from; empty where nothing is remembered.
	inputs string
	// creds are the outcome, without any key: what the operator's Secrets hold is forgotten.
	creds credentials
	// inForce is the bridge with the credentials that the bot works by, while its spec is invalid; nil otherwise.
	inForce *v1alpha1.FeedbackBridge
	// countersAt is when the status was last written.
	countersAt time.Time
}

// heartbeat is a renewTime of a bot's Lease, and when the operator first saw it by its own clock; zero for never.
type heartbeat struct{ renewed, heard time.Time }

// memory is what is remembered of all bridges. The work queue never runs one bridge twice at a time, so a recall has
// one user; only the maps need the lock.
type memory struct {
	mu         sync.Mutex
	bridges    map[types.NamespacedName]*recall
	heartbeats map[types.NamespacedName]heartbeat
}

// hear notes the heartbeat of a Lease that is seen now, and returns when it was heard, and the one before it. A
// heartbeat of which nothing is remembered counts as heard at first.
func (m *memory) hear(bridge types.NamespacedName, lease *coordinationv1.Lease, first, now time.Time) (at, before time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var renewed time.Time
	if lease.Spec.RenewTime != nil {
		renewed = lease.Spec.RenewTime.Time
	}
	known, ok := m.heartbeats[bridge]
	next := known
	switch {
	case !ok:
		next = heartbeat{renewed, first}
	case !known.renewed.Equal(renewed):
		next = heartbeat{renewed, now}
	}
	if m.heartbeats == nil {
		m.heartbeats = map[types.NamespacedName]heartbeat{}
	}
	m.heartbeats[bridge] = next
	return next.heard, known.heard
}

func (m *memory) of(bridge types.NamespacedName) *recall {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bridges == nil {
		m.bridges = map[types.NamespacedName]*recall{}
	}
	r, ok := m.bridges[bridge]
	if !ok {
		r = &recall{}
		m.bridges[bridge] = r
	}
	return r
}

func (m *memory) forget(bridge types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.bridges, bridge)
	delete(m.heartbeats, bridge)
}
