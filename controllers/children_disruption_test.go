// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// budgetAllows is whether a bridge's budget is there, selects the pods of its Deployment and lets one of them go.
func (h *harness) budgetAllows(bridge string) error {
	var budget policyv1.PodDisruptionBudget
	var d appsv1.Deployment
	if err := errors.Join(h.get(v1alpha1.BotName(bridge), &budget), h.get(v1alpha1.BotName(bridge), &d)); err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
	if err != nil {
		return err
	}
	if s := budget.Spec; s.MaxUnavailable == nil || s.MaxUnavailable.IntValue() != 1 || s.MinAvailable != nil ||
		!selector.Matches(labels.Set(d.Spec.Template.Labels)) {
		return fmt.Errorf("it is %+v", s)
	}
	return nil
}

// Several pods have a budget, which goes with their bridge and comes back when it was changed or deleted; one pod has none.
func TestSeveralPodsHaveADisruptionBudget(t *testing.T) {
	h := newHarness(t).run()
	h.createSecrets()
	h.createSecret("database", map[string]string{"dsn": "postgres://bot:pw@db.example/feedback"})
	bridge := h.postgresBridge("shop", 2)
	h.must(h.client.Create(h.ctx, bridge))
	h.must(h.client.Create(h.ctx, h.postgresBridge("alone", 1)))
	h.must(h.client.Create(h.ctx, h.goodBridge("volume")))
	for _, name := range []string{"shop", "alone", "volume"} {
		h.settle(name)
	}
	h.must(h.budgetAllows("shop"))
	var budget policyv1.PodDisruptionBudget
	h.must(h.get("shop-bot", &budget))
	if owner := metav1.GetControllerOf(&budget); owner == nil || owner.UID != bridge.UID {
		t.Errorf("it is controlled by %+v, want the bridge", owner)
	}
	if diff := cmp.Diff(labelsOf(bridge), budget.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	for _, name := range []string{"alone-bot", "volume-bot"} {
		if err := h.get(name, &policyv1.PodDisruptionBudget{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s, of which there is one, has a budget: %v", name, err)
		}
	}
	h.must(h.client.Patch(h.ctx, &budget, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"maxUnavailable":0}}`)),
		client.FieldOwner("someone-else")))
	h.eventually("a change is reverted", func() error { return h.budgetAllows("shop") })
	h.must(h.client.Delete(h.ctx, &budget))
	h.eventually("it is made again", func() error { return h.budgetAllows("shop") })
}

// What is left of a time with several pods is not written any more, and lets the one that is left go.
func TestTheBudgetOfFewerPodsHoldsNobodyUp(t *testing.T) {
	h := newHarness(t).run()
	h.createSecrets()
	h.createSecret("database", map[string]string{"dsn": "postgres://bot:pw@db.example/feedback"})
	h.must(h.client.Create(h.ctx, h.postgresBridge("shop", 2)))
	h.settle("shop")
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.Replicas = new(int32(1)) })
	h.eventually("one pod is left", func() error { return h.deploymentIs("shop", "RollingUpdate", 1, true) })
	h.settle("shop")
	h.must(h.budgetAllows("shop"))
	writes := 0
	for _, w := range h.server.writes(t, h.namespace) {
		if w.resource == "poddisruptionbudgets" {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("%d writes of the budget, want the one that made it", writes)
	}
}
