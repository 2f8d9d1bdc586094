// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	policyac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// buildDisruptionBudget has drains evict the pods of a bridge one at a time, so that one is there to take over. It is nil
// where there is one pod, which a drain may always evict. A budget from a time with more of them is left alone: by what
// may be missing, rather than what must be there, it lets the one pod go, too.
func buildDisruptionBudget(b *v1alpha1.FeedbackBridge) *policyac.PodDisruptionBudgetApplyConfiguration {
	if replicas := b.Spec.Runtime.Replicas; replicas == nil || *replicas < 2 {
		return nil
	}
	return policyac.PodDisruptionBudget(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(labelsOf(b)).
		WithOwnerReferences(ownerOf(b)).
		WithSpec(policyac.PodDisruptionBudgetSpec().
			WithSelector(labelSelector(b)).
			WithMaxUnavailable(intstr.FromInt32(1)).
			// Pods that are not ready, of a bot that crashes, hold up no drain.
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow))
}
