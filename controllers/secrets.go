// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// problem is why a condition is not True: a reason and, for people, what is wrong and what to do. No secret is in it.
type problem struct{ reason, message string }

func (p problem) Error() string { return p.message }

func problemf(reason, format string, args ...any) *problem {
	return &problem{reason: reason, message: fmt.Sprintf(format, args...)}
}

// secretRefs are the Secrets that a bridge refers to; it always has at least one.
func secretRefs(s *v1alpha1.FeedbackBridgeSpec) []v1alpha1.SecretKeyRef {
	refs := []v1alpha1.SecretKeyRef{s.Telegram.TokenSecretRef}
	for _, ref := range []*v1alpha1.SecretKeyRef{
		s.Credentials.HMAC.SecretRef, s.Credentials.JWT.SigningKeySecretRef, s.Credentials.JWT.TokenSecretRef, caRef(s), dsnRef(s),
	} {
		if ref != nil {
			refs = append(refs, *ref)
		}
	}
	return refs
}

func caRef(s *v1alpha1.FeedbackBridgeSpec) *v1alpha1.SecretKeyRef {
	if s.Site.TLS == nil {
		return nil
	}
	return s.Site.TLS.CASecretRef
}

func dsnRef(s *v1alpha1.FeedbackBridgeSpec) *v1alpha1.SecretKeyRef {
	if s.Storage.Postgres == nil {
		return nil
	}
	return &s.Storage.Postgres.DSNSecretRef
}

// secretNames are the names of the Secrets that a bridge depends on: the user's and the operator's own. Sorted, unique.
func secretNames(b *v1alpha1.FeedbackBridge) []string {
	names := []string{v1alpha1.BotName(b.Name)}
	if site := b.SiteSecretName(); site != "" {
		names = append(names, site)
	}
	if b.Spec.Credentials.JWT.Generate != nil {
		names = append(names, v1alpha1.SigningSecretName(b.Name))
	}
	for _, ref := range secretRefs(&b.Spec) {
		names = append(names, ref.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// secretSet is Secrets by name; nil for one that does not exist.
type secretSet map[string]*corev1.Secret

// readSecrets reads Secrets from the API server, for they are in no cache.
func readSecrets(ctx context.Context, api client.Reader, namespace string, names []string) (secretSet, error) {
	set := make(secretSet, len(names))
	for _, name := range names {
		var secret corev1.Secret
		err := api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &secret)
		switch {
		case apierrors.IsNotFound(err):
			set[name] = nil
		case err != nil:
			return nil, fmt.Errorf("read Secret %s: %w", name, err)
		default:
			set[name] = &secret
		}
	}
	return set, nil
}

// value is what a reference points at, without one trailing newline. holding says what it should be, for messages.
func (s secretSet) value(ref v1alpha1.SecretKeyRef, holding string) ([]byte, *problem) {
	secret := s[ref.Name]
	if secret == nil {
		return nil, problemf(v1alpha1.ReasonSecretNotFound,
			"Secret %q does not exist: create it, with %s under the key %q", ref.Name, holding, ref.Key)
	}
	raw, ok := secret.Data[ref.Key]
	if !ok {
		return nil, problemf(v1alpha1.ReasonSecretKeyNotFound,
			"Secret %q has no key %q: add it, with %s, or correct the reference; %s", ref.Name, ref.Key, holding, keysOf(secret))
	}
	return v1alpha1.CredentialValue(raw), nil
}

// keysOf lists a Secret's keys, so that a misspelt one is found at a glance.
func keysOf(secret *corev1.Secret) string {
	const most = 10
	keys := slices.Sorted(maps.Keys(secret.Data))
	switch {
	case len(keys) == 0:
		return "it is empty"
	case len(keys) > most:
		return fmt.Sprintf("it has %s and %d more", strings.Join(keys[:most], ", "), len(keys)-most)
	default:
		return "it has " + strings.Join(keys, ", ")
	}
}

// malformed is the problem of a value that is there and cannot be used.
func malformed(ref v1alpha1.SecretKeyRef, err error) *problem {
	return problemf(v1alpha1.ReasonSecretMalformed, "Secret %q: the value of %q %v", ref.Name, ref.Key, err)
}
