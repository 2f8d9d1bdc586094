// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	crevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
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
// +kubebuilder:rbac:groups=feedbackbridge.dev,resources=feedbackbridges,verbs=get;list;watch
// +kubebuilder:rbac:groups=feedbackbridge.dev,resources=feedbackbridges/status,verbs=patch
// +kubebuilder:rbac:groups=feedbackbridge.dev,resources=feedbackbridges/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=serviceaccounts;configmaps;persistentvolumeclaims,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=list
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

// childTypes are the kinds of children that are cached whole, those with the operator's label only.
func childTypes() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{}, &corev1.ConfigMap{}, &corev1.PersistentVolumeClaim{},
		&rbacv1.Role{}, &rbacv1.RoleBinding{}, &appsv1.Deployment{},
		&networkingv1.NetworkPolicy{}, &coordinationv1.Lease{},
	}
}

// CacheOptions are the cache that the Reconciler depends on. It watches the given namespaces, or all where none is.
func CacheOptions(namespaces []string) cache.Options {
	labelled, err := labels.NewRequirement(v1alpha1.LabelBridge, selection.Exists, nil)
	utilruntime.Must(err)
	options := cache.Options{ByObject: map[client.Object]cache.ByObject{
		&v1alpha1.FeedbackBridge{}: {Transform: cache.TransformStripManagedFields()},
		&corev1.Secret{}:           {Transform: bareMetadata},
	}}
	for _, child := range childTypes() {
		options.ByObject[child] = cache.ByObject{Label: labels.NewSelector().Add(*labelled)}
	}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// bareMetadata keeps of a Secret's metadata what tells one version from another.
func bareMetadata(object any) (any, error) {
	m, err := meta.Accessor(object)
	if err != nil {
		// A tombstone, or whatever else is no object, passes as it is.
		return object, nil
	}
	m.SetManagedFields(nil)
	m.SetAnnotations(nil)
	m.SetLabels(nil)
	m.SetOwnerReferences(nil)
	return object, nil
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
		For(&v1alpha1.FeedbackBridge{}).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, longestRetry),
		}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.bridgesOfSecret), builder.OnlyMetadata)
	for _, child := range childTypes() {
		if _, isLease := child.(*coordinationv1.Lease); isLease {
			b.Watches(child, handler.EnqueueRequestsFromMapFunc(bridgeOfChild), builder.WithPredicates(r.leaseNews()))
			continue
		}
		b.Watches(child, handler.EnqueueRequestsFromMapFunc(bridgeOfChild))
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

// bridgeOfChild finds a child's bridge by its label; the volume claim has no owner to find it by.
func bridgeOfChild(_ context.Context, child client.Object) []reconcile.Request {
	bridge := child.GetLabels()[v1alpha1.LabelBridge]
	if bridge == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: child.GetNamespace(), Name: bridge}}}
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
		bridge := types.NamespacedName{Namespace: after.Namespace, Name: after.Labels[v1alpha1.LabelBridge]}
		_, heard := r.memory.hear(bridge, after, now, now)
		return isNews(before, after) || !now.Before(staleAt(before, heard))
	}}
}
