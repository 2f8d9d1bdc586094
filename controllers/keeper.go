// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// keepCredentials computes the credentials and brings the operator's own Secrets up to date. While neither the Secrets nor
// the bridge changed, no time has come, and the bot reports nothing that a rotation waits for, it repeats what it remembers
// and reads nothing.
func (r *Reconciler) keepCredentials(ctx context.Context, o *observation, remembered *recall) error {
	names := secretNames(o.bridge)
	inputs, err := r.secretVersions(ctx, o.bridge, names)
	if err != nil {
		return err
	}
	if remembered.inputs == inputs && remembered.holds(o) {
		o.creds = remembered.creds
		o.creds.look(o)
		return nil
	}
	remembered.inputs = ""
	secrets, err := readSecrets(ctx, r.Live, o.bridge.Namespace, names)
	if err != nil {
		return err
	}
	in := credentialsInput{
		spec: &o.bridge.Spec, secrets: secrets, bot: o.keys, now: o.now, make: r.keyMaker(),
		rotateNow: o.bridge.Annotations[v1alpha1.AnnotationRotateNow], siteSecret: o.bridge.SiteSecretName(),
	}
	if in.have, err = loadHeld(o.bridge, secrets, in); err != nil {
		return err
	}
	o.creds = computeCredentials(in)
	changed, err := r.storeSecrets(ctx, o, secrets)
	o.applied = outcome{changed: changed, err: err}
	if err != nil {
		// What was decided is not so yet: the status tells what is stored.
		o.creds.describe(in, in.have)
		return nil
	}
	if changed {
		return nil
	}
	if live := liveVersions(o.bridge, names, secrets); live == inputs {
		remembered.inputs, remembered.creds = inputs, o.creds
		remembered.creds.hold, remembered.creds.events = held{}, nil
	}
	return nil
}

// holds is whether what is remembered is still so, as far as time and the bot's report can change it.
func (r *recall) holds(o *observation) bool {
	c := r.creds
	if !c.nextChange.IsZero() && !o.now.Before(c.nextChange) {
		return false
	}
	return !c.hmacWatch.hmac(o.keys, o.now).moves() && !c.jwtWatch.jwt(o.keys, o.now).moves()
}

// look judges remembered rotations by the bot's report.
func (c *credentials) look(o *observation) {
	c.hmacWatch, c.jwtWatch = c.hmacWatch.hmac(o.keys, o.now), c.jwtWatch.jwt(o.keys, o.now)
	c.findOverdue()
}

func (r *Reconciler) keyMaker() keyMaker {
	if r.keys.tokenID == nil {
		return randomKeys()
	}
	return r.keys
}

// storeSecrets writes the operator's Secrets that are not what they should be, one after the other, until one fails: each
// depends on those before it. The events of what is so now are left in o.creds.
func (r *Reconciler) storeSecrets(ctx context.Context, o *observation, secrets secretSet) (bool, error) {
	writes, err := o.creds.writes(o.bridge)
	if err != nil {
		return false, err
	}
	any := false
	o.creds.events, o.creds.signingEvents, o.creds.siteEvents = nil, nil, nil
	for _, w := range writes {
		changed, err := r.storeSecret(ctx, o.bridge.Name, secrets[*w.desired.Name], w.desired)
		if err != nil {
			return any, err
		}
		if changed {
			any = true
			o.creds.events = append(o.creds.events, w.events...)
		}
	}
	return any, nil
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
	fmt.Fprintf(&state, "%s/%d/%s", b.UID, b.Generation, rotateNowHash(b.Annotations[v1alpha1.AnnotationRotateNow]))
	return &state
}

func writeVersion(state *strings.Builder, object metav1.Object) {
	if object == nil {
		state.WriteString(" -")
		return
	}
	fmt.Fprintf(state, " %s/%s", object.GetUID(), object.GetResourceVersion())
}
