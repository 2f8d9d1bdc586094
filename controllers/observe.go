// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// observation is all that a reconcile decides from, and what it did.
type observation struct {
	// bridge is the object as it was read, with the defaults of its spec set.
	bridge *v1alpha1.FeedbackBridge
	now    time.Time
	// invalid is what only the operator can find wrong with the spec.
	invalid *problem
	creds   credentials
	// deployment is nil while it does not exist.
	deployment *appsv1.Deployment
	// rolled is whether the Deployment was written just now, and deployment is the one before.
	rolled bool
	health health
	// keys is what the bot reports of keys.
	keys keyReport
	// pods are looked at only while the workload does not run.
	pods []corev1.Pod
	// claim is the claim for the bot's state; looked at with the pods, and nil where there is none.
	claim   *corev1.PersistentVolumeClaim
	applied outcome
}

// observe reads what a bridge has, from the cache except for the Secrets.
func (r *Reconciler) observe(ctx context.Context, bridge *v1alpha1.FeedbackBridge) (*observation, error) {
	o := &observation{bridge: bridge.DeepCopy(), now: r.Now()}
	o.bridge.SetDefaults()
	o.invalid = specProblem(o.bridge)
	key := client.ObjectKey{Namespace: bridge.Namespace, Name: v1alpha1.BotName(bridge.Name)}
	var deployment appsv1.Deployment
	switch err := r.Get(ctx, key, &deployment); {
	case err == nil:
		o.deployment = &deployment
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("read the Deployment: %w", err)
	}
	var lease coordinationv1.Lease
	switch err := r.Get(ctx, key, &lease); {
	case err == nil:
		former, err := r.isFormerBots(ctx, o, &lease)
		if err != nil {
			return nil, err
		}
		if former {
			return o, nil
		}
		heard, _ := r.memory.hear(client.ObjectKeyFromObject(bridge), &lease, lastKnownAlive(bridge, o.now), o.now)
		o.health = healthOf(&lease, heard, o.now)
		o.keys = keyReportOf(o.health, heard, o.now)
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("read the Lease: %w", err)
	}
	return o, nil
}

// isFormerBots is whether a Lease is held by the bot of a bridge that was deleted and made anew: by a pod that is older than
// the Deployment, or, in a Lease that is older than the bridge, by one that is gone. All times are the API server's.
func (r *Reconciler) isFormerBots(ctx context.Context, o *observation, lease *coordinationv1.Lease) (bool, error) {
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return false, nil
	}
	before := func(a, b metav1.Object) bool {
		made := b.GetCreationTimestamp()
		return new(a.GetCreationTimestamp()).Before(&made)
	}
	var pod corev1.Pod
	switch err := r.Get(ctx, client.ObjectKey{Namespace: lease.Namespace, Name: *lease.Spec.HolderIdentity}, &pod); {
	case apierrors.IsNotFound(err):
		return before(lease, o.bridge), nil
	case err != nil:
		return false, fmt.Errorf("look up the bot's pod: %w", err)
	default:
		return o.deployment == nil || before(&pod, o.deployment), nil
	}
}

// lastKnownAlive is when an operator that has just started takes a heartbeat for heard: now where its predecessor took
// the bot for alive, else never. A live bot is heard again in seconds, a dead one found out in less than a minute.
func lastKnownAlive(b *v1alpha1.FeedbackBridge, now time.Time) time.Time {
	c := b.Status.Connection
	if c == nil || c.State == v1alpha1.ConnectionUnknown || c.State == v1alpha1.ConnectionSuspended {
		return time.Time{}
	}
	return now
}

// specProblem is what the CRD's own rules cannot check.
func specProblem(b *v1alpha1.FeedbackBridge) *problem {
	if err := b.Validate(); err != nil {
		return problemf(v1alpha1.ReasonInvalidSpec, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	own := []string{v1alpha1.BotName(b.Name), v1alpha1.SigningSecretName(b.Name)}
	site := b.SiteSecretName()
	if slices.Contains(own, site) {
		return problemf(v1alpha1.ReasonInvalidSpec,
			"spec.credentials.siteSecretName: %q is the operator's own for this bridge: choose another name", site)
	}
	for _, ref := range secretRefs(&b.Spec) {
		if slices.Contains(own, ref.Name) {
			return problemf(v1alpha1.ReasonInvalidSpec,
				"The Secret name %q is the operator's own for this bridge: give your Secret another name", ref.Name)
		}
		if ref.Name == site {
			return problemf(v1alpha1.ReasonInvalidSpec, "The Secret %q is the one that the operator writes for the site: give your Secret "+
				"another name, or the site's another one, in spec.credentials.siteSecretName", ref.Name)
		}
	}
	return nil
}

// runs is whether the bot's pod runs: it reports, or it passes its readiness probe. A bot whose site is down is not
// ready and runs all the same.
func (o *observation) runs() bool {
	return o.health.fresh || (o.deployment != nil && o.deployment.Status.AvailableReplicas > 0)
}

// isRollingOut is whether what reports, if anything does, may be the bot of an earlier spec.
func (o *observation) isRollingOut() bool {
	d := o.deployment
	return d != nil && (o.rolled || d.Status.ObservedGeneration < d.Generation || d.Status.Replicas > d.Status.UpdatedReplicas ||
		(d.Spec.Replicas != nil && d.Status.UpdatedReplicas < *d.Spec.Replicas))
}
