// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package argocd

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// children are the kinds that the operator makes for a bridge.
const children = "deployments,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,persistentvolumeclaims,leases"

// Argo CD prunes what it tracks, does not find in git, and has no owner. It tracks by an annotation, or by a label where it
// is told to: no child carries the one, nor, without an owner, the other. It manages none of them, and shows them below
// the bridge, by their owner references.
func childrenAreTheBridges(t *testing.T, s *scene) {
	out, err := world.Kubectl(t.Context(), "-n", s.world.Namespace, "get", children+",pods", "-l", v1alpha1.LabelBridge+"="+s.world.Name, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	tree := s.cli("app", "get", s.bridges.name, "-o", "tree")
	items := decode[unstructured.UnstructuredList](t, out).Items
	for _, child := range items {
		name := child.GetKind() + " " + child.GetName()
		for key := range child.GetAnnotations() {
			if strings.HasPrefix(key, "argocd.argoproj.io/") {
				t.Errorf("%s has the annotation %s", name, key)
			}
		}
		owned := slices.ContainsFunc(child.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.Controller != nil && *o.Controller })
		if _, tracked := child.GetLabels()["app.kubernetes.io/instance"]; tracked && !owned {
			t.Errorf("%s has no owner, and the label that Argo CD may be told to track by", name)
		}
		if shown := strings.Contains(tree, child.GetKind()+"/"+child.GetName()); child.GetKind() != "Lease" && owned && !shown {
			t.Errorf("%s is not shown", name)
		}
	}
	if len(items) < 10 {
		t.Errorf("%d children", len(items))
	}
	var managed []string
	for _, r := range s.bridges.now().Status.Resources {
		managed = append(managed, r.Kind)
	}
	if slices.Sort(managed); !slices.Equal(managed, []string{"ConfigMap", "FeedbackBridge"}) {
		t.Errorf("Argo CD manages %v, want what is in git", managed)
	}
	t.Logf("argocd app get -o tree\n%s", tree)
}
