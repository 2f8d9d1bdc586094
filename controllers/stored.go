// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// stored is what the operator wrote into one of its Secrets. What others wrote into it counts for nothing: a key that was
// slipped in must not live on as the previous one.
type stored struct {
	exists      bool
	data        map[string][]byte
	annotations map[string]string
}

// storedIn reads a Secret of a bridge; nil, and a Secret of others, hold nothing of ours. A copy in which the operator owns
// nothing, from a backup, is taken as it is.
func storedIn(secret *corev1.Secret, bridge string) (stored, error) {
	if secret == nil || !isOfBridge(secret, bridge) {
		return stored{}, nil
	}
	if !isManaged(secret) {
		return stored{true, secret.Data, secret.Annotations}, nil
	}
	owned, err := corev1ac.ExtractSecret(secret, string(fieldOwner))
	if err != nil {
		return stored{}, fmt.Errorf("read the managed fields of Secret %s: %w", secret.Name, err)
	}
	s := stored{exists: true, data: owned.Data}
	if owned.ObjectMetaApplyConfiguration != nil {
		s.annotations = owned.Annotations
	}
	return s, nil
}

// time is an annotation's time; zero where there is none that can be read.
func (s stored) time(annotation string) time.Time {
	at, err := time.Parse(time.RFC3339, s.annotations[annotation])
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// timeAnnotations are the annotations of the times that are not zero.
func timeAnnotations(times map[string]time.Time) map[string]string {
	out := map[string]string{}
	for name, at := range times {
		if !at.IsZero() {
			out[name] = rfc3339(at)
		}
	}
	return out
}

// isOfBridge is whether the operator made an object for this bridge: by its label or, where that was taken away, by the
// fields that it owns.
func isOfBridge(object metav1.Object, bridge string) bool {
	if of, labelled := object.GetLabels()[v1alpha1.LabelBridge]; labelled {
		return of == bridge
	}
	return isManaged(object)
}

func isManaged(object metav1.Object) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == string(fieldOwner)
	})
}

// secretWrite is one Secret of the operator as it should be, and what has happened once it is.
type secretWrite struct {
	desired *corev1ac.SecretApplyConfiguration
	events  []event
}

// storeSecret writes a Secret when it is not what it should be. have is it as the API server has it, or nil. Should it have
// changed since, the write is refused: two operators, of which one was thought dead, must not undo each other's keys.
func (r *Reconciler) storeSecret(ctx context.Context, bridge string, have *corev1.Secret, desired *corev1ac.SecretApplyConfiguration) (bool, error) {
	if have == nil {
		return true, r.cluster().apply(ctx, "Secret "+*desired.Name, desired)
	}
	if !isOfBridge(have, bridge) {
		return false, fmt.Errorf("apply Secret %s: %w", have.Name, errForeign)
	}
	settled, err := isSettled(have, desired, corev1ac.ExtractSecret)
	if err != nil || settled {
		return false, err
	}
	meta := *desired.ObjectMetaApplyConfiguration
	versioned := *desired
	versioned.ObjectMetaApplyConfiguration = &meta
	versioned.WithResourceVersion(have.ResourceVersion)
	return true, r.cluster().apply(ctx, "Secret "+have.Name, &versioned)
}
