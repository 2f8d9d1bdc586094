// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// kind is where a bridge has its keys from.
type kind int

const (
	// generated: the operator makes the HMAC key and the signing key pair.
	generated kind = iota
	// owned: a person's Secrets, which change.
	owned
	// plain: a person's Secrets, which never do.
	plain
	kinds
)

func (k kind) String() string { return [...]string{"generated", "owned", "plain"}[k] }

// bridge is a bridge with its bot, its site and the person who looks after it.
type bridge struct {
	world  *world
	name   string
	kind   kind
	bot    *bot
	site   *site
	person *person
}

// newBridge makes one of each kind in turn; every other site has a worker that is late to read its Secret.
func newBridge(w *world, i int, dice *rand.Rand) *bridge {
	b := &bridge{world: w, name: fmt.Sprintf("bridge-%02d", i), kind: kind(i % int(kinds))}
	b.bot = &bot{bridge: b, dice: dice}
	b.site = &site{bridge: b, dice: dice, late: i/int(kinds)%2 == 1}
	b.person = &person{bridge: b}
	return b
}

// create makes the objects, and starts the bot and the site.
func (b *bridge) create(t *testing.T) {
	t.Helper()
	object := &v1alpha1.FeedbackBridge{
		ObjectMeta: metav1.ObjectMeta{Name: b.name, Namespace: namespace},
		Spec: v1alpha1.FeedbackBridgeSpec{
			Site: v1alpha1.SiteSpec{URL: "wss://shop.example/ws/feedback-bot"},
			Credentials: v1alpha1.CredentialsSpec{
				JWT:  v1alpha1.JWTSpec{SigningKeySecretRef: &v1alpha1.SecretKeyRef{Name: b.secretName(), Key: "jwt"}},
				HMAC: v1alpha1.HMACSpec{SecretRef: &v1alpha1.SecretKeyRef{Name: b.secretName(), Key: "hmac"}},
			},
			Telegram: v1alpha1.TelegramSpec{
				TokenSecretRef: v1alpha1.SecretKeyRef{Name: "telegram", Key: "token"}, ChatID: "-1001234567890",
			},
		},
	}
	hmac := &object.Spec.Credentials.HMAC
	hmac.Overlap, hmac.MessageTTL = v1alpha1.Duration(overlap.String()), "5s"
	if b.kind == generated {
		hmac.SecretRef, hmac.Generate = nil, &v1alpha1.GenerateSpec{}
		object.Spec.Credentials.JWT = v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{}, TTL: "1h"}
	} else {
		must(t, b.world.client.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: b.secretName(), Namespace: namespace},
			StringData: map[string]string{"jwt": b.name + " signs", "hmac": b.person.newKey()},
		}))
	}
	must(t, b.world.client.Create(t.Context(), object))
	b.world.spawn(func() { b.live(b.world.ctx) })
	b.world.spawn(func() { b.bot.report(b.world.ctx) })
}

func (b *bridge) secretName() string { return b.name + "-own" }

// object is the bridge as the cache has it.
func (b *bridge) object(ctx context.Context) *v1alpha1.FeedbackBridge {
	var object v1alpha1.FeedbackBridge
	if found, err := b.world.read(ctx, b.name, &object); !found || err != nil {
		return &v1alpha1.FeedbackBridge{}
	}
	return &object
}

// live is the bridge's traffic: the bot and the site read what they are given, each in its own time, and the site sends.
func (b *bridge) live(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			b.bot.load(ctx, now)
			b.site.load(ctx, now)
			b.site.send(now)
			b.site.answer(now)
		}
	}
}
