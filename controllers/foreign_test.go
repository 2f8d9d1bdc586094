// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// foreignObjects are a user's own objects of every kind of child but the Secret, with a name of theirs.
func foreignObjects(name string) []client.Object {
	meta := metav1.ObjectMeta{Name: name}
	labels := map[string]string{"app": "mine"}
	return []client.Object{
		&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"mine": "value"}},
		&corev1.ServiceAccount{ObjectMeta: meta},
		&corev1.PersistentVolumeClaim{ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("1Gi")}},
		}},
		&rbacv1.Role{ObjectMeta: meta},
		&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}},
		&networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		}},
		&coordinationv1.Lease{ObjectMeta: meta},
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "mine", Image: testImage}}},
			},
		}},
	}
}

// A user's object that happens to bear a child's name is not taken over.
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	name := v1alpha1.BotName("shop")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"mine": "value"}}
	for what, foreign := range map[string][]client.Object{"the Secret": {secret}, "all the others": foreignObjects(name)} {
		t.Run(what, func(t *testing.T) {
			h := newHarness(t).run()
			h.createSecrets()
			for _, object := range foreign {
				object.SetNamespace(h.namespace)
				h.must(h.client.Create(h.ctx, object))
			}
			h.must(h.client.Create(h.ctx, h.goodBridge("shop")))
			h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed)
			h.condition("shop", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonApplyFailed)
			for _, was := range foreign {
				version := was.GetResourceVersion()
				h.must(h.get(name, was))
				if was.GetResourceVersion() != version {
					t.Errorf("%T was changed: labels %v, owners %v", was, was.GetLabels(), was.GetOwnerReferences())
				}
			}
		})
	}
}

// An object of the operator's whose label was taken away is in no cache, and is taken back all the same.
func TestAChildWithoutItsLabelIsTakenBack(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	var config corev1.ConfigMap
	h.must(h.get("shop-bot", &config))
	patch := `{"metadata":{"labels":{"` + v1alpha1.LabelBridge + `":null}}}`
	h.must(h.client.Patch(h.ctx, &config, client.RawPatch("application/merge-patch+json", []byte(patch))))
	h.eventually("the label is back", func() error {
		var again corev1.ConfigMap
		h.must(h.get("shop-bot", &again))
		if again.Labels[v1alpha1.LabelBridge] != "shop" || again.UID != config.UID {
			return fmt.Errorf("labels %v, uid %s", again.Labels, again.UID)
		}
		return nil
	})
}
