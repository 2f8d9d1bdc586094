// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// laggingCache has a bridge as it was.
type laggingCache struct {
	client.Client
	was *v1alpha1.FeedbackBridge
}

func (c laggingCache) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if b, ok := object.(*v1alpha1.FeedbackBridge); ok {
		c.was.DeepCopyInto(b)
		return nil
	}
	return c.Client.Get(ctx, key, object, options...)
}

// A leader that was paused, and whose cache has the rotate-now value before the last, makes no key of it: the value was acted
// on, and so was the one after it.
func TestAnOldRotateNowIsNotActedOnAgain(t *testing.T) {
	h := newHarness(t)
	h.createSecrets()
	h.must(h.client.Create(h.ctx, h.generatedBridge("shop")))
	h.start()
	request := ctrl.Request{NamespacedName: h.key("shop")}
	h.reconcileUntilQuiet(request)
	ask := func(value string) *v1alpha1.FeedbackBridge {
		h.annotate("shop", v1alpha1.AnnotationRotateNow, value)
		h.eventually("rotate-now "+value+" was dealt with", func() error {
			if _, err := h.operator.Reconcile(h.ctx, request); err != nil {
				return err
			}
			if got := h.bridge("shop").Status.Credentials.HandledRotateNow; got != value {
				return fmt.Errorf("the last one is %q", got)
			}
			return nil
		})
		h.reconcileUntilQuiet(request)
		return h.bridge("shop")
	}
	was := ask("1")
	ask("2")
	versions := func() (all []string) {
		for _, name := range []string{v1alpha1.SigningSecretName("shop"), v1alpha1.BotName("shop")} {
			var secret corev1.Secret
			h.must(h.get(name, &secret))
			all = append(all, secret.ResourceVersion)
		}
		return all
	}
	before := fmt.Sprint(versions())
	paused := &Reconciler{
		Client: laggingCache{h.operator.Client, was}, Live: h.operator.Live, Recorder: h.operator.Recorder, BotImage: testImage,
		APIServerPorts: DefaultAPIServerPorts, Now: h.clock.Now,
	}
	if _, err := paused.Reconcile(h.ctx, request); err == nil || !isPassing(err) {
		t.Errorf("the paused leader ends with %v, want a conflict that passes", err)
	}
	if after := fmt.Sprint(versions()); after != before {
		t.Errorf("the Secrets' versions were %s, and are %s", before, after)
	}
}
