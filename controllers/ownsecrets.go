// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"maps"
	"time"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// loadHeld reads what the operator's own Secrets of a bridge hold.
func loadHeld(b *v1alpha1.FeedbackBridge, secrets secretSet, in credentialsInput) (held, error) {
	h := held{uid: string(b.UID)}
	var site, signing stored
	for name, into := range map[string]*stored{
		v1alpha1.BotName(b.Name): &h.stored, b.SiteSecretName(): &site, v1alpha1.SigningSecretName(b.Name): &signing,
	} {
		var err error
		if *into, err = storedIn(secrets[name], b.Name); err != nil {
			return held{}, err
		}
	}
	h.handled = h.stored.annotations[annotationHandledRotateNow]
	now := in.now.UTC().Truncate(time.Second)
	h.hmac = loadHMAC(h.stored, site, now, in.hmacOverlap())
	h.tokens = tokens{string(h.stored.data[v1alpha1.FileJWT]), string(h.stored.data[v1alpha1.FileJWTPrevious])}
	h.jwks = parseJWKS(site.data[v1alpha1.SiteJWKS])
	if in.spec.Credentials.JWT.Generate != nil {
		h.pairs = loadKeyPairs(signing, h.tokens, now)
	}
	return h, nil
}

// writes are the operator's Secrets as they should be, in the order in which they have to be written. A key is stored
// before anything that depends on it: the signing keys before the tokens, the HMAC keys that the bot is to accept before
// those that the site may sign with.
func (c *credentials) writes(b *v1alpha1.FeedbackBridge) ([]secretWrite, error) {
	var list []secretWrite
	if b.Spec.Credentials.JWT.Generate != nil {
		list = append(list, secretWrite{buildSigningSecret(b, c.hold.pairs), c.signingEvents})
	}
	list = append(list, secretWrite{buildSecret(b, c.hold), c.events})
	if b.SiteSecretName() == "" {
		return list, nil
	}
	site, err := buildSiteSecret(b, c.hold)
	if err != nil {
		return nil, err
	}
	return append(list, secretWrite{site, c.siteEvents}), nil
}

// buildSecret is the bot's: the HMAC keys and the minted tokens. The user's other Secrets are mounted beside it, not
// copied.
func buildSecret(b *v1alpha1.FeedbackBridge, hold held) *corev1ac.SecretApplyConfiguration {
	data := hold.hmac.data()
	for file, token := range map[string]string{v1alpha1.FileJWT: hold.tokens.token, v1alpha1.FileJWTPrevious: hold.tokens.previous} {
		if token != "" {
			data[file] = []byte(token)
		}
	}
	return ownSecret(b, v1alpha1.BotName(b.Name), data, hold.hmac.annotations(), hold.handled).
		WithLabels(labelsOf(b)).WithOwnerReferences(ownerOf(b))
}

// buildSigningSecret holds the generated signing keys. It has no owner: a bridge made anew goes on with them, and the site
// needs no other public keys.
func buildSigningSecret(b *v1alpha1.FeedbackBridge, pairs keyPairs) *corev1ac.SecretApplyConfiguration {
	return ownSecret(b, v1alpha1.SigningSecretName(b.Name), pairs.data(), pairs.annotations(), pairs.handled)
}

// buildSiteSecret is what the site needs. It has no owner either: the site goes on with it.
func buildSiteSecret(b *v1alpha1.FeedbackBridge, hold held) (*corev1ac.SecretApplyConfiguration, error) {
	data := hold.hmac.siteData()
	public, err := hold.jwks.text()
	if err != nil {
		return nil, fmt.Errorf("build Secret %s: %w", b.SiteSecretName(), err)
	}
	if public != nil {
		data[v1alpha1.SiteJWKS] = public
	}
	return ownSecret(b, b.SiteSecretName(), data, nil, ""), nil
}

func ownSecret(b *v1alpha1.FeedbackBridge, name string, data map[string][]byte, times map[string]string, handled string) *corev1ac.SecretApplyConfiguration {
	annotations := maps.Clone(times)
	if handled != "" {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[annotationHandledRotateNow] = handled
	}
	secret := corev1ac.Secret(name, b.Namespace).WithLabels(keptLabelsOf(b))
	if len(annotations) > 0 {
		secret.WithAnnotations(annotations)
	}
	if len(data) > 0 {
		secret.WithData(data)
	}
	return secret
}
