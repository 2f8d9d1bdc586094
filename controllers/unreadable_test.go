// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// unreadable is a reader that the API server refuses Secrets.
type unreadable struct {
	client.Reader
	err error
}

func (r unreadable) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if _, isSecret := object.(*corev1.Secret); isSecret {
		return r.err
	}
	return r.Reader.Get(ctx, key, object, opts...)
}

// While Secrets cannot be read, the status is written all the same: with the cause where a person can do something about
// it, else with what was known before. The work queue's back-off tries again.
func TestUnreadableSecrets(t *testing.T) {
	h := newHarness(t)
	h.createBridge("shop")
	h.start()
	request := ctrl.Request{NamespacedName: h.key("shop")}
	h.reconcileUntilQuiet(request)
	keys := h.bridge("shop").Status.Credentials
	live := h.operator.Live
	for _, tc := range []struct {
		err    error
		status metav1.ConditionStatus
		reason string
	}{
		{errLost, metav1.ConditionTrue, v1alpha1.ReasonCredentialsReady},
		{apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "telegram", errors.New("no")), metav1.ConditionFalse, v1alpha1.ReasonSecretUnreadable},
		{errLost, metav1.ConditionFalse, v1alpha1.ReasonSecretUnreadable},
	} {
		h.operator.Live = unreadable{live, tc.err}
		h.operator.memory.forget(request.NamespacedName)
		h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.JWT.Issuer += "x" })
		h.eventually("the status is of the new generation", func() error {
			if _, err := h.operator.Reconcile(h.ctx, request); !errors.Is(err, tc.err) {
				return fmt.Errorf("Reconcile says %w", err)
			}
			return h.observed("shop")()
		})
		b := h.bridge("shop")
		if c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionCredentialsReady); c.Status != tc.status || c.Reason != tc.reason {
			t.Errorf("%v: CredentialsReady is %s (%s): %s", tc.err, c.Status, c.Reason, c.Message)
		}
		if b.Status.Credentials.HMAC.CurrentKeyID != keys.HMAC.CurrentKeyID || b.Status.Credentials.JWT.KeyID != keys.JWT.KeyID {
			t.Errorf("%v: the status says %+v", tc.err, b.Status.Credentials)
		}
	}
	h.operator.Live = live
	h.eventually("all is well again", func() error {
		if _, err := h.operator.Reconcile(h.ctx, request); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(h.bridge("shop").Status.Conditions, v1alpha1.ConditionCredentialsReady) {
			return errors.New("it is not")
		}
		return nil
	})
}

// What could not be stored is not in the status, and no event tells of it.
func TestTheStatusTellsWhatIsStored(t *testing.T) {
	w := newKeyWorld(t, true, 1)
	w.create("shop")
	operator := w.newOperator()
	operator.Recorder = w.events
	w.faults.refuses = func(req *http.Request) bool {
		return req.Method != http.MethodGet && strings.Contains(req.URL.Path, "/secrets")
	}
	refuses := w.faults.refuses
	request := ctrl.Request{NamespacedName: w.key("shop")}
	for range 2 {
		if _, err := operator.Reconcile(w.ctx, request); !errors.Is(err, errLost) {
			t.Errorf("Reconcile says %v", err)
		}
	}
	if c := w.bridge("shop").Status.Credentials; c != nil && (c.JWT != nil || c.HMAC != nil) {
		t.Errorf("the status says %+v, and nothing is stored", c)
	}
	w.faults.refuses = nil
	w.begin()
	w.faults.refuses = refuses
	c := w.bridge("shop").Status.Credentials
	w.annotate("shop", v1alpha1.AnnotationRotateNow, "1")
	if _, err := operator.Reconcile(w.ctx, request); !errors.Is(err, errLost) {
		t.Errorf("Reconcile says %v", err)
	}
	if got := w.bridge("shop").Status.Credentials; got.HMAC.NextKeyID != "" || got.JWT.KeyID != c.JWT.KeyID || got.HandledRotateNow != "" {
		t.Errorf("the status says %+v", got)
	}
	for len(w.events.Events) > 0 {
		if e := <-w.events.Events; strings.Contains(e, "Rotation") || strings.Contains(e, "Minted") || strings.Contains(e, "Made") {
			t.Errorf("an event tells of what is not so: %s", e)
		}
	}
}
