// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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
}

// ask is a rotation that was asked for by annotation.
type ask struct {
	value string
	// must is whether nothing stands in its way.
	must bool
	// known are the ids of the HMAC keys that the bridge had before.
	known []string
	// answered is whether the operator has dealt with it, and made is the key that came of it, if one did.
	answered bool
	made     string
}

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
	h := rotationOf(p.bridge.object(ctx))
	id := v1alpha1.KeyID([]byte(newest))
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.CurrentKeyID == id || (h.NextKeyID == id && h.Phase == v1alpha1.RotationPublished) {
		p.site = newest
	}
	return []byte(p.site)
}

// rotationOf is where the HMAC keys of a bridge stand.
func rotationOf(object *v1alpha1.FeedbackBridge) v1alpha1.RotationStatus {
	if c := object.Status.Credentials; c != nil && c.HMAC != nil {
		return c.HMAC.RotationStatus
	}
	return v1alpha1.RotationStatus{}
}

func isStable(r v1alpha1.RotationStatus) bool {
	return r.CurrentKeyID != "" && (r.Phase == v1alpha1.RotationStable || r.Phase == "")
}

// act does one thing, if there is one to do: it starts a rotation, or asks for a second one while the first runs.
func (p *person) act(ctx context.Context, dice *rand.Rand) error {
	object := p.bridge.object(ctx)
	if p.bridge.kind == plain || !p.bridge.bot.runsAlready() {
		return nil
	}
	if p.bridge.kind == generated {
		return p.askFor(ctx, object, dice)
	}
	if r := rotationOf(object); !isStable(r) || r.CurrentKeyID != v1alpha1.KeyID([]byte(p.newest())) {
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
	r := rotationOf(object)
	if waiting || r.CurrentKeyID == "" {
		return nil
	}
	a := ask{value: fmt.Sprintf("%d", n+1), must: isStable(r), known: p.knownKeys(object)}
	if !a.must {
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
// the way of and that was not begun is a failure.
func (p *person) settle(object *v1alpha1.FeedbackBridge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asks) == 0 || object.Status.Credentials == nil {
		return
	}
	a := &p.asks[len(p.asks)-1]
	if a.answered || object.Status.Credentials.HandledRotateNow != a.value {
		return
	}
	a.answered = true
	for _, id := range slotsOf(object) {
		switch {
		case slices.Contains(a.known, id):
		case a.made != "":
			p.bridge.world.fail("%s: two keys were made for rotate-now %q: %s and %s", p.bridge.name, a.value, a.made, id)
		default:
			a.made = id
		}
	}
	if a.must && a.made == "" {
		p.bridge.world.fail("%s: rotate-now %q was dealt with, and no key was made", p.bridge.name, a.value)
	}
}

// knownKeys are the ids of the keys that the bridge has, or had.
func (p *person) knownKeys(object *v1alpha1.FeedbackBridge) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := slotsOf(object)
	for _, a := range p.asks {
		known = append(known, a.known...)
	}
	return known
}

// slotsOf are the ids of the HMAC keys in a bridge's status.
func slotsOf(object *v1alpha1.FeedbackBridge) []string {
	r := rotationOf(object)
	return slices.DeleteFunc([]string{r.CurrentKeyID, r.NextKeyID, r.PreviousKeyID}, func(id string) bool { return id == "" })
}
