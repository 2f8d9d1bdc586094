// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	coordinationac "k8s.io/client-go/applyconfigurations/coordination/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	rbacac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// botAppName is the app.kubernetes.io/name of every child.
const botAppName = "feedbackbridge-bot"

// labelsOf are a child's labels: the operator's own, never those of the bridge.
func labelsOf(b *v1alpha1.FeedbackBridge) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       botAppName,
		"app.kubernetes.io/instance":   b.Name,
		"app.kubernetes.io/managed-by": "feedbackbridge-operator",
		v1alpha1.LabelBridge:           b.Name,
	}
}

// keptLabelsOf are the labels of what has no owner because it outlives its bridge. Argo CD may be told to track by the
// instance label: it would prune what has no owner and bears the name of an Application.
func keptLabelsOf(b *v1alpha1.FeedbackBridge) map[string]string {
	labels := labelsOf(b)
	delete(labels, "app.kubernetes.io/instance")
	return labels
}

// selectorOf are the labels that tell a bridge's pods from all others.
func selectorOf(b *v1alpha1.FeedbackBridge) map[string]string {
	return map[string]string{"app.kubernetes.io/name": botAppName, v1alpha1.LabelBridge: b.Name}
}

// ownerOf makes a child go when its bridge goes.
func ownerOf(b *v1alpha1.FeedbackBridge) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).
		WithKind(v1alpha1.Kind).
		WithName(b.Name).
		WithUID(b.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}

func buildServiceAccount(b *v1alpha1.FeedbackBridge) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(labelsOf(b)).
		WithOwnerReferences(ownerOf(b)).
		WithAutomountServiceAccountToken(false)
}

// buildRole allows the bot its own Lease, by name, and nothing else. It may not create it, for RBAC cannot limit that
// by name: the operator does.
func buildRole(b *v1alpha1.FeedbackBridge) *rbacac.RoleApplyConfiguration {
	return rbacac.Role(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(labelsOf(b)).
		WithOwnerReferences(ownerOf(b)).
		WithRules(rbacac.PolicyRule().
			WithAPIGroups("coordination.k8s.io").
			WithResources("leases").
			WithResourceNames(v1alpha1.BotName(b.Name)).
			WithVerbs("get", "patch"))
}

func buildRoleBinding(b *v1alpha1.FeedbackBridge) *rbacac.RoleBindingApplyConfiguration {
	name := v1alpha1.BotName(b.Name)
	return rbacac.RoleBinding(name, b.Namespace).
		WithLabels(labelsOf(b)).
		WithOwnerReferences(ownerOf(b)).
		WithRoleRef(rbacac.RoleRef().WithAPIGroup("rbac.authorization.k8s.io").WithKind("Role").WithName(name)).
		WithSubjects(rbacac.Subject().WithKind("ServiceAccount").WithName(name).WithNamespace(b.Namespace))
}

// buildLease leaves the Lease's spec and report to the bot.
func buildLease(b *v1alpha1.FeedbackBridge) *coordinationac.LeaseApplyConfiguration {
	return coordinationac.Lease(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(labelsOf(b)).
		WithOwnerReferences(ownerOf(b))
}

func labelSelector(b *v1alpha1.FeedbackBridge) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(selectorOf(b))
}
