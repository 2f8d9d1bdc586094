// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The samples are objects that the API server accepts, in a bridge's namespace.
func TestSamplesAreAccepted(t *testing.T) {
	h := newHarness(t)
	for _, file := range []string{"secrets.yaml", "feedbackbridge_v1alpha1_feedbackbridge.yaml", "feedbackbridge_v1alpha1_generated.yaml", "feedbackbridge_v1alpha1_postgres.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "config", "samples", file))
		h.must(err)
		for _, document := range strings.Split(string(text), "\n---\n") {
			var object unstructured.Unstructured
			h.must(yaml.UnmarshalStrict([]byte(document), &object.Object))
			object.SetNamespace(h.namespace)
			if err := h.client.Create(h.ctx, &object, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	h.run()
	for _, name := range []string{"shop", "shop-generated", "shop-replicated"} {
		h.condition(name, v1alpha1.ConditionCredentialsReady, metav1.ConditionTrue, v1alpha1.ReasonCredentialsReady)
	}
}
