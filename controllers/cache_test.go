// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The digest of a cached child is that of its desired state while the operator's fields are as it applied them. What
// others add beside them does not change it.
func TestDigestOfACachedChild(t *testing.T) {
	h := newHarness(t)
	b := h.fullBridge("shop")
	b.UID = "0b9c6c9e-6b1c-4c5c-9c0e-2a1f6d1f7a11"
	b.SetDefaults()
	build := func() *appsac.DeploymentApplyConfiguration {
		t.Helper()
		d, err := buildDeployment(b, testImage, "hash")
		h.must(err)
		return d
	}
	apply := func() { h.must(h.client.Apply(h.ctx, build(), fieldOwner, client.ForceOwnership)) }
	text, err := json.Marshal(build())
	h.must(err)
	want := digestOf(text)
	for _, test := range []struct {
		name, patch string
		settled     bool
	}{
		{"nothing", `{}`, true},
		{"an annotation of another's", `{"metadata":{"annotations":{"example.test/a":"b"}}}`, true},
		{"a container of another's", `{"spec":{"template":{"spec":{"containers":[{"name":"sidecar","image":"example.test/s"}]}}}}`, true},
		{"a field that the operator does not set", `{"spec":{"progressDeadlineSeconds":77}}`, true},
		{"a changed value", `{"spec":{"revisionHistoryLimit":9}}`, false},
		{"a changed quantity", `{"spec":{"template":{"spec":{"containers":[{"name":"bot","resources":{"requests":{"cpu":"77m"}}}]}}}}`, false},
		{"a removed label", `{"metadata":{"labels":{"` + v1alpha1.LabelBridge + `":null}}}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			apply()
			var whole appsv1.Deployment
			whole.Namespace, whole.Name = h.namespace, v1alpha1.BotName("shop")
			h.must(h.client.Patch(h.ctx, &whole, client.RawPatch("application/strategic-merge-patch+json", []byte(test.patch))))
			cached := asCached(t, &whole)
			if settled := ownedDigest(cached) == want; settled != test.settled {
				t.Errorf("settled is %v, want %v", settled, test.settled)
			}
			if again := asCached(t, cached); again != cached {
				t.Error("an object that is transformed twice is not what it was")
			}
		})
	}
}

// asCached is an object as it would be in the cache.
func asCached[T client.Object](t *testing.T, whole T) T {
	t.Helper()
	for _, kind := range cachedKinds(nil) {
		if _, same := kind.object.(T); same {
			cached, err := kind.transform(whole)
			if err != nil {
				t.Fatal(err)
			}
			return cached.(T)
		}
	}
	t.Fatalf("%T is not cached", whole)
	return whole
}

// What is cached of a pod is what tells why a bot does not run.
func TestCachedPod(t *testing.T) {
	whole := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop-bot-1", Namespace: "support", Annotations: map[string]string{"example.test/a": "b"},
			Labels: map[string]string{"app.kubernetes.io/name": botAppName, v1alpha1.LabelBridge: "shop", "pod-template-hash": "1"},
		},
		Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "bot", Image: testImage, Command: []string{"bot"}}}},
		Status: corev1.PodStatus{
			Phase:             corev1.PodPending,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady}, {Type: corev1.PodScheduled, Message: "no room"}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "bot", RestartCount: 2, ContainerID: "x"}},
		},
	}
	cached := asCached(t, whole)
	switch {
	case len(cached.Labels) != 2 || cached.Labels[v1alpha1.LabelBridge] != "shop":
		t.Errorf("the labels are %v", cached.Labels)
	case len(cached.Annotations) != 0 || cached.Spec.NodeName != "" || cached.Spec.Containers[0].Command != nil:
		t.Error("more is kept than is read")
	case cached.Spec.Containers[0].Image != testImage || cached.Status.ContainerStatuses[0].RestartCount != 2:
		t.Errorf("the container is %+v, %+v", cached.Spec.Containers[0], cached.Status.ContainerStatuses[0])
	case len(cached.Status.Conditions) != 1 || cached.Status.Conditions[0].Message != "no room":
		t.Errorf("the conditions are %+v", cached.Status.Conditions)
	}
}
