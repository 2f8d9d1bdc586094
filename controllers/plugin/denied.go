// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// bridges is how rights name the bridges.
const bridges = "feedbackbridges." + v1alpha1.GroupName

// right is what a person must be allowed to do. namespace is empty for the whole cluster.
type right struct{ verb, resource, namespace string }

func (r right) String() string {
	if r.namespace == "" {
		return fmt.Sprintf("%s %s in all namespaces", r.verb, r.resource)
	}
	return fmt.Sprintf("%s %s in namespace %s", r.verb, r.resource, r.namespace)
}

// check is the command that says whether a person has the right.
func (r right) check() string {
	if r.namespace == "" {
		return fmt.Sprintf("kubectl auth can-i %s %s --all-namespaces", r.verb, r.resource)
	}
	return fmt.Sprintf("kubectl auth can-i %s %s -n %s", r.verb, r.resource, r.namespace)
}

// explain says what an error of a call that needs a right means for the person who made it.
func explain(err error, needed right) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you lack the right to %s (%s): %w", needed, needed.check(), err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the cluster does not know you: log in again: %w", err)
	case meta.IsNoMatchError(err):
		return fmt.Errorf("this cluster does not serve %s: install the custom resource definition, with config/default or the chart: %w",
			v1alpha1.GroupVersion, err)
	}
	return fmt.Errorf("%s: %w", needed, err)
}
