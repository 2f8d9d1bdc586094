// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// skewGroup is an API group in which one CRD can take another's place without the other tests noticing.
func (h *harness) skewGroup() string { return h.namespace + ".example.test" }

// crdIn reads a CRD, and puts it into the test's own group.
func (h *harness) crdIn(path string) *apiextensionsv1.CustomResourceDefinition {
	h.Helper()
	text, err := os.ReadFile(path)
	h.must(err)
	var crd apiextensionsv1.CustomResourceDefinition
	h.must(yaml.UnmarshalStrict(text, &crd))
	crd.Name, crd.Spec.Group = crd.Spec.Names.Plural+"."+h.skewGroup(), h.skewGroup()
	crd.Spec.Names.ShortNames, crd.Spec.Names.Categories = nil, nil
	return &crd
}

// applyCRD installs a CRD, in place of the one before, and waits until objects are checked by it: it knows a field, or not.
func (h *harness) applyCRD(crd *apiextensionsv1.CustomResourceDefinition, knowsOverlap bool) {
	h.Helper()
	_, err := envtest.InstallCRDs(h.server.config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}})
	h.must(err)
	probe := h.skewed("probe", func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.HMAC.Overlap = "1h" })
	h.eventually("objects are checked by the CRD", func() error {
		err := h.client.Create(h.ctx, probe.DeepCopy(), client.DryRunAll, client.FieldValidation("Strict"))
		switch {
		case knowsOverlap:
			return err
		case err == nil:
			return errors.New("a field that it does not know is taken")
		case !strings.Contains(err.Error(), "unknown field"):
			return err
		default:
			return nil
		}
	})
}

// skewed is a bridge of the test's own group.
func (h *harness) skewed(name string, change func(*v1alpha1.FeedbackBridgeSpec)) *unstructured.Unstructured {
	h.Helper()
	bridge := h.goodBridge(name)
	if change != nil {
		change(&bridge.Spec)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(bridge)
	h.must(err)
	u := &unstructured.Unstructured{Object: content}
	u.SetAPIVersion(h.skewGroup() + "/" + v1alpha1.GroupVersion.Version)
	u.SetKind(v1alpha1.Kind)
	return u
}

// readSkewed is such a bridge as the API server has it.
func (h *harness) readSkewed(name string) *unstructured.Unstructured {
	h.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(h.skewGroup() + "/" + v1alpha1.GroupVersion.Version)
	u.SetKind(v1alpha1.Kind)
	h.must(h.get(name, u))
	return u
}

// What was stored under the previous CRD reads the same under this one, and can be written as it was read, status and all;
// and so it can under the previous one again, after this version was tried and given up.
func TestObjectsOutliveTheCRD(t *testing.T) {
	h := newHarness(t)
	older, newer := h.crdIn(filepath.Join("testdata", "previous", "crd.yaml")),
		h.crdIn(filepath.Join("..", "config", "crd", "bases", "feedbackbridge.dev_feedbackbridges.yaml"))
	h.applyCRD(older, false)
	t.Cleanup(func() {
		err := envtest.UninstallCRDs(h.server.config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{older}})
		if err != nil {
			t.Error(err)
		}
	})
	before := map[string]*unstructured.Unstructured{}
	for name, change := range map[string]func(*v1alpha1.FeedbackBridgeSpec){
		"least": nil,
		"full":  func(s *v1alpha1.FeedbackBridgeSpec) { *s = h.fullBridge("full").Spec },
		"token": readyToken,
		"minted": func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Credentials.JWT.Algorithm, s.Credentials.JWT.TTL, s.Credentials.JWT.RenewBefore = "ES256", "24h", "8h"
		},
	} {
		h.must(h.client.Create(h.ctx, h.skewed(name, change), client.FieldValidation("Strict")))
		u := h.readSkewed(name)
		u.Object["status"] = h.olderStatus()
		h.must(h.client.Status().Update(h.ctx, u, client.FieldValidation("Strict")))
		before[name] = h.readSkewed(name)
	}
	rewrite := func(under string) {
		t.Helper()
		for name, was := range before {
			u := h.readSkewed(name)
			if diff := cmp.Diff(was.Object, u.Object); diff != "" {
				t.Errorf("under the %s CRD %q reads otherwise (-before +now):\n%s", under, name, diff)
			}
			u.SetAnnotations(map[string]string{"example.test/under": under}) // a write of nothing is no write
			h.must(h.client.Update(h.ctx, u, client.FieldValidation("Strict")))
			h.must(h.client.Status().Update(h.ctx, u, client.FieldValidation("Strict")))
			before[name] = u
		}
	}
	h.applyCRD(newer, true)
	rewrite("new")
	h.applyCRD(older, false)
	rewrite("previous")
}

// olderStatus is a status as the operator of the version before wrote it.
func (h *harness) olderStatus() map[string]any {
	h.Helper()
	var status map[string]any
	h.must(yaml.Unmarshal([]byte(`
observedGeneration: 1
conditions:
- {type: Ready, status: "True", reason: Ready, message: "", observedGeneration: 1, lastTransitionTime: "2026-03-01T12:00:00Z"}
connection: {state: Connected, since: "2026-03-01T12:00:00Z", pod: shop-bot-abc, reconnects: 1, lastError: none}
credentials:
  jwt: {issuedAt: "2026-03-01T12:00:00Z", expiresAt: "2026-03-02T12:00:00Z", keyID: k}
  hmac: {currentKeyID: a, previousKeyID: b, siteKeyID: a, rotatedAt: "2026-03-01T12:00:00Z"}
telegram: {botUsername: shop_bot, chatTitle: Shop}
tickets: {received: 2, posted: 1, pending: 1, lastPostedTime: "2026-03-01T12:00:00Z"}
`), &status))
	return status
}

// A bridge that uses what is new does not survive the way back whole: the previous CRD drops what it does not know, and then
// lacks what it wants. It can be read, labelled and deleted; a change of the part that lacks something is refused with words
// that say what to give.
func TestTheWayBackOfWhatIsNew(t *testing.T) {
	h := newHarness(t)
	older, newer := h.crdIn(filepath.Join("testdata", "previous", "crd.yaml")),
		h.crdIn(filepath.Join("..", "config", "crd", "bases", "feedbackbridge.dev_feedbackbridges.yaml"))
	h.applyCRD(newer, true)
	t.Cleanup(func() {
		err := envtest.UninstallCRDs(h.server.config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{older}})
		if err != nil {
			t.Error(err)
		}
	})
	h.must(h.client.Create(h.ctx, h.skewed("generated", func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Credentials = v1alpha1.CredentialsSpec{
			HMAC: v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}}, JWT: v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{}},
		}
	}), client.FieldValidation("Strict")))
	h.must(h.client.Create(h.ctx, h.skewed("overlapping", func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.HMAC.Overlap = "1h" })))
	h.applyCRD(older, false)

	overlapping := h.readSkewed("overlapping")
	if _, found, err := unstructured.NestedString(overlapping.Object, "spec", "credentials", "hmac", "overlap"); found || err != nil {
		t.Errorf("the previous CRD keeps a field that it does not know (%v)", err)
	}
	overlapping.SetAnnotations(map[string]string{"a": "b"})
	h.must(h.client.Update(h.ctx, overlapping, client.FieldValidation("Strict")))

	generated := h.readSkewed("generated")
	generated.SetLabels(map[string]string{"a": "b"})
	h.must(h.client.Update(h.ctx, generated))
	h.must(unstructured.SetNestedField(generated.Object, "50s", "spec", "credentials", "hmac", "messageTTL"))
	err := h.client.Update(h.ctx, generated)
	if err == nil || !strings.Contains(err.Error(), "secretRef: Required value") {
		t.Errorf("a bridge without a key is written, or refused without a word of what it needs: %v", err)
	}
	if err := h.client.Delete(h.ctx, generated); err != nil {
		t.Error(errors.Join(errors.New("it cannot even be deleted"), err))
	}
}
