// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// keepCredentials computes the credentials and brings the bot's Secret up to date. While neither the Secrets nor the
// bridge changed, and no time has come, it repeats what it remembers and reads nothing.
func (r *Reconciler) keepCredentials(ctx context.Context, o *observation, remembered *recall) error {
	names := secretNames(o.bridge)
	inputs, err := r.secretVersions(ctx, o.bridge, names)
	if err != nil {
		return err
	}
	if remembered.inputs == inputs && (remembered.creds.nextChange.IsZero() || o.now.Before(remembered.creds.nextChange)) {
		o.creds = remembered.creds
		return nil
	}
	remembered.inputs = ""
	secrets, err := readSecrets(ctx, r.Live, o.bridge.Namespace, names)
	if err != nil {
		return err
	}
	own := secrets[v1alpha1.BotName(o.bridge.Name)]
	have, err := ownHeld(own)
	if err != nil {
		return err
	}
	o.creds = computeCredentials(credentialsInput{
		spec: &o.bridge.Spec, secrets: secrets, have: have, now: o.now, newID: uuid.NewString,
	})
	changed, err := r.applySecret(ctx, o, own)
	o.applied = outcome{changed: changed, err: err}
	if err != nil {
		// What was decided is not so yet: nothing has happened that an event could tell of.
		o.creds.events = nil
		return nil
	}
	if changed {
		return nil
	}
	if live := liveVersions(o.bridge, names, secrets); live == inputs {
		remembered.inputs, remembered.creds = inputs, o.creds
		remembered.creds.hold, remembered.creds.events = heldSecret{}, nil
	}
	return nil
}

// applySecret writes the bot's Secret when it is not what it should be. own is it as the API server has it, or nil.
func (r *Reconciler) applySecret(ctx context.Context, o *observation, own *corev1.Secret) (bool, error) {
	desired := buildSecret(o.bridge, o.creds.hold)
	if own != nil {
		if !isOurs(own) {
			return false, fmt.Errorf("apply Secret %s: %w", own.Name, errForeign)
		}
		settled, err := isSettled(own, desired, corev1ac.ExtractSecret)
		if err != nil || settled {
			return false, err
		}
	}
	return true, r.cluster().apply(ctx, "Secret "+v1alpha1.BotName(o.bridge.Name), desired)
}

// ownHeld is what the operator wrote into the bot's Secret; nothing while there is none.
func ownHeld(own *corev1.Secret) (heldSecret, error) {
	if own == nil {
		return heldSecret{}, nil
	}
	owned, err := corev1ac.ExtractSecret(own, string(fieldOwner))
	if err != nil {
		return heldSecret{}, fmt.Errorf("read the managed fields of Secret %s: %w", own.Name, err)
	}
	return heldBy(owned), nil
}

// secretVersions names the state of a bridge and of the Secrets that it depends on, by the metadata in the cache.
func (r *Reconciler) secretVersions(ctx context.Context, b *v1alpha1.FeedbackBridge, names []string) (string, error) {
	state := versionsOf(b)
	for _, name := range names {
		meta := &metav1.PartialObjectMetadata{}
		meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		err := r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: name}, meta)
		switch {
		case apierrors.IsNotFound(err):
			writeVersion(state, nil)
		case err != nil:
			return "", fmt.Errorf("look up Secret %s: %w", name, err)
		default:
			writeVersion(state, meta)
		}
	}
	return state.String(), nil
}

// liveVersions is the same of Secrets that were read from the API server.
func liveVersions(b *v1alpha1.FeedbackBridge, names []string, secrets secretSet) string {
	state := versionsOf(b)
	for _, name := range names {
		if s := secrets[name]; s != nil {
			writeVersion(state, s)
		} else {
			writeVersion(state, nil)
		}
	}
	return state.String()
}

func versionsOf(b *v1alpha1.FeedbackBridge) *strings.Builder {
	var state strings.Builder
	fmt.Fprintf(&state, "%s/%d", b.UID, b.Generation)
	return &state
}

func writeVersion(state *strings.Builder, object metav1.Object) {
	if object == nil {
		state.WriteString(" -")
		return
	}
	fmt.Fprintf(state, " %s/%s", object.GetUID(), object.GetResourceVersion())
}
