// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// healthy is after how long a lost connection is dialled again at once; a shorter one costs a back-off.
	healthy = 61 * time.Second
	// earlyEnds is how many connections of a bridge end before that: the back-off after so few is short.
	earlyEnds = 3
)

// achieved counts the rotations of a bridge.
type achieved struct {
	// hmac and jwt were adopted by the site; superseded are those of the HMAC key that a site that stays never took.
	hmac, jwt, superseded atomic.Int64
	// ends counts the connections that the site ended, and overdue whether the object once said that the site is late.
	ends    atomic.Int64
	overdue atomic.Bool
}

// enough is whether a bridge has shown what its kind can.
func (b *bridge) enough() bool {
	if b.kind == stays {
		return b.rotated.superseded.Load() >= 1 && b.rotated.overdue.Load() && b.rotated.ends.Load() >= 1
	}
	return b.rotated.hmac.Load() >= 1 && b.rotated.jwt.Load() >= 1
}

// rotate rotates the keys of all bridges, under traffic, until there were so many rotations.
func (w *world) rotate(parent context.Context, t *testing.T, rotations int64) {
	t.Helper()
	for _, b := range w.bridges {
		b.startTraffic(w.ctx) //nolint:contextcheck // the traffic goes on until it is settled
	}
	ctx, stop := context.WithCancel(parent)
	var drivers sync.WaitGroup
	for _, b := range w.bridges {
		drivers.Go(func() { b.rotateHMAC(ctx) })
		drivers.Go(func() { b.rotateJWT(ctx) })
		drivers.Go(func() { b.endConnections(ctx) })
	}
	defer func() { stop(); drivers.Wait() }()
	began, said := time.Now(), time.Now()
	if !until(ctx, func() bool {
		done, enough := w.progress()
		if time.Since(said) >= 30*time.Second {
			said = time.Now()
			t.Logf("%d rotations after %v", done, time.Since(began).Round(time.Second))
		}
		return done >= rotations && enough || len(w.done.failed()) > 0
	}) {
		t.Error("the rotations did not come to an end in time")
		for _, b := range w.bridges {
			hmac, jwt := b.credentials()
			t.Logf("%s: %s\nhmac %+v\njwt %+v", b, b.achievements(), hmac, jwt)
		}
	}
}

// progress is how many rotations were made, and whether each bridge has shown what its kind can.
func (w *world) progress() (done int64, enough bool) {
	enough = true
	for _, b := range w.bridges {
		done += b.rotated.hmac.Load() + b.rotated.jwt.Load()
		enough = enough && b.enough()
	}
	return done, enough
}

// rotateHMAC rotates the HMAC key as soon as the rotation before is over, or, where the site stays, as soon as another one
// can supersede it.
func (b *bridge) rotateHMAC(ctx context.Context) {
	dice := b.dice("person")
	for number := 1; ; number++ {
		if !until(ctx, func() bool {
			hmac, _ := b.credentials()
			return hmac.Phase == v1alpha1.RotationStable || b.kind == stays && hmac.Phase == v1alpha1.RotationPublished && hmac.PreviousKeyID == ""
		}) || !pause(ctx, between(dice, 0, 300*time.Millisecond)) {
			return
		}
		was, _ := b.credentials()
		if err := b.askForHMAC(ctx, number); err != nil {
			if ctx.Err() == nil {
				b.w.done.fail("%s: ask for a rotation: %v", b, err)
			}
			return
		}
		if b.kind == stays {
			b.supersede(ctx, was.NextKeyID)
			continue
		}
		if until(ctx, func() bool { hmac, _ := b.credentials(); return hmac.CurrentKeyID != was.CurrentKeyID }) {
			b.rotated.hmac.Add(1)
		}
	}
}

// supersede waits until a site that stays has been offered another key, and holds the rotation up.
func (b *bridge) supersede(ctx context.Context, offered string) {
	if until(ctx, func() bool {
		hmac, _ := b.credentials()
		return hmac.NextKeyID != offered && hmac.Phase == v1alpha1.RotationPublished
	}) {
		b.rotated.superseded.Add(1)
	}
	if !b.rotated.overdue.Load() && until(ctx, b.overdue) {
		b.rotated.overdue.Store(true)
	}
}

func (b *bridge) askForHMAC(ctx context.Context, number int) error {
	switch {
	case b.keys == own:
		return b.change(ctx, ownHMAC, randomText())
	case b.kind == stays:
		return b.annotate(ctx, fmt.Sprint(v1alpha1.RotateForce, "-", number))
	default:
		return b.annotate(ctx, fmt.Sprint("rotation-", number))
	}
}

// rotateJWT counts the rotations of generated signing keys, which rotateHMAC asks for too, and changes the user's own, unless
// the site stays: without the user's old key no token can be minted that it accepts.
func (b *bridge) rotateJWT(ctx context.Context) {
	if b.kind == stays {
		return
	}
	dice := b.dice("signer")
	var was string
	if !until(ctx, func() bool { was = b.acceptedKey(); return was != "" }) {
		return
	}
	for {
		if b.keys == own && (!pause(ctx, between(dice, time.Second, 3*time.Second)) || !b.changeSigningKey(ctx)) {
			return
		}
		if !until(ctx, func() bool { return b.acceptedKey() != was }) {
			return
		}
		was = b.acceptedKey()
		b.rotated.jwt.Add(1)
	}
}

// acceptedKey is the signing key whose rotation is over as far as the site is concerned: the current one of those that are
// generated, or the one of the token that the site accepted.
func (b *bridge) acceptedKey() string {
	_, jwt := b.credentials()
	if b.keys == generated {
		if jwt.Rotation == nil {
			return ""
		}
		return jwt.Rotation.CurrentKeyID
	}
	return b.report().JWTKeyID
}

func (b *bridge) changeSigningKey(ctx context.Context) bool {
	key, err := b.newSigningKey()
	if err == nil {
		err = b.change(ctx, ownSigning, key)
	}
	if err != nil && ctx.Err() == nil {
		b.w.done.fail("%s: change the signing key: %v", b, err)
	}
	return err == nil
}

// endConnections ends the connection now and then: of a site that stays just so, of others when the bot has a token by
// another key, which the next dial shows.
func (b *bridge) endConnections(ctx context.Context) {
	dice := b.dice("connection")
	for {
		if !until(ctx, func() bool {
			_, jwt := b.credentials()
			waiting := b.kind == stays || jwt.KeyID != "" && jwt.KeyID != b.report().JWTKeyID
			return waiting && (b.rotated.ends.Load() < earlyEnds || b.site.open() > healthy)
		}) || !pause(ctx, between(dice, time.Second, 6*time.Second)) {
			return
		}
		b.site.hangUp(dice)
		b.rotated.ends.Add(1)
		if !pause(ctx, 2*time.Second) { // until the bot is back
			return
		}
	}
}
