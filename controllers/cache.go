// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coordinationac "k8s.io/client-go/applyconfigurations/coordination/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"
	rbacac "k8s.io/client-go/applyconfigurations/rbac/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// helmRelease is the type of the Secrets in which Helm keeps every release of every chart; no bridge refers to one.
const helmRelease = "helm.sh/release.v1"

// cachedKind is a kind of object that belongs to bridges, and what of such an object is cached.
type cachedKind struct {
	object    client.Object
	transform toolscache.TransformFunc
}

// cachedKinds are the kinds that are cached, those with the operator's label only: the children, stripped of what nothing
// reads, and the bots' pods.
func cachedKinds(echoes *Echoes) []cachedKind {
	return []cachedKind{
		childKind(echoes, corev1ac.ExtractServiceAccount, nil),
		childKind(echoes, corev1ac.ExtractConfigMap, nil),
		childKind(echoes, rbacac.ExtractRole, nil),
		childKind(echoes, rbacac.ExtractRoleBinding, nil),
		childKind(echoes, networkingac.ExtractNetworkPolicy, nil),
		childKind(echoes, corev1ac.ExtractPersistentVolumeClaim, func(kept, whole *corev1.PersistentVolumeClaim) {
			kept.Spec.StorageClassName, kept.Status.Phase = whole.Spec.StorageClassName, whole.Status.Phase
		}),
		childKind(echoes, appsac.ExtractDeployment, func(kept, whole *appsv1.Deployment) {
			kept.Spec.Replicas, kept.Status = whole.Spec.Replicas, whole.Status
		}),
		childKind(echoes, coordinationac.ExtractLease, func(kept, whole *coordinationv1.Lease) {
			kept.Spec = whole.Spec
			if report, ok := whole.Annotations[v1alpha1.AnnotationReport]; ok {
				kept.Annotations = map[string]string{v1alpha1.AnnotationReport: report}
			}
		}),
		{&corev1.Pod{}, transformTo(strippedPod)},
	}
}

// CacheOptions are the cache that the Reconciler depends on, which has the same echoes. It watches the given namespaces, or
// all where none is.
func CacheOptions(namespaces []string, echoes *Echoes) cache.Options {
	labelled, err := labels.NewRequirement(v1alpha1.LabelBridge, selection.Exists, nil)
	utilruntime.Must(err)
	options := cache.Options{ByObject: map[client.Object]cache.ByObject{
		&v1alpha1.FeedbackBridge{}: {Transform: transformTo(strippedBridge)},
		&corev1.Secret{}: {
			Transform: bareMetadata,
			Field:     fields.OneTermNotEqualSelector("type", helmRelease),
		},
	}}
	for _, kind := range cachedKinds(echoes) {
		options.ByObject[kind.object] = cache.ByObject{Label: labels.NewSelector().Add(*labelled), Transform: kind.transform}
	}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// transformTo makes a cache's transform of a function; a tombstone, or whatever else is no T, passes as it is.
func transformTo[T client.Object](strip func(T) (T, error)) toolscache.TransformFunc {
	return func(object any) (any, error) {
		whole, ok := object.(T)
		if !ok {
			return object, nil
		}
		return strip(whole)
	}
}

// childKind caches, of a kind of children, what tells one object and one version from another, a digest of what the
// operator owns in it, and what keep copies. extract is client-go's function for the kind.
func childKind[T any, P interface {
	*T
	client.Object
}, A any](echoes *Echoes, extract func(P, string) (A, error), keep func(kept, whole P)) cachedKind {
	return cachedKind{P(new(T)), transformTo(func(whole P) (P, error) {
		if isStripped(whole) {
			return whole, nil
		}
		digest, known := echoes.heard(whole)
		if !known {
			owned, err := extract(whole, string(fieldOwner))
			if err != nil {
				return nil, fmt.Errorf("read the managed fields of %s: %w", whole.GetName(), err)
			}
			text, err := json.Marshal(owned)
			if err != nil {
				return nil, fmt.Errorf("encode %T: %w", owned, err)
			}
			digest = digestOf(text)
		}
		kept := P(new(T))
		identify(kept, whole)
		setOwnedDigest(kept, digest)
		if keep != nil {
			keep(kept, whole)
		}
		return kept, nil
	})}
}

// digestOf is a digest of a text, such as the JSON of an apply configuration. Two of these have the same digest when they
// are the same, for their JSON is canonical: fields in their order, sorted keys, quantities in their canonical form, and
// nothing of what is empty.
func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawStdEncoding.EncodeToString(sum[:18])
}

// digestPrefix marks a digest in a cached child's selfLink. API servers have stopped to set it; a map for an annotation
// would take ten times the memory.
const digestPrefix = "owned:"

func setOwnedDigest(cached client.Object, digest string) { cached.SetSelfLink(digestPrefix + digest) }

// ownedDigest is the digest of what the operator owns in a child as it is cached.
func ownedDigest(cached client.Object) string {
	return strings.TrimPrefix(cached.GetSelfLink(), digestPrefix)
}

// isStripped is whether an object has been transformed before: informers transform what they replay once more.
func isStripped(object client.Object) bool {
	return object.GetManagedFields() == nil && strings.HasPrefix(object.GetSelfLink(), digestPrefix)
}

// identify copies what tells one object and one version from another.
func identify(to, from client.Object) {
	to.SetNamespace(from.GetNamespace())
	to.SetName(from.GetName())
	to.SetUID(from.GetUID())
	to.SetResourceVersion(from.GetResourceVersion())
	to.SetGeneration(from.GetGeneration())
	to.SetCreationTimestamp(from.GetCreationTimestamp())
	to.SetDeletionTimestamp(from.GetDeletionTimestamp())
}

// strippedPod keeps of a pod what tells why its bot does not run.
func strippedPod(whole *corev1.Pod) (*corev1.Pod, error) {
	kept := &corev1.Pod{Status: corev1.PodStatus{
		Phase: whole.Status.Phase, Reason: whole.Status.Reason, Message: whole.Status.Message,
	}}
	identify(kept, whole)
	kept.Labels = map[string]string{}
	for _, key := range []string{"app.kubernetes.io/name", v1alpha1.LabelBridge} {
		kept.Labels[key] = whole.Labels[key]
	}
	for i := range whole.Spec.Containers {
		if whole.Status.Phase != corev1.PodRunning {
			kept.Spec.Containers = append(kept.Spec.Containers, corev1.Container{Image: whole.Spec.Containers[i].Image})
		}
	}
	for _, c := range whole.Status.Conditions {
		if c.Type == corev1.PodScheduled {
			kept.Status.Conditions = append(kept.Status.Conditions, c)
		}
	}
	for i := range whole.Status.ContainerStatuses {
		s := &whole.Status.ContainerStatuses[i]
		kept.Status.ContainerStatuses = append(kept.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: s.Name, Image: s.Image, State: s.State, LastTerminationState: s.LastTerminationState, RestartCount: s.RestartCount,
		})
	}
	return kept, nil
}

// strippedBridge drops what others keep in a bridge's metadata for themselves.
func strippedBridge(whole *v1alpha1.FeedbackBridge) (*v1alpha1.FeedbackBridge, error) {
	whole.ManagedFields = nil
	delete(whole.Annotations, corev1.LastAppliedConfigAnnotation)
	return whole, nil
}

// bareMetadata keeps of a Secret's metadata what tells one version from another.
func bareMetadata(object any) (any, error) {
	whole, err := meta.Accessor(object)
	if err != nil {
		// A tombstone, or whatever else is no object, passes as it is.
		return object, nil
	}
	whole.SetManagedFields(nil)
	whole.SetAnnotations(nil)
	whole.SetLabels(nil)
	whole.SetOwnerReferences(nil)
	return object, nil
}
