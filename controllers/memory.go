// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// recall is what the operator remembers of one bridge between reconciles. All of it can be lost: a restart costs some
// reads, and at most one write of counters before their turn.
type recall struct {
	// inputs is what creds were computed from; empty where nothing is remembered.
	inputs string
	// creds are the outcome, without what the bot's Secret holds.
	creds credentials
	// countersAt is when the status was last written.
	countersAt time.Time
}

// memory is what is remembered of all bridges. The work queue never runs one bridge twice at a time, so an entry has
// one user; only the map needs the lock.
type memory struct {
	mu      sync.Mutex
	bridges map[types.NamespacedName]*recall
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
}
