// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestTheLastPartEndsAfterAllOthers(t *testing.T) {
	var ended []string
	g := newGroup(t.Context())
	g.startLast("lease", func(ctx context.Context) error {
		<-ctx.Done()
		ended = append(ended, "lease")
		return nil
	})
	g.start("peer", func(ctx context.Context) error {
		<-ctx.Done()
		ended = append(ended, "peer")
		return nil
	})
	boom := errors.New("boom")
	g.start("broken", func(context.Context) error { return boom })
	if err := g.wait(); !errors.Is(err, boom) {
		t.Errorf("error: %v", err)
	}
	if !slices.Equal(ended, []string{"peer", "lease"}) {
		t.Errorf("ended: %v", ended)
	}
}
