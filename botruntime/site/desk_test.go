// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// meets waits until the desk was told so many times whether replies reach the site, and returns what.
func (r *rig) meets(desk *testDesk, n int) (met []bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Minute)
	defer cancel()
	for len(met) < n && ctx.Err() == nil {
		desk.see(func() { met = slices.Clone(desk.met) })
		time.Sleep(time.Second) // of the bubble's time
	}
	return met
}

// The desk knows with each connection whether replies reach the site: where it goes back to version 1, they don't.
func TestTheDeskKnowsWhetherRepliesReachTheSite(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		if met := r.meets(desk, 1); !slices.Equal(met, []bool{true}) {
			t.Errorf("by version 2: %v", met)
		}
		r.must(r.site.SetProtocol(simsite.ProtocolV1))
		r.site.Drop()
		if met := r.meets(desk, 2); !slices.Equal(met, []bool{true, false}) {
			t.Errorf("by version 1: %v", met)
		}
	})
	bubbleV2(t, func(site *simsite.Config, _ *Config) { site.Capabilities = []string{wire.CapabilityStatuses} }, func(r *rig, desk *testDesk) {
		if met := r.meets(desk, 1); !slices.Equal(met, []bool{false}) {
			t.Errorf("a site that takes none: %v", met)
		}
	})
}
