// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"testing"
)

// A change that changed nothing waits for no sync, and hears nothing of one that failed before.
func TestNothingToSyncIsNoFailure(t *testing.T) {
	broken := errors.New("the disk is away")
	y := newSyncer(func() error { return broken }, func(wake) {})
	y.failures, y.failure = 1, broken
	if err := y.wait(t.Context(), receipt{}); err != nil {
		t.Errorf("nothing was committed: %v", err)
	}
	if err := y.wait(t.Context(), receipt{number: 1}); !errors.Is(err, broken) {
		t.Errorf("a commit that the failed sync may not have saved: %v", err)
	}
}

// What the engine named once keeps its name: the syncer's errors come back to it.
func TestPostgresKnowsItsOwnFault(t *testing.T) {
	e := &postgresEngine{}
	if got := e.fault(fmt.Errorf("%w: dial: refused", ErrUnreachable)); !errors.Is(got, ErrUnreachable) {
		t.Errorf("the fault is %v", got)
	}
}
