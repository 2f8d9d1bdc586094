// SPDX-License-Identifier: Apache-2.0

package health

import (
	"slices"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// unanswered is what AnswerDropped counts under, besides the reasons of FrameRefused.
const unanswered = "unanswered"

// keyUse is when the site signed with a key.
type keyUse struct {
	id    string
	first time.Time
	last  atomic.Int64 // in nanoseconds since 1970
}

// SiteKey says which HMAC key a frame of the site's is signed with, and when it was read. For the key of the frame before
// it costs an atomic store, so it may be called for every frame.
func (t *Tracker) SiteKey(keyID string, at time.Time) {
	if use := t.siteKey.Load(); use != nil && use.id == keyID {
		use.last.Store(at.UnixNano())
		return
	}
	t.change(func(r *v1alpha1.BotReport) (stateChanged bool) {
		if !slices.Contains(r.HMACKeyIDs, keyID) {
			return false // retired meanwhile, or accepted so recently that the next frame will tell
		}
		use := t.uses[keyID]
		if use == nil {
			use, stateChanged = &keyUse{id: keyID, first: at}, true
			t.uses[keyID] = use
		}
		use.last.Store(at.UnixNano())
		t.siteKey.Store(use)
		r.SiteKeyID = keyID
		return stateChanged
	})
}

// forget drops the uses of keys that are accepted no more: one that comes back is used for the first time again.
func (t *Tracker) forget(accepted []string) {
	for id, use := range t.uses {
		if !slices.Contains(accepted, id) {
			delete(t.uses, id)
			t.siteKey.CompareAndSwap(use, nil)
		}
	}
}

// keysUsed are the uses of the keys that are accepted, in their order.
func (t *Tracker) keysUsed() (used []v1alpha1.KeyUse) {
	for _, id := range t.report.HMACKeyIDs {
		if use := t.uses[id]; use != nil {
			used = append(used, v1alpha1.KeyUse{
				ID: id, First: metav1.NewTime(use.first), Last: metav1.NewTime(time.Unix(0, use.last.Load())),
			})
		}
	}
	return used
}

// FrameAccepted says that a frame of the site's was taken: what was refused before is over. It costs an atomic load while
// nothing is refused.
func (t *Tracker) FrameAccepted() {
	if !t.refusing.Load() {
		return
	}
	t.change(func(r *v1alpha1.BotReport) bool {
		was := r.Refusing != nil
		r.Refusing = nil
		t.refusing.Store(false)
		return was
	})
}

// FrameRefused counts a refused frame by its reason. clockOffset is how many seconds its time was ahead of the bot's
// clock, where that is the reason.
func (t *Tracker) FrameRefused(reason string, clockOffset int64) {
	t.change(func(r *v1alpha1.BotReport) bool {
		r.FramesRefused[reason]++
		began := r.Refusing == nil
		if began {
			r.Refusing = &v1alpha1.RefusalReport{Since: metav1.NewTime(t.now())}
			t.refusing.Store(true)
		}
		r.Refusing.Reason, r.Refusing.ClockOffsetSeconds = reason, clockOffset
		r.Refusing.Count++
		return began
	})
}

// AnswerDropped counts an answer that was dropped because the site leaves its answers unread.
func (t *Tracker) AnswerDropped() {
	t.change(func(r *v1alpha1.BotReport) bool { r.FramesRefused[unanswered]++; return false })
}
