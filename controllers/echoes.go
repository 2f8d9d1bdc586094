// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxEchoes bounds what is remembered of events that came before the answer, or never come.
const maxEchoes = 1024

// Echoes are the versions of children that the operator has just applied, which the watch is about to bring back: what it
// owns in them is known, and need not be computed from their managed fields, which costs more than the apply did. All of it
// can be lost. The zero Echoes is ready; nil remembers nothing.
type Echoes struct {
	mu      sync.Mutex
	applied map[types.UID]echo
}

// echo is a version of an object, and the digest of what was applied to make it.
type echo struct{ version, digest string }

// expect notes what the API server answered to an apply.
func (e *Echoes) expect(written client.Object, digest string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.applied == nil || len(e.applied) >= maxEchoes {
		e.applied = map[types.UID]echo{}
	}
	e.applied[written.GetUID()] = echo{written.GetResourceVersion(), digest}
}

// heard returns, once, the digest of what the operator owns in an object that is as it applied it.
func (e *Echoes) heard(object client.Object) (digest string, known bool) {
	if e == nil {
		return "", false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	expected, known := e.applied[object.GetUID()]
	if !known || expected.version != object.GetResourceVersion() {
		return "", false
	}
	delete(e.applied, object.GetUID())
	return expected.digest, true
}
