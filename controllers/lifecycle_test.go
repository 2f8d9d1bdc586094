// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// ownedKinds are the children that go with their bridge.
func ownedKinds() map[string]client.Object {
	return map[string]client.Object{
		"ServiceAccount": &corev1.ServiceAccount{}, "Secret": &corev1.Secret{}, "ConfigMap": &corev1.ConfigMap{},
		"Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{}, "Lease": &coordinationv1.Lease{},
		"Deployment": &appsv1.Deployment{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
	}
}

// A bridge has every child, by one name; all go with it but the volume claim.
func TestCreateMakesEveryChild(t *testing.T) {
	h := newHarness(t).run()
	bridge := h.createBridge("shop")
	h.condition("shop", v1alpha1.ConditionCredentialsReady, metav1.ConditionTrue, v1alpha1.ReasonCredentialsReady)
	for kind, child := range ownedKinds() {
		h.eventually(kind+" exists", func() error { return h.get("shop-bot", child) })
		owner := metav1.GetControllerOf(child)
		if owner == nil || owner.UID != bridge.UID || owner.Kind != "FeedbackBridge" {
			t.Errorf("%s is controlled by %+v, want the bridge", kind, owner)
		}
		if diff := cmp.Diff(labelsOf(bridge), child.GetLabels()); diff != "" {
			t.Errorf("%s has labels (-want +got):\n%s", kind, diff)
		}
	}
	var pvc corev1.PersistentVolumeClaim
	h.must(h.get("shop-bot", &pvc))
	if len(pvc.OwnerReferences) != 0 || pvc.Labels[v1alpha1.LabelBridge] != "shop" {
		t.Errorf("the volume claim has owners %v and labels %v: it should have no owner and the bridge's label", pvc.OwnerReferences, pvc.Labels)
	}
	c := h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWorkloadUnavailable)
	if c.Message == "" {
		t.Error("a bridge that is not Ready does not say why")
	}
	if !meta.IsStatusConditionTrue(h.bridge("shop").Status.Conditions, v1alpha1.ConditionReconciling) {
		t.Error("a bot that is starting is not Reconciling")
	}
}

// The API server itself, which enforces Pod Security "restricted" in the namespace, accepts the bot's pod.
func TestPodPassesRestrictedPodSecurity(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	var d appsv1.Deployment
	h.eventually("the Deployment exists", func() error { return h.get("shop-bot", &d) })
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "probe", Namespace: h.namespace, Labels: d.Spec.Template.Labels},
		Spec:       d.Spec.Template.Spec,
	}
	if err := h.client.Create(h.ctx, pod.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("the pod is refused: %v", err)
	}
	pod.Spec.SecurityContext = nil
	if err := h.client.Create(h.ctx, pod, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("Pod Security is not enforced here: a pod without a security context gives %v", err)
	}
}

// A changed spec rolls the bot; a change that does not concern its work or its pod does not.
func TestSpecChangeRollsTheBot(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	var before, after appsv1.Deployment
	h.must(h.get("shop-bot", &before))

	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.JWT.Issuer = "operator" })
	h.eventually("the change is observed", h.observed("shop"))
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.Language = v1alpha1.LanguageEnglish })
	h.eventually("the pod template changes", func() error {
		h.must(h.get("shop-bot", &after))
		if after.Generation == before.Generation {
			return errors.New("the Deployment is as before")
		}
		return nil
	})
	was, is := before.Spec.Template, after.Spec.Template
	if was.Annotations[annotationConfigHash] == is.Annotations[annotationConfigHash] {
		t.Error("the pod template's hash of the manifest is as before")
	}
	delete(was.Annotations, annotationConfigHash)
	delete(is.Annotations, annotationConfigHash)
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("more than the hash changed in the pod template:\n%s", diff)
	}
}

// While the bot is being replaced, what the one before says makes no new spec Ready, nor hopeless.
func TestReadySpeaksOfTheNewSpec(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "-1009" })
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	h.condition("shop", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
	h.beat("shop", nil)
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	for len(h.events.Events) > 0 {
		if e := <-h.events.Events; strings.HasPrefix(e, "Warning") {
			t.Errorf("a rollout is no reason for a warning: %s", e)
		}
	}

	report := goodReport(h.clock.Now())
	report.Telegram = v1alpha1.PeerReport{Reason: v1alpha1.ReasonChatNotFound, Message: "no such chat"}
	h.beat("shop", &report)
	h.condition("shop", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonChatNotFound)
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "-1008" })
	h.condition("shop", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
	if meta.FindStatusCondition(h.bridge("shop").Status.Conditions, v1alpha1.ConditionStalled) != nil {
		t.Error("the mended spec is Stalled by what the bot before says")
	}
}

func (h *harness) observed(name string) func() error {
	return func() error {
		if b := h.bridge(name); b.Status.ObservedGeneration != b.Generation {
			return fmt.Errorf("generation %d is observed of %d", b.Status.ObservedGeneration, b.Generation)
		}
		return nil
	}
}

func TestSuspendAndResume(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	replicas := func(want int32) {
		t.Helper()
		h.eventually("the Deployment's replicas follow", func() error {
			var d appsv1.Deployment
			h.must(h.get("shop-bot", &d))
			if *d.Spec.Replicas != want {
				return fmt.Errorf("%d replicas, want %d", *d.Spec.Replicas, want)
			}
			return nil
		})
	}
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Suspend = new(true) })
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	replicas(0)
	b := h.bridge("shop")
	if b.Status.Connection.State != v1alpha1.ConnectionSuspended {
		t.Errorf("the connection is %s", b.Status.Connection.State)
	}
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if meta.FindStatusCondition(b.Status.Conditions, kind) != nil {
			t.Errorf("%s is there, though nothing is under way and nothing is wrong", kind)
		}
	}
	h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Suspend = nil })
	replicas(1)
	h.settle("shop")
}

// What another writer changes in a child, or takes away, comes back.
func TestDriftIsReverted(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	drifts := map[string]struct {
		object client.Object
		patch  string
		back   func() error
	}{
		"the Deployment's image": {&appsv1.Deployment{}, `{"spec":{"template":{"spec":{"containers":[{"name":"bot","image":"evil"}]}}}}`,
			func() error {
				var d appsv1.Deployment
				h.must(h.get("shop-bot", &d))
				if got := d.Spec.Template.Spec.Containers[0].Image; got != testImage {
					return fmt.Errorf("the image is %s", got)
				}
				return nil
			}},
		"the HMAC key in the bot's Secret": {&corev1.Secret{}, `{"data":{"hmac-current":"ZXZpbA=="}}`, func() error {
			var s corev1.Secret
			h.must(h.get("shop-bot", &s))
			if string(s.Data["hmac-current"]) != "first key" || s.Data["hmac-previous"] != nil {
				return fmt.Errorf("the keys are %q and %q", s.Data["hmac-current"], s.Data["hmac-previous"])
			}
			return nil
		}},
		"the ServiceAccount's label": {&corev1.ServiceAccount{}, `{"metadata":{"labels":{"feedbackbridge.dev/bridge":null}}}`, func() error {
			var s corev1.ServiceAccount
			h.must(h.get("shop-bot", &s))
			if s.Labels[v1alpha1.LabelBridge] != "shop" {
				return fmt.Errorf("the labels are %v", s.Labels)
			}
			return nil
		}},
		"the Role's rules": {&rbacv1.Role{}, `{"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}]}`, func() error {
			var r rbacv1.Role
			h.must(h.get("shop-bot", &r))
			if diff := cmp.Diff([]rbacv1.PolicyRule{{
				APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"},
				ResourceNames: []string{"shop-bot"}, Verbs: []string{"get", "patch"},
			}}, r.Rules); diff != "" {
				return errors.New(diff)
			}
			return nil
		}},
	}
	for name, drift := range drifts {
		drift.object.SetName("shop-bot")
		drift.object.SetNamespace(h.namespace)
		h.must(h.client.Patch(h.ctx, drift.object, client.RawPatch("application/strategic-merge-patch+json", []byte(drift.patch)),
			client.FieldOwner("someone-else")))
		h.eventually(name+" is reverted", drift.back)
	}
	var config corev1.ConfigMap
	h.must(h.get("shop-bot", &config))
	uid := config.UID
	h.must(h.client.Delete(h.ctx, &config))
	h.eventually("the deleted ConfigMap is made again", func() error {
		var again corev1.ConfigMap
		if err := h.get("shop-bot", &again); err != nil {
			return err
		}
		if again.UID == uid {
			return errors.New("it is the old one")
		}
		return nil
	})
}

// The user's object is never written but for its status.
func TestTheBridgeItselfIsNotTouched(t *testing.T) {
	h := newHarness(t).run()
	created := h.createBridge("shop")
	h.settle("shop")
	b := h.bridge("shop")
	if len(b.Labels)+len(b.Annotations)+len(b.Finalizers)+len(b.OwnerReferences) != 0 {
		t.Errorf("the operator wrote metadata: %+v", b.ObjectMeta)
	}
	if b.Generation != created.Generation || !cmp.Equal(created.Spec, b.Spec) {
		t.Errorf("the operator changed the spec:\n%s", cmp.Diff(created.Spec, b.Spec))
	}
	for _, f := range b.ManagedFields {
		if f.Manager == string(fieldOwner) && f.Subresource != "status" {
			t.Errorf("the operator owns fields outside of the status: %s", f.FieldsV1)
		}
	}
	for _, w := range h.server.writes(t, h.namespace) {
		if w.resource == "feedbackbridges" {
			t.Errorf("the operator wrote the object: %+v", w)
		}
	}
}

// A deleted bridge is not worked on any more, also when it lingers for another's finalizer.
func TestDeletedBridgeIsLeftAlone(t *testing.T) {
	h := newHarness(t)
	h.createSecrets()
	bridge := h.goodBridge("shop")
	bridge.Finalizers = []string{"example.test/wait"}
	h.must(h.client.Create(h.ctx, bridge))
	h.must(h.client.Delete(h.ctx, bridge))
	h.start()
	request := ctrl.Request{NamespacedName: h.key("shop")}
	result, err := h.operator.Reconcile(h.ctx, request)
	if err != nil || result != (ctrl.Result{}) {
		t.Errorf("Reconcile gives %+v, %v", result, err)
	}
	if w := h.server.writes(t, h.namespace); len(w) != 0 {
		t.Errorf("the operator wrote %v", w)
	}
	before := h.bridge("shop")
	b := before.DeepCopy()
	b.Finalizers = nil
	h.must(h.client.Patch(h.ctx, b, client.MergeFrom(before)))
	h.eventually("the cache sees that the bridge is gone", func() error {
		var gone v1alpha1.FeedbackBridge
		if err := h.operator.Get(h.ctx, request.NamespacedName, &gone); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("it is there still"), err)
		}
		return nil
	})
	result, err = h.operator.Reconcile(h.ctx, request)
	if err != nil || result != (ctrl.Result{}) {
		t.Errorf("Reconcile of nothing gives %+v, %v", result, err)
	}
}
