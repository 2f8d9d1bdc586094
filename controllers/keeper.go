// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// keepCredentials computes the credentials and brings the operator's own Secrets up to date. While neither the Secrets nor
// the bridge changed, no time has come, and the bot reports nothing that a rotation waits for, it repeats what it remembers
// and reads nothing. What goes wrong is part of the observation.
func (r *Reconciler) keepCredentials(ctx context.Context, o *observation, remembered *recall) {
	err := r.tryCredentials(ctx, o, remembered)
	if err != nil {
		remembered.inputs = ""
		o.creds = o.lastCredentials(err)
		o.applied.err = err
	}
}

func (r *Reconciler) tryCredentials(ctx context.Context, o *observation, remembered *recall) error {
	b, err := r.bridgeInForce(ctx, o, remembered)
	if err != nil {
		return err
	}
	names := secretNames(b)
	inputs, err := r.secretVersions(ctx, b, names)
	if err != nil {
		return err
	}
	if remembered.inputs == inputs && remembered.holds(o) {
		o.creds = remembered.creds
		o.creds.look(o)
		return nil
	}
	remembered.inputs = ""
	secrets, err := readSecrets(ctx, r.Live, b.Namespace, names)
	if err != nil {
		return err
	}
	in := credentialsInput{
		spec: &b.Spec, secrets: secrets, bot: o.keys, now: o.now, make: r.keyMaker(),
		rotateNow: b.Annotations[v1alpha1.AnnotationRotateNow], siteSecret: b.SiteSecretName(),
	}
	if in.have, err = loadHeld(b, secrets, in); err != nil {
		return err
	}
	if err := r.refuseOldAsk(ctx, b, in); err != nil {
		return err
	}
	o.creds = computeCredentials(in)
	if b == o.bridge && o.invalid != nil {
		// There is no bot yet, and none is made by such a spec.
		o.creds.describe(in, in.have)
		o.creds.events = nil
		return nil
	}
	isNew := secrets[v1alpha1.BotName(b.Name)] == nil
	changed, err := r.storeSecrets(ctx, b, &o.creds, secrets)
	o.applied = outcome{changed: changed, err: err}
	if err != nil {
		// What was decided is not so yet: the status tells what is stored.
		o.creds.describe(in, in.have)
		return nil
	}
	live := liveVersions(b, names, secrets)
	if settled := !changed && live == inputs; settled || isNew && o.creds.isStable() {
		remembered.inputs, remembered.creds = live, o.creds
		remembered.creds.hold, remembered.creds.events = held{}, nil
	}
	return nil
}

// bridgeInForce is the bridge whose credentials are kept: while the spec is invalid, with those that the running bot works
// by, as its ConfigMap has them, or the bridge as it is where there is no bot.
func (r *Reconciler) bridgeInForce(ctx context.Context, o *observation, remembered *recall) (*v1alpha1.FeedbackBridge, error) {
	if o.invalid == nil {
		remembered.inForce = nil
		return o.bridge, nil
	}
	if known := remembered.inForce; known != nil && known.UID == o.bridge.UID && known.Generation == o.bridge.Generation {
		known.Annotations = o.bridge.Annotations
		return known, nil
	}
	var config corev1.ConfigMap
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: o.bridge.Namespace, Name: v1alpha1.BotName(o.bridge.Name)}, &config)
	switch {
	case apierrors.IsNotFound(err):
		return o.bridge, nil
	case err != nil:
		return nil, fmt.Errorf("read the bot's manifest: %w", err)
	}
	running, err := specInForce(&config)
	if err != nil || !isOfBridge(&config, o.bridge.Name) {
		return o.bridge, nil
	}
	b := o.bridge.DeepCopy()
	b.Spec.Credentials = running.Credentials
	b.Spec.Telegram.TokenSecretRef, b.Spec.Site.TLS = running.Telegram.TokenSecretRef, running.Site.TLS
	b.Spec.Storage.Postgres = running.Storage.Postgres
	remembered.inForce = b
	return b, nil
}

// lastCredentials is what is known of the credentials while the Secrets cannot be read: what the status says, and, where
// there is something that a person can do about it, why.
func (o *observation) lastCredentials(err error) credentials {
	c := credentials{unmounted: true}
	if old := o.bridge.Status.Credentials; old != nil {
		c.jwt, c.hmac, c.handledRotateNow = old.JWT, old.HMAC, old.HandledRotateNow
	}
	ready := meta.FindStatusCondition(o.bridge.Status.Conditions, v1alpha1.ConditionCredentialsReady)
	switch {
	case apierrors.IsForbidden(err), ready == nil:
		c.fail(problemf(v1alpha1.ReasonSecretUnreadable,
			"The operator cannot read the Secrets: give it the rights of its role in this namespace, or see the API server's words: %v", err))
	case ready.Status == metav1.ConditionFalse:
		c.fail(&problem{ready.Reason, ready.Message})
	}
	if late := meta.FindStatusCondition(o.bridge.Status.Conditions, v1alpha1.ConditionRotationOverdue); late != nil {
		c.overdue = &problem{late.Reason, late.Message}
	}
	return c
}

// holds is whether what is remembered is still so, as far as time and the bot's report can change it.
func (r *recall) holds(o *observation) bool {
	c := r.creds
	if !c.nextChange.IsZero() && !o.now.Before(c.nextChange) {
		return false
	}
	return !c.hmacWatch.hmac(o.keys, o.now).moves() && !c.jwtWatch.jwt(o.keys, o.now).moves()
}

// isStable is whether no rotation runs: what was written is what would be written again.
func (c *credentials) isStable() bool {
	return c.hmacWatch.phase() == v1alpha1.RotationStable && c.jwtWatch.phase() == v1alpha1.RotationStable
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
// depends on those before it. The events of what is so now are left in c, the metadata of what was written in secrets.
func (r *Reconciler) storeSecrets(ctx context.Context, b *v1alpha1.FeedbackBridge, c *credentials, secrets secretSet) (bool, error) {
	writes, err := c.writes(b)
	if err != nil {
		return false, err
	}
	anyChanged := false
	c.events, c.signingEvents, c.siteEvents = nil, nil, nil
	for _, w := range writes {
		name := *w.desired.Name
		written, err := r.storeSecret(ctx, b.Name, secrets[name], w.desired)
		if err != nil {
			return anyChanged, err
		}
		if written != nil {
			anyChanged = true
			c.events = append(c.events, w.events...)
			secrets[name] = &corev1.Secret{ObjectMeta: written.ObjectMeta}
		}
	}
	return anyChanged, nil
}

// secretVersions is a digest of the state of a bridge and of the Secrets that it depends on, by the metadata in the cache.
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
	return digestOf(state.Bytes()), nil
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
	return digestOf(state.Bytes())
}

func versionsOf(b *v1alpha1.FeedbackBridge) *bytes.Buffer {
	var state bytes.Buffer
	fmt.Fprintf(&state, "%s/%d/%s", b.UID, b.Generation, rotateNowHash(b.Annotations[v1alpha1.AnnotationRotateNow]))
	return &state
}

func writeVersion(state *bytes.Buffer, object metav1.Object) {
	if object == nil {
		state.WriteString(" -")
		return
	}
	fmt.Fprintf(state, " %s/%s", object.GetUID(), object.GetResourceVersion())
}
