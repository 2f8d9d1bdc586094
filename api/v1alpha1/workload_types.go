// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// StorageSpec is where the bot keeps its state, and for how long. A change from one place to another moves nothing: unfinished
// tickets stay behind, and numbers begin anew.
//
// +kubebuilder:validation:XValidation:rule="[has(self.persistentVolumeClaim), has(self.postgres), has(self.ephemeral)].filter(x, x).size() <= 1",message="storage takes one of persistentVolumeClaim, postgres and ephemeral: remove the others"
type StorageSpec struct {
	// persistentVolumeClaim keeps the state in a volume that outlives the pod and the bridge.
	// +optional
	PersistentVolumeClaim *VolumeClaimSpec `json:"persistentVolumeClaim,omitempty"`

	// postgres keeps the state in a PostgreSQL database, so that runtime.replicas may be more than 1.
	// +optional
	Postgres *PostgresSpec `json:"postgres,omitempty"`

	// ephemeral keeps the state in the pod: unfinished tickets are lost with it. For trials.
	// +optional
	Ephemeral *EphemeralSpec `json:"ephemeral,omitempty"`

	// retention is for how long what is finished is kept.
	// +optional
	Retention RetentionSpec `json:"retention,omitzero"`
}

// PostgresSpec is the PostgreSQL database that the bot's state is kept in, in a schema of the bridge's own, which the bot
// makes: "fbb_", the namespace, "__" and the bridge's name.
type PostgresSpec struct {
	// dsnSecretRef holds the connection string, such as postgres://user:password@host:5432/database?sslmode=verify-full. A
	// pooler between must pool by session: the bot holds a lock for as long as it works.
	// +required
	DSNSecretRef SecretKeyRef `json:"dsnSecretRef,omitzero"`

	// port is the port that the bot's NetworkPolicy lets it reach the database at; 5432 unless given. Where a Service
	// translates ports, it is the one behind.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// RetentionSpec is for how long what is finished is kept. What waits is kept until it is done.
type RetentionSpec struct {
	// tickets is how long a ticket is kept after anything last happened to it, with its links and statuses; 2160h (90 days)
	// unless given. Later replies to it reach nobody, and a feedback that the site sends again becomes a new ticket.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('24h') && duration(self) <= duration('87600h')",message="retention.tickets must be between 24h and 87600h"
	Tickets Duration `json:"tickets,omitempty"`

	// events is how long what the site may want to know is kept; 720h (30 days) unless given.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="retention.events must be between 1h and 87600h"
	Events Duration `json:"events,omitempty"`

	// people is how long those who wrote to the bot and have no ticket are remembered; 4320h (180 days) unless given. Who is
	// banned stays so.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('24h') && duration(self) <= duration('87600h')",message="retention.people must be between 24h and 87600h"
	People Duration `json:"people,omitempty"`
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
	// replicas is how many pods run; 1 unless given. One works, the others stand by: one of them goes on where it stopped, within
	// seconds. More than 1 needs storage.postgres.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	Replicas *int32 `json:"replicas,omitempty"`

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
