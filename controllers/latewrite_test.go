// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// A write of made-up keys that was decided on when there were none, and reaches the API server when there are, is refused:
// by a leader that was paused, or by a network that holds things up. The keys that are there may be in use.
func TestLateWritesOfFirstKeys(t *testing.T) {
	h := newHarness(t)
	h.createSecrets()
	bridge := h.generatedBridge("shop")
	h.must(h.client.Create(h.ctx, bridge))
	write := func(key string) *corev1ac.SecretApplyConfiguration {
		return buildSecret(bridge, held{hmac: someKeys(key, "", "", rotation{})})
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
}
