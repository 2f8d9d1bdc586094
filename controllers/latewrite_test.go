// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// A write of made-up keys that was decided on when there were none, and reaches the API server when there are, is refused:
// by a leader that was paused, or by a network that holds things up. The keys that are there may be in use.
func TestLateWritesOfFirstKeys(t *testing.T) {
	h := newHarness(t)
	h.createSecrets()
	bridge := h.generatedBridge("shop")
	h.must(h.client.Create(h.ctx, bridge))
	write := func(key string) secretWrite {
		hold := held{hmac: someKeys(key, "", "", rotation{})}
		return secretWrite{desired: buildSecret(bridge, hold), random: true}
	}
	if written, err := h.operator.storeSecret(h.ctx, "shop", nil, write("one key")); err != nil || written == nil {
		t.Fatalf("the first write: wrote %v, %v", written, err)
	}
	_, err := h.operator.storeSecret(h.ctx, "shop", nil, write("another key"))
	if !apierrors.IsConflict(err) || !isPassing(err) {
		t.Errorf("the late write ends with %v, want a conflict that passes", err)
	}
	if got := string(h.held("shop").Data[v1alpha1.FileHMACCurrent]); got != "one key" {
		t.Errorf("the bot has the key %q", got)
	}

	// What was claimed and not filled, for the operator ended in between, is filled by the next one.
	other := h.generatedBridge("other")
	h.must(h.client.Create(h.ctx, other))
	desired := buildSecret(other, held{hmac: someKeys("a key", "", "", rotation{})})
	claimed, err := h.operator.claimSecret(h.ctx, desired)
	h.must(err)
	if len(claimed.Data) > 0 || len(claimed.OwnerReferences) != 1 || !isOfBridge(claimed, "other") {
		t.Errorf("the claim is %+v", claimed)
	}
	if written, err := h.operator.storeSecret(h.ctx, "other", claimed, secretWrite{desired: desired, random: true}); err != nil || written == nil {
		t.Errorf("filling the claim: wrote %v, %v", written, err)
	}
	state, err := storedIn(h.held("other"), "other")
	h.must(err)
	if string(state.data[v1alpha1.FileHMACCurrent]) != "a key" {
		t.Errorf("what is read back is %v", state.data)
	}
}
