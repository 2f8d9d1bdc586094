// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"math/rand/v2"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// A whole rotation, again and again: in the first the requests 1, 26, 51... fail before they take effect, in the second 2,
// 27, 52..., and so on until every one did; then likewise every write after it took effect. The operator ends with each
// failure, and the next one knows nothing of it.
func TestRotationSurvivesEveryFailure(t *testing.T) {
	for name, generates := range map[string]bool{"generated": true, "the user's": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newKeyWorld(t, generates, 1)
			w.create("shop")
			w.begin()
			rotations := 0
			for _, pass := range []struct {
				every int
				after bool
			}{{25, false}, {8, true}} {
				for n := 1; n <= pass.every; n++ {
					w.faults.armEvery(n, pass.every, pass.after, pass.after)
					rotations++
					w.rotate(fmt.Sprint(rotations))
					if len(w.wrong) > 0 || t.Failed() {
						t.Fatalf("with request %d failing, and every %dth after it (writes, after they took effect: %t): %v", n, pass.every, pass.after, w.wrong)
					}
					if !w.faults.hasFired() {
						t.Errorf("a rotation has fewer than %d requests", n)
					}
				}
			}
			w.faults.arm(0, false, false)
			w.expect(rotations)
		})
	}
}

// One request in ten fails, at random: all rotations come to their end, and nothing is there twice.
func TestRotationSurvivesRandomFailures(t *testing.T) {
	for name, generates := range map[string]bool{"generated": true, "the user's": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newKeyWorld(t, generates, 2)
			w.faults.random = rand.New(rand.NewPCG(3, 4))
			w.create("shop")
			w.begin()
			const rotations = 5
			for i := range rotations {
				w.rotate(fmt.Sprint(i))
			}
			w.expect(rotations)
		})
	}
}

// A bridge that is deleted, with all that belongs to it, and made anew has the keys of before, though every single write
// of its making fails once, before or after it takes effect.
func TestABridgeMadeAnewKeepsItsKeys(t *testing.T) {
	w := newKeyWorld(t, true, 5)
	w.create("shop")
	w.begin()
	w.rotate("once")
	before := w.bridge("shop").Status.Credentials
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			w.deleteWithChildren("shop")
			w.loaded = nil
			w.create("shop")
			w.faults.arm(n, true, after)
			w.begin()
			now := w.bridge("shop").Status.Credentials
			if now.HMAC.CurrentKeyID != before.HMAC.CurrentKeyID || now.JWT.KeyID != before.JWT.KeyID || now.JWT.Rotation.CurrentKeyID != before.JWT.KeyID {
				t.Fatalf("with write %d failing (after: %t) the keys are %s and %s, want %s and %s", n, after,
					now.HMAC.CurrentKeyID, now.JWT.KeyID, before.HMAC.CurrentKeyID, before.JWT.KeyID)
			}
			if !w.faults.hasFired() {
				break
			}
		}
	}
	w.faults.arm(0, false, false)
	w.expect(1)
}

// deleteWithChildren deletes a bridge and plays the garbage collector.
func (h *harness) deleteWithChildren(bridge string) {
	h.Helper()
	b := h.bridge(bridge)
	h.must(h.client.Delete(h.ctx, b))
	for kind, child := range ownedKinds() {
		if err := h.get(v1alpha1.BotName(bridge), child); apierrors.IsNotFound(err) {
			continue
		}
		if owner := metav1.GetControllerOf(child); owner == nil || owner.UID != b.UID {
			h.Errorf("%s would stay, for it is controlled by %v", kind, owner)
			continue
		}
		h.must(h.client.Delete(h.ctx, child))
	}
}
