// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func TestWhatARotationWillDo(t *testing.T) {
	for name, c := range map[string]struct {
		hmac  v1alpha1.HMACSpec
		jwt   v1alpha1.JWTSpec
		want  string
		yours []string // how each that is the user's begins
	}{
		"everything is generated": {
			v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}}, v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{}},
			"A new HMAC key, a new signing key, a new token will be made.", nil},
		"the HMAC key is generated": {
			v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}}, v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "jwt"}},
			"A new HMAC key will be made.", []string{`The token is yours: put a new one under "jwt" into Secret site.`}},
		"the token is minted": {
			v1alpha1.HMACSpec{SecretRef: &v1alpha1.SecretKeyRef{Name: "hmac", Key: "key"}},
			v1alpha1.JWTSpec{SigningKeySecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "signing-key"}},
			"A new token will be made.", []string{`The HMAC key is yours: put a new value under "key" into Secret hmac`, "The signing key is yours"}},
		"nothing is the operator's": {
			v1alpha1.HMACSpec{SecretRef: &v1alpha1.SecretKeyRef{Name: "hmac", Key: "key"}},
			v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "jwt"}},
			"", []string{"The HMAC key is yours", "The token is yours"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := bridgeOf("shop")
			b.Spec.Credentials.HMAC, b.Spec.Credentials.JWT = c.hmac, c.jwt
			p := planRotation(&b)
			if p.empty() != (c.want == "") || !p.empty() && p.sentence() != c.want {
				t.Errorf("empty %v: %s", p.empty(), p.sentence())
			}
			if len(p.yours) != len(c.yours) {
				t.Fatalf("yours: %q", p.yours)
			}
			for i, begin := range c.yours {
				if !strings.HasPrefix(p.yours[i], begin) {
					t.Errorf("yours: %q, want %q...", p.yours[i], begin)
				}
			}
		})
	}
}

// glance is a bridge at a moment of a rotation that is followed, and what the follower makes of it.
type glance struct {
	hmac    v1alpha1.RotationStatus
	handled bool
	renewed bool // the token
	overdue bool
	says    []string
	state   followState
	waits   string // what it waits for has this in it
}

func phase(phase v1alpha1.RotationPhase, current, next, previous string) v1alpha1.RotationStatus {
	return v1alpha1.RotationStatus{Phase: phase, CurrentKeyID: current, NextKeyID: next, PreviousKeyID: previous, RetireAt: at(time.Hour)}
}

var (
	stableA     = phase(v1alpha1.RotationStable, "aaaa", "", "")
	stagedB     = phase(v1alpha1.RotationStaged, "aaaa", "bbbb", "")
	publishedB  = phase(v1alpha1.RotationPublished, "aaaa", "bbbb", "")
	adoptedB    = phase(v1alpha1.RotationAdopted, "bbbb", "", "aaaa")
	stableB     = phase(v1alpha1.RotationStable, "bbbb", "", "")
	stagedC     = phase(v1alpha1.RotationStaged, "aaaa", "cccc", "bbbb")
	adoptedC    = phase(v1alpha1.RotationAdopted, "cccc", "", "aaaa")
	saysStaged  = "HMAC key: Staged: waiting for the bot to accept key bbbb"
	saysPublish = "HMAC key: Published: waiting for the site to sign with key bbbb"
	saysAdopted = "HMAC key: Adopted: key bbbb is in use; key aaaa is accepted until 2026-11-22T13:00:00Z"
	saysToken   = "token: a new one was made, valid until 2026-11-23T12:00:00Z"
)

func TestARotationIsFollowedToItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		before v1alpha1.RotationStatus
		looks  []glance
	}{
		"phase by phase": {before: stableA, looks: []glance{
			{hmac: stableA, waits: "the operator to notice"},
			{hmac: stagedB, handled: true, says: []string{saysStaged}, waits: "the bot to accept key bbbb"},
			{hmac: stagedB, handled: true, renewed: true, says: []string{saysToken}, waits: "bbbb"},
			{hmac: publishedB, handled: true, renewed: true, says: []string{saysPublish}, waits: "the site to sign with key bbbb"},
			{hmac: publishedB, handled: true, renewed: true, waits: "the site to sign with key bbbb"},
			{hmac: publishedB, handled: true, renewed: true, overdue: true, says: []string{"overdue: The site signs with key 1111aaaa2222bbbb still: have it read Secret shop-site again"}, waits: "bbbb"},
			{hmac: adoptedB, handled: true, renewed: true, says: []string{saysAdopted}, state: followDone},
		}},
		"seen only at its end": {before: stableA, looks: []glance{
			{hmac: stableB, handled: true, renewed: true, says: []string{"HMAC key: Stable: key bbbb is in use", saysToken}, state: followDone},
		}},
		"the token comes last": {before: stableA, looks: []glance{
			{hmac: adoptedB, handled: true, says: []string{saysAdopted}, waits: "token: waiting for a new one"},
			{hmac: adoptedB, handled: true, renewed: true, says: []string{saysToken}, state: followDone},
		}},
		"refused, for another one waits for the site": {before: publishedB, looks: []glance{
			{hmac: publishedB, handled: true, state: followRefused, waits: saysPublish},
		}},
		"refused, and the other one comes to its end meanwhile": {before: publishedB, looks: []glance{
			{hmac: adoptedB, handled: true, state: followRefused},
		}},
		"refused, for the key before is still accepted": {before: adoptedB, looks: []glance{
			{hmac: adoptedB, handled: true, state: followRefused},
		}},
		"begun when the other one had just ended": {before: adoptedB, looks: []glance{
			{hmac: phase(v1alpha1.RotationStaged, "bbbb", "cccc", ""), handled: true, renewed: true,
				says: []string{"HMAC key: Staged: waiting for the bot to accept key cccc", saysToken}, waits: "cccc"},
		}},
		"forced": {before: publishedB, looks: []glance{
			{hmac: stagedC, handled: true, renewed: true, says: []string{"HMAC key: Staged: waiting for the bot to accept key cccc", saysToken}, waits: "cccc"},
			{hmac: adoptedC, handled: true, renewed: true, says: []string{"HMAC key: Adopted: key cccc is in use; key aaaa is accepted until 2026-11-22T13:00:00Z"}, state: followDone},
		}},
		"forced, where there is no room": {before: adoptedB, looks: []glance{
			{hmac: adoptedB, handled: true, state: followRefused},
		}},
		"forced, and seen only at its end": {before: adoptedB, looks: []glance{
			{hmac: adoptedC, handled: true, renewed: true, says: []string{"HMAC key: Adopted: key cccc is in use; key aaaa is accepted until 2026-11-22T13:00:00Z", saysToken}, state: followDone},
		}},
		"forced, and the site adopts the superseded key first": {before: publishedB, looks: []glance{
			{hmac: phase(v1alpha1.RotationPublished, "bbbb", "cccc", "aaaa"), handled: true, renewed: true,
				says: []string{"HMAC key: Published: waiting for the site to sign with key cccc", saysToken}, waits: "cccc"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bridge := func(l glance) *v1alpha1.FeedbackBridge {
				b := bridgeOf("shop")
				b.Spec.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}}
				b.Status.Credentials.HMAC.RotationStatus = l.hmac
				if l.handled {
					b.Status.Credentials.HandledRotateNow = "now"
				}
				if l.renewed {
					b.Status.Credentials.JWT = &v1alpha1.JWTStatus{IssuedAt: at(0), ExpiresAt: at(day)}
				}
				if l.overdue {
					overdue(&b)
				}
				return &b
			}
			before := bridge(glance{hmac: c.before})
			f := &follower{before: before, value: "now", plan: planRotation(before)}
			for i, l := range c.looks {
				says, state := f.look(bridge(l))
				if diff := cmp.Diff(l.says, says); diff != "" || state != l.state || !strings.Contains(f.waitsFor, l.waits) {
					t.Errorf("look %d: state %d, want %d; waits for %q, want %q; says (-want +got):\n%s", i, state, l.state, f.waitsFor, l.waits, diff)
				}
			}
		})
	}
}

func TestARotationOfTwoKeysOfWhichOneRunsAlready(t *testing.T) {
	before := bridgeOf("shop", rotating) // HMAC Published, signing key Adopted
	before.Status.Credentials.JWT.Rotation = &v1alpha1.RotationStatus{Phase: v1alpha1.RotationStable, CurrentKeyID: "key-2"}
	f := &follower{before: &before, value: "now", plan: planRotation(&before)}
	after := *before.DeepCopy()
	after.Status.Credentials.HandledRotateNow = "now"
	after.Status.Credentials.JWT.Rotation = &v1alpha1.RotationStatus{Phase: v1alpha1.RotationAdopted, CurrentKeyID: "key-3", PreviousKeyID: "key-2", RetireAt: at(day)}
	after.Status.Credentials.JWT.IssuedAt, after.Status.Credentials.JWT.ExpiresAt = at(0), at(day)
	says, state := f.look(&after)
	want := []string{"HMAC key: not begun anew, for a rotation runs already",
		"signing key: Adopted: key key-3 is in use; key key-2 is accepted until 2026-11-23T12:00:00Z", saysToken}
	if diff := cmp.Diff(want, says); diff != "" || state != followDone {
		t.Errorf("state %d, says:\n%s", state, diff)
	}
}

// flaky answers with its errors first, then with its bridge.
type flaky struct {
	client.Client
	errors []error
	bridge v1alpha1.FeedbackBridge
}

func (f *flaky) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if len(f.errors) > 0 {
		err := f.errors[0]
		f.errors = f.errors[1:]
		return err
	}
	f.bridge.DeepCopyInto(into.(*v1alpha1.FeedbackBridge))
	return nil
}

// An API server that restarts, or is busy, is waited for; a right that is missing is not.
func TestARotationIsFollowedThroughErrorsThatPass(t *testing.T) {
	before := bridgeOf("shop", rotating)
	before.Status.Credentials.HMAC.RotationStatus, before.Status.Credentials.JWT.Rotation = stableA, nil
	before.Spec.Credentials.JWT = v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "jwt"}}
	after := *before.DeepCopy()
	after.Status.Credentials.HandledRotateNow, after.Status.Credentials.HMAC.RotationStatus = "now", stableB
	for _, c := range []struct {
		err  error
		want string
	}{
		{apierrors.NewServiceUnavailable("etcd is away"), ""},
		{apierrors.NewTooManyRequests("busy", 1), ""},
		{apierrors.NewUnauthorized("who?"), "the cluster does not know you"},
	} {
		var out strings.Builder
		s := &session{client: &flaky{errors: []error{c.err}, bridge: after}, namespace: "support", out: &out,
			now: func() time.Time { return noon }, poll: time.Millisecond}
		err := s.follow(t.Context(), &follower{before: &before, value: "now", plan: planRotation(&before)}, time.Minute)
		if c.want == "" && (err != nil || !strings.HasSuffix(out.String(), "Done.\n")) {
			t.Errorf("%v: %v\n%s", c.err, err, &out)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want ...%s...", c.err, err, c.want)
		}
	}
}
