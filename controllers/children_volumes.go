// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The names of the pod's volumes.
const (
	volumeBridge         = "bridge"
	volumeCredentials    = "credentials"
	volumeServiceAccount = "service-account"
	volumeState          = "state"
)

const (
	// secretFileMode lets the bot's group read credentials, and nobody else.
	secretFileMode = int32(0o440)
	// serviceAccountTokenSeconds is how long the token for the Lease is valid; the kubelet renews it.
	serviceAccountTokenSeconds = int64(3600)
)

func buildVolumes(b *v1alpha1.FeedbackBridge) []*corev1ac.VolumeApplyConfiguration {
	state := corev1ac.Volume().WithName(volumeState)
	if b.Spec.Storage.PersistentVolumeClaim != nil {
		state.WithPersistentVolumeClaim(corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(v1alpha1.BotName(b.Name)))
	} else {
		// With a database, it holds no more than the socket that answers the probes.
		state.WithEmptyDir(corev1ac.EmptyDirVolumeSource())
	}
	return []*corev1ac.VolumeApplyConfiguration{
		corev1ac.Volume().WithName(volumeBridge).WithConfigMap(corev1ac.ConfigMapVolumeSource().
			WithName(v1alpha1.BotName(b.Name)).WithDefaultMode(0o444)),
		corev1ac.Volume().WithName(volumeCredentials).WithProjected(corev1ac.ProjectedVolumeSource().
			WithDefaultMode(secretFileMode).WithSources(credentialSources(b)...)),
		corev1ac.Volume().WithName(volumeServiceAccount).WithProjected(corev1ac.ProjectedVolumeSource().
			WithDefaultMode(secretFileMode).WithSources(serviceAccountSources()...)),
		state,
	}
}

// credentialSources are the bot's own Secret, whole, and of the user's Secrets the one key each that the bot needs.
// The signing key is not among them.
func credentialSources(b *v1alpha1.FeedbackBridge) []*corev1ac.VolumeProjectionApplyConfiguration {
	sources := []*corev1ac.VolumeProjectionApplyConfiguration{
		corev1ac.VolumeProjection().WithSecret(corev1ac.SecretProjection().WithName(v1alpha1.BotName(b.Name))),
		secretFile(b.Spec.Telegram.TokenSecretRef, v1alpha1.FileTelegramToken),
	}
	if ref := b.Spec.Credentials.JWT.TokenSecretRef; ref != nil {
		sources = append(sources, secretFile(*ref, v1alpha1.FileJWT))
	}
	if ref := caRef(&b.Spec); ref != nil {
		sources = append(sources, secretFile(*ref, v1alpha1.FileSiteCA))
	}
	if ref := dsnRef(&b.Spec); ref != nil {
		sources = append(sources, secretFile(*ref, v1alpha1.FilePostgresDSN))
	}
	return sources
}

func secretFile(ref v1alpha1.SecretKeyRef, file string) *corev1ac.VolumeProjectionApplyConfiguration {
	return corev1ac.VolumeProjection().WithSecret(corev1ac.SecretProjection().
		WithName(ref.Name).
		WithItems(corev1ac.KeyToPath().WithKey(ref.Key).WithPath(file)))
}

// serviceAccountSources are what a client in a pod expects, for the Lease.
func serviceAccountSources() []*corev1ac.VolumeProjectionApplyConfiguration {
	return []*corev1ac.VolumeProjectionApplyConfiguration{
		corev1ac.VolumeProjection().WithServiceAccountToken(corev1ac.ServiceAccountTokenProjection().
			WithPath("token").WithExpirationSeconds(serviceAccountTokenSeconds)),
		corev1ac.VolumeProjection().WithConfigMap(corev1ac.ConfigMapProjection().
			WithName("kube-root-ca.crt").WithItems(corev1ac.KeyToPath().WithKey("ca.crt").WithPath("ca.crt"))),
		corev1ac.VolumeProjection().WithDownwardAPI(corev1ac.DownwardAPIProjection().
			WithItems(corev1ac.DownwardAPIVolumeFile().WithPath("namespace").WithFieldRef(
				corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("metadata.namespace")))),
	}
}
