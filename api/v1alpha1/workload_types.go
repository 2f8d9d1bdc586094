// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// StorageSpec is where the bot keeps its state.
//
// +kubebuilder:validation:XValidation:rule="has(self.persistentVolumeClaim) != has(self.ephemeral)",message="storage needs exactly one of persistentVolumeClaim and ephemeral"
type StorageSpec struct {
	// persistentVolumeClaim keeps the state in a volume that outlives the pod and the bridge.
	// +optional
	PersistentVolumeClaim *VolumeClaimSpec `json:"persistentVolumeClaim,omitempty"`

	// ephemeral keeps the state in the pod: unfinished tickets are lost with it. For trials.
	// +optional
	Ephemeral *EphemeralSpec `json:"ephemeral,omitempty"`
}

// VolumeClaimSpec is the volume that the bot's state is kept in.
//
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storageClassName cannot change once the volume exists: delete and re-create the claim to move"
type VolumeClaimSpec struct {
	// size is the size of the volume; it may grow where the storage class allows it.
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? int(self) > 0 : quantity(string(self)).isGreaterThan(quantity('0'))",message="size must be more than 0, such as 1Gi"
	Size *resource.Quantity `json:"size,omitempty"`

	// storageClassName is the storage class; the cluster's default unless given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`
}

// EphemeralSpec keeps the state in the pod.
type EphemeralSpec struct{}

// LogLevel is how much the bot logs.
//
// +kubebuilder:validation:Enum=debug;info;warn;error
type LogLevel string

// RuntimeSpec is how the bot's pod is run.
type RuntimeSpec struct {
	// image is the bot's image; the operator's own choice unless given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`

	// resources are the bot's requests and limits; 10m CPU and 32Mi requested, 128Mi limit unless given.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// nodeSelector selects the nodes that the pod may run on.
	// +optional
	// +mapType=atomic
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations are the taints that the pod tolerates.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity is the pod's scheduling affinity.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// podAnnotations are added to the pod.
	// +optional
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`

	// priorityClassName is the pod's priority class.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// logLevel is how much the bot logs.
	// +optional
	// +kubebuilder:default=info
	LogLevel LogLevel `json:"logLevel,omitempty"`
}
