// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// hmacOverlap is how long the key before the current one stays accepted.
const hmacOverlap = 24 * time.Hour

// hmacKeys is what the bot's Secret holds of the HMAC keys.
type hmacKeys struct {
	current, previous []byte
	// rotatedAt is when current replaced another key; zero where it never did.
	rotatedAt time.Time
}

// rollHMAC follows the user's key: a new value becomes current and the value before it previous, which is dropped
// once the overlap is over. Going back to the previous value is a change like any other.
func rollHMAC(have hmacKeys, key []byte, now time.Time) hmacKeys {
	switch {
	case len(have.current) == 0:
		return hmacKeys{current: key}
	case !bytes.Equal(have.current, key):
		return hmacKeys{current: key, previous: have.current, rotatedAt: now.UTC().Truncate(time.Second)}
	default:
		return have.retire(now)
	}
}

// retire drops the previous key once the overlap is over.
func (k hmacKeys) retire(now time.Time) hmacKeys {
	if len(k.previous) > 0 && !now.Before(k.rotatedAt.Add(hmacOverlap)) {
		k.previous = nil
	}
	return k
}

// nextChange is when the previous key is to be dropped; zero where there is none.
func (k hmacKeys) nextChange() time.Time {
	if len(k.previous) == 0 {
		return time.Time{}
	}
	return k.rotatedAt.Add(hmacOverlap)
}

// status is the keys by their ids.
func (k hmacKeys) status() *v1alpha1.HMACStatus {
	if len(k.current) == 0 {
		return nil
	}
	s := &v1alpha1.HMACStatus{RotationStatus: v1alpha1.RotationStatus{CurrentKeyID: v1alpha1.KeyID(k.current)}}
	if len(k.previous) > 0 {
		s.PreviousKeyID = v1alpha1.KeyID(k.previous)
	}
	if !k.rotatedAt.IsZero() {
		s.RotatedAt = new(metav1.NewTime(k.rotatedAt))
	}
	return s
}
