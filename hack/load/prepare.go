// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// adminParallel is how many requests people, kubelets and bots have under way together.
const adminParallel = 16

// The keys of a bridge's Secret.
const (
	keyToken = "token"
	keyJWT   = "jwt"
	keyHMAC  = "hmac"
)

// bridge is one bridge of the load.
type bridge struct {
	namespace, name string
	uid             types.UID
}

func (b *bridge) bot() client.ObjectKey {
	return client.ObjectKey{Namespace: b.namespace, Name: v1alpha1.BotName(b.name)}
}

func (b *bridge) hmacKey() string { return "obviously not the HMAC key of " + b.name }

// nameBridges names bridges over namespaces. All names have the same length, so that all objects have the same size.
func nameBridges(count, namespaces int) []*bridge {
	out := make([]*bridge, count)
	for i := range out {
		out[i] = &bridge{namespace: fmt.Sprintf("load-%05d", i%namespaces), name: fmt.Sprintf("bridge-%05d", i)}
	}
	return out
}

// each calls do for every index below n, some at a time, and ends at the first error.
func each(ctx context.Context, n, parallel int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// create makes the bridges and all that there is before the operator starts.
func create(ctx context.Context, p *plane, bridges []*bridge, others int) error {
	err := each(ctx, len(bridges), adminParallel, func(ctx context.Context, i int) error {
		b := bridges[i]
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}
		if err := p.admin.Create(ctx, ns); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		secrets := map[string]map[string]string{
			b.name + "-telegram": {keyToken: "123456:TEST-TOKEN"},
			b.name + "-site":     {keyJWT: "obviously not a signing key, and long enough", keyHMAC: b.hmacKey()},
		}
		for name, data := range secrets {
			meta := metav1.ObjectMeta{Namespace: b.namespace, Name: name}
			if err := p.admin.Create(ctx, &corev1.Secret{ObjectMeta: meta, StringData: data}); err != nil {
				return err
			}
		}
		object := b.object()
		if err := p.admin.Create(ctx, object); err != nil {
			return err
		}
		b.uid = object.UID
		return nil
	})
	return errors.Join(err, createOthers(ctx, p, bridges, others))
}

func (b *bridge) object() *v1alpha1.FeedbackBridge {
	site := func(key string) *v1alpha1.SecretKeyRef {
		return &v1alpha1.SecretKeyRef{Name: b.name + "-site", Key: key}
	}
	return &v1alpha1.FeedbackBridge{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: b.name},
		Spec: v1alpha1.FeedbackBridgeSpec{
			Site: v1alpha1.SiteSpec{
				URL:      "wss://" + b.name + ".example/ws/feedback-bot",
				AdminURL: "https://" + b.name + ".example/admin/portal/feedback/",
			},
			Credentials: v1alpha1.CredentialsSpec{
				JWT:  v1alpha1.JWTSpec{SigningKeySecretRef: site(keyJWT)},
				HMAC: v1alpha1.HMACSpec{SecretRef: site(keyHMAC)},
			},
			Telegram: v1alpha1.TelegramSpec{
				TokenSecretRef: v1alpha1.SecretKeyRef{Name: b.name + "-telegram", Key: keyToken},
				ChatID:         "-1001234567890",
			},
		},
	}
}

// createOthers makes Secrets that no bridge refers to, as any cluster has: every second one is a release of Helm.
func createOthers(ctx context.Context, p *plane, bridges []*bridge, count int) error {
	return each(ctx, count, adminParallel, func(ctx context.Context, i int) error {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: bridges[i%len(bridges)].namespace, Name: fmt.Sprintf("other-%05d", i)},
			StringData: map[string]string{"password": "obviously not a password"},
		}
		if i%2 == 0 {
			secret.Type = "helm.sh/release.v1"
			secret.Labels = map[string]string{"name": "other", "owner": "helm", "status": "deployed", "version": "1"}
		}
		return p.admin.Create(ctx, secret)
	})
}
