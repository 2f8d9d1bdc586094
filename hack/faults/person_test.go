// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// person looks after one bridge: asks for rotations, or changes the bridge's own key.
type person struct {
	bridge *bridge

	mu sync.Mutex
	// keys are the values that the bridge's own Secret had, the newest last.
	keys []string
	// site is the value that the person has given to the site.
	site string
	asks []ask
	// known are the ids of the keys that the bridge has, or had, of each sort.
	known [sorts]map[string]bool
}

// ask is a rotation that was asked for by annotation.
type ask struct {
	value string
	// answered is whether the operator has dealt with it.
	answered bool
	// of is what it means for each sort of keys.
	of [sorts]struct {
		// must is whether nothing stands in its way.
		must bool
		// made is the key that came of it, if one did.
		made string
	}
}

// sort is what a key is for.
type sort int

const (
	hmacKey sort = iota
	signingKey
	sorts
)

// newKey is a value that the bridge's Secret never had.
func (p *person) newKey() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, fmt.Sprintf("%s's key %d", p.bridge.name, len(p.keys)+1))
	return p.keys[len(p.keys)-1]
}

func (p *person) newest() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[len(p.keys)-1]
}

// published is the key that the site has been given: the newest one as soon as the bridge's status says that the bot
// accepts it.
func (p *person) published(ctx context.Context) []byte {
	newest := p.newest()
	h := rotationsOf(p.bridge.object(ctx))[hmacKey]
	id := v1alpha1.KeyID([]byte(newest))
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.CurrentKeyID == id || (h.NextKeyID == id && h.Phase == v1alpha1.RotationPublished) {
		p.site = newest
	}
	return []byte(p.site)
}

// rotationsOf is where the keys of a bridge stand.
func rotationsOf(object *v1alpha1.FeedbackBridge) (r [sorts]v1alpha1.RotationStatus) {
	c := object.Status.Credentials
	if c != nil && c.HMAC != nil {
		r[hmacKey] = c.HMAC.RotationStatus
	}
	if c != nil && c.JWT != nil && c.JWT.Rotation != nil {
		r[signingKey] = *c.JWT.Rotation
	}
	return r
}

func isStable(r v1alpha1.RotationStatus) bool {
	return r.CurrentKeyID != "" && (r.Phase == v1alpha1.RotationStable || r.Phase == "")
}

// act does one thing, if there is one to do: it starts a rotation, or asks for a second one while the first runs.
func (p *person) act(ctx context.Context, dice *rand.Rand) error {
	object := p.bridge.object(ctx)
	switch {
	case !p.bridge.bot.runsAlready():
		return nil
	case p.bridge.kind == generated:
		return p.askFor(ctx, object, dice)
	case p.bridge.kind == owned:
		return p.changeKey(ctx, object, dice)
	default:
		return nil
	}
}

// changeKey stores another key in the bridge's own Secret, once the one before is all that is in use.
func (p *person) changeKey(ctx context.Context, object *v1alpha1.FeedbackBridge, dice *rand.Rand) error {
	if r := rotationsOf(object)[hmacKey]; !isStable(r) || r.CurrentKeyID != v1alpha1.KeyID([]byte(p.newest())) {
		return nil
	}
	changes := 1
	if dice.IntN(4) == 0 {
		changes = 2 // a correction, before the operator has even seen the first one, or after
	}
	for range changes {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: p.bridge.secretName(), Namespace: namespace}}
		key := p.newKey()
		if err := p.bridge.world.change(ctx, secret, func() { secret.Data["hmac"] = []byte(key) }); err != nil {
			return err
		}
		wait(ctx, time.Duration(dice.Int64N(int64(time.Second))))
	}
	return nil
}

// askFor sets the rotate-now annotation, once the one before has been dealt with.
func (p *person) askFor(ctx context.Context, object *v1alpha1.FeedbackBridge, dice *rand.Rand) error {
	p.settle(object)
	p.mu.Lock()
	n := len(p.asks)
	waiting := n > 0 && !p.asks[n-1].answered
	p.mu.Unlock()
	now := rotationsOf(object)
	if waiting || now[hmacKey].CurrentKeyID == "" || now[signingKey].CurrentKeyID == "" {
		return nil
	}
	a := ask{value: fmt.Sprintf("%d", n+1)}
	for sort, r := range now {
		a.of[sort].must = isStable(r)
	}
	if !a.of[hmacKey].must {
		switch dice.IntN(4) {
		case 0:
		case 1:
			a.value = v1alpha1.RotateForce + a.value
		default:
			return nil
		}
	}
	p.mu.Lock()
	p.asks = append(p.asks, a)
	p.mu.Unlock()
	target := &v1alpha1.FeedbackBridge{ObjectMeta: metav1.ObjectMeta{Name: p.bridge.name, Namespace: namespace}}
	return p.bridge.world.change(ctx, target, func() {
		if target.Annotations == nil {
			target.Annotations = map[string]string{}
		}
		target.Annotations[v1alpha1.AnnotationRotateNow] = a.value
	})
}

// settle notes what came of the last ask, once the status says that it was dealt with. A rotation that nothing stood in
// the way of and that was not begun is a failure, and so are two keys for one ask.
func (p *person) settle(object *v1alpha1.FeedbackBridge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := rotationsOf(object)
	if len(p.asks) == 0 {
		for sort, r := range now {
			p.note(sort, r)
		}
		return
	}
	a := &p.asks[len(p.asks)-1]
	if a.answered || object.Status.Credentials == nil || object.Status.Credentials.HandledRotateNow != a.value {
		return
	}
	a.answered = true
	for sort, r := range now {
		made := p.note(sort, r)
		switch of := &a.of[sort]; {
		case len(made) > 1:
			p.bridge.world.fail("%s: several keys were made for rotate-now %q: %v", p.bridge.name, a.value, made)
		case len(made) == 1:
			of.made = made[0]
		case of.must:
			p.bridge.world.fail("%s: rotate-now %q was dealt with, and no key was made", p.bridge.name, a.value)
		}
	}
}

// note remembers the keys of a status, and returns those that were not known.
func (p *person) note(sort int, r v1alpha1.RotationStatus) []string {
	if p.known[sort] == nil {
		p.known[sort] = map[string]bool{}
	}
	var fresh []string
	for _, id := range []string{r.CurrentKeyID, r.NextKeyID, r.PreviousKeyID} {
		if id != "" && !p.known[sort][id] {
			p.known[sort][id] = true
			fresh = append(fresh, id)
		}
	}
	return fresh
}

// made is how many keys came of what was asked for.
func (p *person) made(sort sort) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, a := range p.asks {
		if a.of[sort].made != "" {
			n++
		}
	}
	return n
}
