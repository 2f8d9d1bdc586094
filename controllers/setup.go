// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	crevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// ControllerName names the controller in logs, metrics and events.
const ControllerName = "feedbackbridge"

// indexSecretNames indexes bridges by the names of the Secrets that they depend on.
const indexSecretNames = "secretNames"

// How soon a reconcile that failed is tried again, doubling from the first to the longest. The timers of a bridge (a token
// to renew, a heartbeat to miss) wait no longer than that behind an error.
const (
	firstRetry   = 5 * time.Millisecond
	longestRetry = time.Minute
)

// Secrets: bridges refer to Secrets by any name, so reading cannot be limited by name; get reads the values, list and
// watch are for metadata only. The bot's own Secret is created and patched by server-side apply. Deleting is left to
// the garbage collector. Leases, Roles: the operator hands the bot a Role for its Lease, so it needs those verbs itself.
//
// +kubebuilder:rbac:groups=feedbackbridge.dev,resources=feedbackbridges,verbs=list;watch
// +kubebuilder:rbac:groups=feedbackbridge.dev,resources=feedbackbridges/status,verbs=patch
// +kubebuilder:rbac:groups=feedbackbridge.dev,resources=feedbackbridges/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=serviceaccounts;configmaps;persistentvolumeclaims,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;list;watch;create;update;patch
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch

// Scheme knows every type that the operator reads or writes.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// SetupWithManager registers the controller, its index and its metrics. concurrency is how many bridges are worked on
// at a time.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, concurrency int) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.FeedbackBridge{}, indexSecretNames, func(o client.Object) []string {
		bridge, ok := o.(*v1alpha1.FeedbackBridge)
		if !ok {
			return nil
		}
		return secretNames(bridge)
	})
	if err != nil {
		return fmt.Errorf("index bridges by their Secrets: %w", err)
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named(ControllerName).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, longestRetry),
		}).
		Watches(&v1alpha1.FeedbackBridge{}, bridgeEvents()).
		Watches(&corev1.Secret{}, childEvents(r.bridgesOfSecret), builder.OnlyMetadata)
	for _, kind := range cachedKinds(r.Echoes) {
		var when []builder.WatchesOption
		if _, isLease := kind.object.(*coordinationv1.Lease); isLease {
			when = append(when, builder.WithPredicates(r.leaseNews()))
		}
		b.Watches(kind.object, childEvents(bridgeOfChild), when...)
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

// bridgeOfChild finds a child's bridge.
func bridgeOfChild(_ context.Context, child client.Object) []reconcile.Request {
	if bridge, ok := bridgeKeyOf(child); ok {
		return []reconcile.Request{{NamespacedName: bridge}}
	}
	return nil
}

// bridgeKeyOf tells a child's bridge by the child's name; the volume claim has no owner to tell it by. A pod's name is not
// the operator's: its label tells.
func bridgeKeyOf(child client.Object) (types.NamespacedName, bool) {
	bridge, named := strings.CutSuffix(child.GetName(), v1alpha1.BotName(""))
	if _, isPod := child.(*corev1.Pod); isPod {
		bridge, named = child.GetLabels()[v1alpha1.LabelBridge]
	}
	return types.NamespacedName{Namespace: child.GetNamespace(), Name: bridge}, named && bridge != ""
}

// bridgesOfSecret finds the bridges that depend on a Secret.
func (r *Reconciler) bridgesOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var bridges v1alpha1.FeedbackBridgeList
	err := r.List(ctx, &bridges, client.InNamespace(secret.GetNamespace()),
		client.MatchingFields{indexSecretNames: secret.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		utilruntime.HandleErrorWithContext(ctx, err, "Cannot list the bridges of a Secret")
		return nil
	}
	requests := make([]reconcile.Request, len(bridges.Items))
	for i := range bridges.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&bridges.Items[i])
	}
	return requests
}

// leaseNews notes every heartbeat, and lets an update of a Lease pass when it says more than that the bot still lives.
func (r *Reconciler) leaseNews() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e crevent.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*coordinationv1.Lease)
		after, ok2 := e.ObjectNew.(*coordinationv1.Lease)
		if !ok || !ok2 {
			return true
		}
		now := r.Now()
		var heard time.Time
		if bridge, ok := bridgeKeyOf(after); ok {
			_, heard = r.memory.hear(bridge, after, now, now)
		}
		return isNews(before, after) || !now.Before(staleAt(before, heard))
	}}
}
