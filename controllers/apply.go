// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// fieldOwner is the one field manager of everything that the operator writes.
const fieldOwner = client.FieldOwner("feedbackbridge-operator")

// errForeign: an object of a child's name exists that the operator did not make.
var errForeign = errors.New("an object of this name exists that is not the operator's: rename it, or rename the bridge")

// child is one object that a bridge is to have. It reports whether it had to write.
type child func(ctx context.Context, c *cluster) (bool, error)

// cluster is where children are read and written.
type cluster struct {
	client.Client
	// live reads from the API server instead of the cache.
	live client.Reader
	// echoes are told what was applied.
	echoes *Echoes
}

// declare makes a child of its desired state; object is an empty object to read into. What is read is not the whole
// object: see cachedKinds.
func declare(key client.ObjectKey, object client.Object, desired runtime.ApplyConfiguration) child {
	return func(ctx context.Context, c *cluster) (bool, error) {
		what := kindOf(c.Scheme(), object) + " " + key.Name
		patch, err := json.Marshal(desired)
		if err != nil {
			return false, fmt.Errorf("encode %s: %w", what, err)
		}
		digest := digestOf(patch)
		var written *metav1.PartialObjectMetadata
		err = c.Get(ctx, key, object)
		switch {
		case apierrors.IsNotFound(err):
			written, err = c.create(ctx, what, key, object, patch)
		case err != nil:
			return false, fmt.Errorf("read %s: %w", what, err)
		case digest == ownedDigest(object):
			return false, nil
		default:
			written, err = c.apply(ctx, what, patch)
		}
		if err == nil {
			c.echoes.expect(written, digest)
		}
		return true, err
	}
}

// isSettled is whether an object as the API server has it has everything that is desired, in fields that the operator
// owns, and the operator owns nothing else in it. A field that another writer changed is no longer the operator's, and so
// unsettles it. extract is client-go's function for the kind, which tells what a field manager owns.
func isSettled[T client.Object, A any](object T, desired A, extract func(T, string) (A, error)) (bool, error) {
	owned, err := extract(object, string(fieldOwner))
	if err != nil {
		return false, fmt.Errorf("read the managed fields: %w", err)
	}
	return equality.Semantic.DeepEqual(owned, desired), nil
}

// apply asks for no more of the object in answer than its metadata: the cache brings the rest. patch is the JSON of an
// apply configuration.
func (c *cluster) apply(ctx context.Context, what string, patch []byte) (*metav1.PartialObjectMetadata, error) {
	target := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(patch, target); err != nil {
		return nil, fmt.Errorf("name %s: %w", what, err)
	}
	if err := c.Patch(ctx, target, client.RawPatch(types.ApplyPatchType, patch), fieldOwner, client.ForceOwnership); err != nil {
		return nil, fmt.Errorf("apply %s: %w", what, err)
	}
	return target, nil
}

// unborn is a version that no object ever has. An apply of it makes the object that does not exist, and is refused as a
// conflict where there is one.
const unborn = "1"

// create applies an object that the cache, which sees labelled objects only, does not have. One that is there all the same
// is not touched before it was looked at: applying to a user's own object would fill it with ours, and delete it with the
// bridge.
func (c *cluster) create(
	ctx context.Context, what string, key client.ObjectKey, object client.Object, patch []byte,
) (*metav1.PartialObjectMetadata, error) {
	versioned, err := atVersion(patch, unborn)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", what, err)
	}
	written, err := c.apply(ctx, what, versioned)
	if !apierrors.IsConflict(err) {
		return written, err
	}
	if err := c.refuseForeign(ctx, key, object); err != nil {
		return nil, err
	}
	return c.apply(ctx, what, patch)
}

// atVersion is a patch that is refused as a conflict unless the object has this version.
func atVersion(patch []byte, version string) ([]byte, error) {
	var object, meta map[string]json.RawMessage
	if err := json.Unmarshal(patch, &object); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(object["metadata"], &meta); err != nil {
		return nil, err
	}
	var err error
	if meta["resourceVersion"], err = json.Marshal(version); err != nil {
		return nil, err
	}
	if object["metadata"], err = json.Marshal(meta); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// refuseForeign looks past the cache at an object of a child's name.
func (c *cluster) refuseForeign(ctx context.Context, key client.ObjectKey, object client.Object) error {
	gvk, err := apiutil.GVKForObject(object, c.Scheme())
	if err != nil {
		return fmt.Errorf("name the kind of %T: %w", object, err)
	}
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(gvk)
	err = c.live.Get(ctx, key, found)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("look for %s %s: %w", gvk.Kind, key.Name, err)
	case isOurs(found):
		return nil
	default:
		return fmt.Errorf("apply %s %s: %w", gvk.Kind, key.Name, errForeign)
	}
}

// isOurs is whether the operator made an object: it bears its label, or did and the operator still owns fields in it.
func isOurs(object client.Object) bool {
	if _, labelled := object.GetLabels()[v1alpha1.LabelBridge]; labelled {
		return true
	}
	return slices.ContainsFunc(object.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == string(fieldOwner)
	})
}

func kindOf(scheme *runtime.Scheme, object client.Object) string {
	gvk, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return fmt.Sprintf("%T", object)
	}
	return gvk.Kind
}

// outcome is what came of applying a bridge's children.
type outcome struct {
	// changed is whether anything was written.
	changed bool
	// err is what went wrong, of all children together.
	err error
}

// applyAll applies every child; one that fails does not keep the others from it.
func applyAll(ctx context.Context, c *cluster, children []child) outcome {
	var o outcome
	for _, apply := range children {
		changed, err := apply(ctx, c)
		o.changed = o.changed || changed
		o.err = errors.Join(o.err, err)
	}
	return o
}

// isTerminal is whether trying again cannot help before a person changes something: the API server refuses the
// content, or the name is taken. Of several errors the terminal one decides.
func isTerminal(err error) bool {
	return anyError(err, func(err error) bool {
		return errors.Is(err, errForeign) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
			apierrors.IsRequestEntityTooLargeError(err)
	})
}

// isTearingDown is whether the namespace is going, and nothing can or need be made in it.
func isTearingDown(err error) bool {
	return anyError(err, func(err error) bool { return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) })
}

// isPassing is whether an error is of the moment and says nothing that a person could act on; of several, all have to be.
func isPassing(err error) bool {
	return !anyError(err, func(err error) bool {
		return !apierrors.IsConflict(err) && !apierrors.IsServerTimeout(err) && !apierrors.IsTimeout(err) &&
			!apierrors.IsTooManyRequests(err) && !apierrors.IsServiceUnavailable(err) && !isAPIServersOwn(err) &&
			!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	})
}

// isAPIServersOwn is whether a call failed in the API server, or on the way to it: what is then wrong of a bridge cannot be
// known, let alone written. A webhook that fails looks the same, and stays until a person mends it.
func isAPIServersOwn(err error) bool {
	var unreached *url.Error
	return errors.As(err, &unreached) || (apierrors.IsInternalError(err) && !strings.Contains(err.Error(), "webhook"))
}

// anyError is whether a test holds for an error or, where it joins several, for one of them.
func anyError(err error, test func(error) bool) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return anyError(e, test) })
	}
	return err != nil && test(err)
}
