// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// retryTerminal is when the operator looks again at what it was refused: what mends that is not always watched.
	retryTerminal = time.Minute
	// retryWorkload is how often a workload that does not run is looked at when nothing changes: a crash is forgotten in time.
	retryWorkload = time.Minute
	// awaitCache is when a bridge whose bot was just made is looked at where the cache does not bring it back sooner.
	awaitCache = time.Second
	// timerSlack is added to timers, so that they fire when their time has come and not just before.
	timerSlack = 100 * time.Millisecond
)

// Reconciler brings one bridge at a time to what its spec says.
type Reconciler struct {
	// Client reads from the cache (set up by CacheOptions) and writes.
	client.Client
	// Live reads from the API server: Secrets.
	Live client.Reader
	// Echoes are the cache's.
	Echoes *Echoes
	// Recorder takes events.
	Recorder events.EventRecorder
	// BotImage is the bot's image where a bridge names none.
	BotImage string
	// APIServerPorts are the ports at which bots reach the API server, such as DefaultAPIServerPorts.
	APIServerPorts []int32
	// Now is the clock.
	Now func() time.Time

	memory memory
	// keys makes keys and tokens' ids; by the system's randomness unless given.
	keys keyMaker
}

func (r *Reconciler) cluster() *cluster {
	return &cluster{Client: r.Client, live: r.Live, echoes: r.Echoes}
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var bridge v1alpha1.FeedbackBridge
	if err := r.Get(ctx, req.NamespacedName, &bridge); err != nil {
		if apierrors.IsNotFound(err) {
			r.memory.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read the bridge: %w", err)
	}
	if !bridge.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	remembered := r.memory.of(req.NamespacedName)
	o, err := r.observe(ctx, &bridge)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.keepCredentials(ctx, o, remembered)
	if err := r.applyChildren(ctx, o); err != nil {
		return ctrl.Result{}, err
	}
	if isTearingDown(o.applied.err) {
		return ctrl.Result{}, nil
	}
	record(r.Recorder, &bridge, o.creds.events)
	if o.deployment == nil && o.rolled && o.applied.err == nil {
		// The status of a bridge that was just made would be written again at once: it follows when the cache has its bot.
		return ctrl.Result{RequeueAfter: awaitCache}, nil
	}
	o.applied.err = errors.Join(o.applied.err, r.lookAtPods(ctx, o))
	due, err := r.writeStatus(ctx, &bridge, o, remembered)
	if err != nil {
		return ctrl.Result{}, err
	}
	return o.result(due)
}

// applyChildren applies what the bridge is to have, except for the Secrets, which keepCredentials sees to. Errors of
// single children are part of the observation.
func (r *Reconciler) applyChildren(ctx context.Context, o *observation) error {
	children, err := r.children(o)
	if err != nil {
		return err
	}
	others := applyAll(ctx, r.cluster(), children)
	o.applied.changed = o.applied.changed || others.changed
	o.applied.err = errors.Join(o.applied.err, others.err)
	if o.applied.changed {
		log.FromContext(ctx).V(1).Info("applied children")
	}
	return nil
}

// children are what a bridge is to have. Neither an invalid spec changes anything of a bot that runs, nor one that refers to
// what a new pod could not mount; and the first bot is started only with credentials that are ready.
func (r *Reconciler) children(o *observation) ([]child, error) {
	b := o.bridge
	key := client.ObjectKey{Namespace: b.Namespace, Name: v1alpha1.BotName(b.Name)}
	list := []child{
		declare(key, &corev1.ServiceAccount{}, buildServiceAccount(b)),
		declare(key, &rbacv1.Role{}, buildRole(b)),
		declare(key, &rbacv1.RoleBinding{}, buildRoleBinding(b)),
		declare(key, &coordinationv1.Lease{}, buildLease(b)),
	}
	if o.invalid != nil || (o.deployment != nil && o.creds.unmounted && !suspended(b)) {
		return list, nil
	}
	list = append(list, declare(key, &networkingv1.NetworkPolicy{}, buildNetworkPolicy(b, r.APIServerPorts)))
	if pvc := buildVolumeClaim(b); pvc != nil {
		list = append(list, declare(key, &corev1.PersistentVolumeClaim{}, pvc))
	}
	manifest, err := botManifest(b)
	if err != nil {
		return nil, err
	}
	config, err := buildConfigMap(b, manifest)
	if err != nil {
		return nil, err
	}
	list = append(list, declare(key, &corev1.ConfigMap{}, config))
	if o.deployment == nil && len(o.creds.problems) > 0 {
		return list, nil
	}
	deployment, err := buildDeployment(b, r.BotImage, hashOf(manifest))
	if err != nil {
		return nil, err
	}
	seen := &appsv1.Deployment{}
	roll := declare(key, seen, deployment)
	return append(list, func(ctx context.Context, c *cluster) (bool, error) {
		changed, err := roll(ctx, c)
		o.rolled = changed && err == nil
		if !changed && err == nil { // what was observed may be the one before, if the cache got this one in between
			o.deployment = seen
		}
		return changed, err
	}), nil
}

// writeStatus writes the status when it differs, and returns when counters that had to wait are due. A conflict means
// that the cache is behind; the update that it waits for brings the bridge back.
func (r *Reconciler) writeStatus(ctx context.Context, bridge *v1alpha1.FeedbackBridge, o *observation, remembered *recall) (time.Time, error) {
	computed := computeStatus(o)
	write, due := decideWrite(bridge.Status, computed, remembered.countersAt, o.now)
	if !write {
		return due, nil
	}
	next := bridge.DeepCopy()
	next.Status = computed
	patch := client.MergeFromWithOptions(bridge, client.MergeFromWithOptimisticLock{})
	if err := r.Status().Patch(ctx, next, patch, fieldOwner); err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return o.now.Add(time.Second), nil
		}
		return time.Time{}, fmt.Errorf("write the status: %w", err)
	}
	remembered.countersAt = o.now
	record(r.Recorder, bridge, transitions(bridge.Status.Conditions, computed.Conditions))
	return time.Time{}, nil
}

// result is when to look again: at once by the queue's back-off after an error that may pass, else when the first of
// the observation's timers is due.
func (o *observation) result(due time.Time) (ctrl.Result, error) {
	if o.applied.err != nil && !isTerminal(o.applied.err) {
		return ctrl.Result{}, o.applied.err
	}
	next := earliest(due, o.readyHeldUntil())
	if o.applied.err == nil {
		// Else what is due may be what was refused.
		next = earliest(next, o.creds.nextChange)
	}
	if o.health.fresh {
		next = earliest(next, o.health.staleAt)
	}
	if isTerminal(o.applied.err) {
		next = earliest(next, o.now.Add(retryTerminal))
	}
	if o.deployment != nil && !o.runs() && !suspended(o.bridge) {
		next = earliest(next, o.now.Add(retryWorkload))
	}
	if next.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(next.Sub(o.now), 0) + timerSlack}, nil
}
