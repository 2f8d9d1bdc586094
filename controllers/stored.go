// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// storeSecret writes a Secret when it is not what it should be, and returns what it is called then; nil where there was
// nothing to write. have is it as the API server has it, or nil. Should it have changed since, the write is refused: two
// operators, of which one was thought dead, must not undo each other's keys.
func (r *Reconciler) storeSecret(
	ctx context.Context, bridge string, have *corev1.Secret, desired *corev1ac.SecretApplyConfiguration,
) (written *metav1.PartialObjectMetadata, err error) {
	version := unborn
	if have != nil {
		if !isOfBridge(have, bridge) {
			return nil, fmt.Errorf("apply Secret %s: %w", have.Name, errForeign)
		}
		if err := r.dropSlippedIn(ctx, have, desired); err != nil {
			return nil, err
		}
		settled, err := isSettled(have, desired, corev1ac.ExtractSecret)
		if err != nil || settled {
			return nil, err
		}
		version = have.ResourceVersion
	}
	meta := *desired.ObjectMetaApplyConfiguration
	versioned := *desired
	versioned.ObjectMetaApplyConfiguration = &meta
	versioned.WithResourceVersion(version)
	patch, err := json.Marshal(&versioned)
	if err != nil {
		return nil, fmt.Errorf("encode Secret %s: %w", *desired.Name, err)
	}
	return r.cluster().apply(ctx, "Secret "+*desired.Name, patch)
}

// reservedData are the keys of Secrets that mean something to the bot or the site; none of them may be another writer's.
func reservedData() []string {
	names := []string{v1alpha1.FileJWT, v1alpha1.FileJWTPrevious, v1alpha1.SiteJWKS, signingCurrent, signingNext}
	for _, name := range []string{v1alpha1.SiteHMACKey, v1alpha1.FileHMACCurrent, v1alpha1.FileHMACNext, v1alpha1.FileHMACPrevious} {
		names = append(names, name, name+v1alpha1.SiteKeyIDSuffix)
	}
	return names
}

// dropSlippedIn takes out of a Secret what another writer put in where the operator has nothing, and what of the operator's
// that writer has overwritten and is not to be there any more: server-side apply leaves it alone.
func (r *Reconciler) dropSlippedIn(ctx context.Context, have *corev1.Secret, desired *corev1ac.SecretApplyConfiguration) error {
	owned, err := corev1ac.ExtractSecret(have, string(fieldOwner))
	if err != nil {
		return fmt.Errorf("read the managed fields of Secret %s: %w", have.Name, err)
	}
	drop := map[string]any{}
	for _, name := range reservedData() {
		_, there := have.Data[name]
		_, ours := owned.Data[name]
		if _, wanted := desired.Data[name]; there && !ours && !wanted {
			drop[name] = nil
		}
	}
	if len(drop) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]string{"resourceVersion": have.ResourceVersion}, "data": drop})
	if err != nil {
		return fmt.Errorf("encode a patch: %w", err)
	}
	if err := r.Patch(ctx, have, client.RawPatch(types.MergePatchType, patch), fieldOwner); err != nil {
		return fmt.Errorf("take what others put into Secret %s out of it: %w", have.Name, err)
	}
	return nil
}
