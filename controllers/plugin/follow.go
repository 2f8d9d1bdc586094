// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// followState is where a rotation that is followed stands.
type followState int

const (
	followWaits followState = iota
	followDone
	followRefused
)

// follower follows a rotation by the bridge's status.
type follower struct {
	before *v1alpha1.FeedbackBridge // as it was before the rotation was asked for
	value  string                   // of the annotation
	plan   plan

	handled  bool
	said     map[string]string // the last line about each thing
	waitsFor string            // what it waits for, in words
}

// look compares a bridge with what is known of it. It returns what is new, and whether the rotation has ended.
func (f *follower) look(b *v1alpha1.FeedbackBridge) (news []string, state followState) {
	say := func(about, text string) {
		if f.said == nil {
			f.said = map[string]string{}
		}
		if f.said[about] != text {
			f.said[about] = text
			news = append(news, text)
		}
	}
	if !f.handled {
		f.waitsFor = "it waits for the operator to notice: does it run?"
		if b.Status.Credentials == nil || b.Status.Credentials.HandledRotateNow != f.value {
			return nil, followWaits
		}
		f.handled = true
	}
	var waits, refused []string
	for i, r := range rotationsOf(b) {
		if !r.generated {
			continue
		}
		was := rotationsOf(f.before)[i].status
		text := r.name + ": " + phaseSentence(r)
		if isRefused(was, r.status) {
			refused = append(refused, text)
			if len(f.plan.rotates) > 1 {
				say(r.name, r.name+": not begun anew, for a rotation runs already")
			}
			continue
		}
		say(r.name, text)
		if !isReplaced(was, r.status) {
			waits = append(waits, text)
		}
	}
	if overdue := condition(b, v1alpha1.ConditionRotationOverdue); overdue.Status == metav1.ConditionTrue {
		say(overdue.Type, "overdue: "+line(overdue.Message))
	}
	if f.plan.renewsToken {
		if text := tokenNews(jwtOf(f.before), jwtOf(b)); text != "" {
			say("token", text)
		} else {
			waits = append(waits, "token: waiting for a new one")
		}
	}
	f.waitsFor = strings.Join(append(waits, refused...), "; ")
	switch {
	case len(refused) > 0 && len(refused) == len(f.plan.rotates):
		return news, followRefused
	case len(waits) > 0:
		return news, followWaits
	}
	return news, followDone
}

// isRefused tells a rotation that was not begun, forced or not: one was under way, and no newer key is there since.
func isRefused(was, is v1alpha1.RotationStatus) bool {
	return was.Phase != "" && was.Phase != v1alpha1.RotationStable && newest(is) == newest(was)
}

// newest is the key that was made last.
func newest(r v1alpha1.RotationStatus) string { return cmp.Or(r.NextKeyID, r.CurrentKeyID) }

// isReplaced tells whether a key that was made since is the one in use.
func isReplaced(was, is v1alpha1.RotationStatus) bool {
	return is.CurrentKeyID != was.CurrentKeyID && is.CurrentKeyID != was.NextKeyID &&
		(is.Phase == v1alpha1.RotationAdopted || is.Phase == v1alpha1.RotationStable)
}

// tokenNews says that there is another token than before, or nothing.
func tokenNews(was, is v1alpha1.JWTStatus) string {
	if is.IssuedAt == nil || was.IssuedAt != nil && !is.IssuedAt.After(was.IssuedAt.Time) && is.KeyID == was.KeyID {
		return ""
	}
	text := "token: a new one was made"
	if is.ExpiresAt != nil {
		text += ", valid until " + stamp(is.ExpiresAt)
	}
	return text
}
