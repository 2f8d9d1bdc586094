// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// annotationHandledRotateNow is, on the Secret with the keys that a rotate-now annotation rotates, the hash of its value
// that was last acted on: written together with the keys, so that no value is acted on twice.
const annotationHandledRotateNow = "feedbackbridge.dev/handled-rotate-now"

// rotateNowHash is a short hash of the annotation's value; empty where it has none.
func rotateNowHash(value string) string {
	if value == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:8])
}

// asked is whether the annotation has a value that was not acted on, by what is stored with the keys. Keys that are not
// there yet are made new anyhow.
func (in credentialsInput) asked(s stored) bool {
	return s.exists && in.rotateNow != "" && s.annotations[annotationHandledRotateNow] != rotateNowHash(in.rotateNow)
}

// handled is the hash to be stored with the keys.
func (in credentialsInput) handled(s stored) string {
	if hash := rotateNowHash(in.rotateNow); hash != "" {
		return hash
	}
	return s.annotations[annotationHandledRotateNow]
}

// refuseOldAsk sees, past the cache, that a value which was not acted on is the annotation's of now. To a cache that is behind,
// such as a leader's that was paused and has not seen yet that another leads, a value looks new that was acted on before the
// one that is stored with the keys.
func (r *Reconciler) refuseOldAsk(ctx context.Context, b *v1alpha1.FeedbackBridge, in credentialsInput) error {
	if !in.asked(in.have.stored) && !in.asked(in.have.pairs.stored) {
		return nil
	}
	found := &metav1.PartialObjectMetadataList{}
	found.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("FeedbackBridgeList"))
	// Not a get, to which the operator needs no right but for this.
	if err := r.Live.List(ctx, found, client.InNamespace(b.Namespace), client.MatchingFields{"metadata.name": b.Name}); err != nil {
		return fmt.Errorf("read the bridge's annotations: %w", err)
	}
	for i := range found.Items {
		if now := &found.Items[i]; now.UID == b.UID && now.Annotations[v1alpha1.AnnotationRotateNow] == in.rotateNow {
			return nil
		}
	}
	return apierrors.NewConflict(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "feedbackbridges"}, b.Name,
		errors.New("the annotation "+v1alpha1.AnnotationRotateNow+" has changed since it was read"))
}
