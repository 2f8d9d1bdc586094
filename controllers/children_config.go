// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// annotationCredentials is, on the bot's ConfigMap, spec.credentials as JSON: by what the operator made the keys that the bot
// has. The bot reads them as files, and neither knows nor has to be restarted when it is told where they come from.
const annotationCredentials = "feedbackbridge.dev/credentials" //nolint:gosec // where credentials are, not one

// botManifest is the bridge as the bot reads it: with its defaults, and without what concerns only its pod or only the
// operator, so that a change there does not look like a change of the bot's work, and a bot of the version before, which
// refuses fields that it does not know, finds none.
func botManifest(b *v1alpha1.FeedbackBridge) (string, error) {
	m := v1alpha1.FeedbackBridge{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: b.Name, Namespace: b.Namespace},
		Spec:       *b.Spec.DeepCopy(),
	}
	m.SetDefaults()
	m.Spec.Suspend = nil
	m.Spec.Storage = v1alpha1.StorageSpec{Retention: m.Spec.Storage.Retention}
	if p := b.Spec.Storage.Postgres; p != nil {
		m.Spec.Storage.Postgres = &v1alpha1.PostgresSpec{DSNSecretRef: p.DSNSecretRef}
	}
	m.Spec.Runtime = v1alpha1.RuntimeSpec{LogLevel: m.Spec.Runtime.LogLevel}
	m.Spec.Credentials = v1alpha1.CredentialsSpec{HMAC: v1alpha1.HMACSpec{MessageTTL: m.Spec.Credentials.HMAC.MessageTTL}}
	text, err := yaml.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("write the bot's manifest: %w", err)
	}
	return string(text), nil
}

// hashOf is a short hash of a text, for the pod template's annotation.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

func buildConfigMap(b *v1alpha1.FeedbackBridge, manifest string) (*corev1ac.ConfigMapApplyConfiguration, error) {
	credentials, err := json.Marshal(b.Spec.Credentials)
	if err != nil {
		return nil, fmt.Errorf("write the bot's ConfigMap: %w", err)
	}
	return corev1ac.ConfigMap(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(labelsOf(b)).
		WithAnnotations(map[string]string{annotationCredentials: string(credentials)}).
		WithOwnerReferences(ownerOf(b)).
		WithData(map[string]string{v1alpha1.FileBridge: manifest}), nil
}

// specInForce is the spec that a bot's ConfigMap was made of, as far as the operator goes on with it while a newer one is
// invalid. The version before had the credentials in the manifest.
func specInForce(config *corev1.ConfigMap) (*v1alpha1.FeedbackBridgeSpec, error) {
	var running v1alpha1.FeedbackBridge
	if err := yaml.Unmarshal([]byte(config.Data[v1alpha1.FileBridge]), &running); err != nil {
		return nil, fmt.Errorf("read the bot's manifest: %w", err)
	}
	text, ok := config.Annotations[annotationCredentials]
	if !ok {
		return &running.Spec, nil
	}
	running.Spec.Credentials = v1alpha1.CredentialsSpec{}
	if err := json.Unmarshal([]byte(text), &running.Spec.Credentials); err != nil {
		return nil, fmt.Errorf("read the annotation %s: %w", annotationCredentials, err)
	}
	return &running.Spec, nil
}

// buildVolumeClaim has no owner: unfinished tickets outlive the bridge, and a bridge of the same name finds them again.
// It is nil where the state is elsewhere; a claim from before is left alone.
func buildVolumeClaim(b *v1alpha1.FeedbackBridge) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	pvc := b.Spec.Storage.PersistentVolumeClaim
	if pvc == nil {
		return nil
	}
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: pvc.Size.DeepCopy()}))
	if pvc.StorageClassName != nil {
		spec.WithStorageClassName(*pvc.StorageClassName)
	}
	return corev1ac.PersistentVolumeClaim(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(keptLabelsOf(b)).
		WithSpec(spec)
}
