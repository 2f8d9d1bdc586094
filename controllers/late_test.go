// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// lateClient reads a Deployment once as it was; nil reads what is there.
type lateClient struct {
	client.Client
	was *appsv1.Deployment
}

func (c *lateClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if d, ok := object.(*appsv1.Deployment); ok && c.was != nil {
		c.was.DeepCopyInto(d)
		c.was = nil
		return nil
	}
	return c.Client.Get(ctx, key, object, opts...)
}

// The cache may get a Deployment that the operator has just changed while the bridge is being looked at: what the bot of the one
// before says is not taken for the new one's.
func TestADeploymentThatChangesWhileItIsLookedAt(t *testing.T) {
	h := newHarness(t)
	late := &lateClient{Client: h.operator.Client}
	h.operator.Client = late
	h.start()
	h.createBridge("shop")
	request := ctrl.Request{NamespacedName: h.key("shop")}
	h.reconcileUntilQuiet(request)
	report := goodReport(h.clock.Now())
	report.Telegram = v1alpha1.PeerReport{Reason: v1alpha1.ReasonChatNotFound, Message: "no such chat"}
	h.beat("shop", &report)
	stalled := func() bool {
		return meta.IsStatusConditionTrue(h.bridge("shop").Status.Conditions, v1alpha1.ConditionStalled)
	}
	h.eventually("the bridge is Stalled", func() error {
		if _, err := h.operator.Reconcile(h.ctx, request); err != nil || !stalled() {
			return errors.Join(err, errors.New("it is not"))
		}
		return nil
	})
	var was appsv1.Deployment
	h.must(h.operator.Get(h.ctx, h.key("shop-bot"), &was))
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "-1008" })
	h.reconcileUntilQuiet(request)
	if stalled() {
		t.Fatal("the mended spec is Stalled")
	}
	late.was = &was
	if _, err := h.operator.Reconcile(h.ctx, request); err != nil {
		t.Fatal(err)
	}
	if late.was != nil || stalled() {
		t.Error("the mended spec is Stalled by what the bot before says")
	}
}
