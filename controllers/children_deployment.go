// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// annotationConfigHash rolls the pod when its manifest changes. Secrets are not in it: the bot reloads them.
	annotationConfigHash = "feedbackbridge.dev/config-hash"
	botContainer         = "bot"
	botUser              = int64(65532)
	stateDir             = "/var/lib/feedbackbridge"
	bridgeDir            = "/etc/feedbackbridge"
	credentialsDir       = "/var/run/feedbackbridge/credentials" //nolint:gosec // a path, not a credential
	serviceAccountDir    = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// buildDeployment runs one bot, or as many as the spec says, or none while suspended.
func buildDeployment(b *v1alpha1.FeedbackBridge, image, configHash string) (*appsac.DeploymentApplyConfiguration, error) {
	template, err := buildPodTemplate(b, image, configHash)
	if err != nil {
		return nil, err
	}
	return appsac.Deployment(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(labelsOf(b)).
		WithOwnerReferences(ownerOf(b)).
		WithSpec(appsac.DeploymentSpec().
			WithReplicas(replicasOf(b)).
			WithRevisionHistoryLimit(2).
			WithStrategy(buildStrategy(b)).
			WithSelector(labelSelector(b)).
			WithTemplate(template)), nil
}

func suspended(b *v1alpha1.FeedbackBridge) bool { return b.Spec.Suspend != nil && *b.Spec.Suspend }

func replicasOf(b *v1alpha1.FeedbackBridge) int32 {
	switch replicas := b.Spec.Runtime.Replicas; {
	case suspended(b):
		return 0
	case replicas == nil:
		return 1
	default:
		return *replicas
	}
}

// buildStrategy is how a new bot takes the place of the one before. On one volume they would wait for each other, so the
// old one goes first; with a database the new one stands by until the old one gives way.
func buildStrategy(b *v1alpha1.FeedbackBridge) *appsac.DeploymentStrategyApplyConfiguration {
	if b.Spec.Storage.Postgres == nil {
		return appsac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)
	}
	return appsac.DeploymentStrategy().WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsac.RollingUpdateDeployment().
			WithMaxSurge(intstr.FromInt32(1)).WithMaxUnavailable(intstr.FromInt32(0)))
}

// spreadPods keeps the pods of one bridge on different nodes where there are several of either.
func spreadPods(b *v1alpha1.FeedbackBridge) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return corev1ac.TopologySpreadConstraint().
		WithMaxSkew(1).
		WithTopologyKey(corev1.LabelHostname).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(labelSelector(b))
}

func buildPodTemplate(b *v1alpha1.FeedbackBridge, image, configHash string) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	annotations := map[string]string{}
	maps.Copy(annotations, b.Spec.Runtime.PodAnnotations)
	annotations[annotationConfigHash] = configHash
	pod := corev1ac.PodSpec().
		WithServiceAccountName(v1alpha1.BotName(b.Name)).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(10).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).
			WithRunAsUser(botUser).
			WithRunAsGroup(botUser).
			WithFSGroup(botUser).
			WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithVolumes(buildVolumes(b)...)
	if b.Spec.Storage.Postgres != nil {
		pod.WithTopologySpreadConstraints(spreadPods(b))
	}
	container, err := buildContainer(b, image)
	if err != nil {
		return nil, err
	}
	if err := place(pod, &b.Spec.Runtime); err != nil {
		return nil, err
	}
	return corev1ac.PodTemplateSpec().
		WithLabels(labelsOf(b)).
		WithAnnotations(annotations).
		WithSpec(pod.WithContainers(container)), nil
}

// place copies what the spec says of where the pod runs.
func place(pod *corev1ac.PodSpecApplyConfiguration, r *v1alpha1.RuntimeSpec) error {
	if len(r.NodeSelector) > 0 {
		pod.WithNodeSelector(r.NodeSelector)
	}
	if r.PriorityClassName != "" {
		pod.WithPriorityClassName(r.PriorityClassName)
	}
	for i := range r.Tolerations {
		toleration, err := applyForm[corev1ac.TolerationApplyConfiguration](r.Tolerations[i])
		if err != nil {
			return fmt.Errorf("spec.runtime.tolerations: %w", err)
		}
		pod.WithTolerations(toleration)
	}
	if r.Affinity == nil {
		return nil
	}
	affinity, err := applyForm[corev1ac.AffinityApplyConfiguration](r.Affinity)
	if err != nil {
		return fmt.Errorf("spec.runtime.affinity: %w", err)
	}
	pod.WithAffinity(affinity)
	return nil
}

// applyForm turns an API type into its apply configuration, which has the same JSON.
func applyForm[A any](v any) (*A, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	out := new(A)
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("decode %T: %w", out, err)
	}
	return out, nil
}

func buildContainer(b *v1alpha1.FeedbackBridge, image string) (*corev1ac.ContainerApplyConfiguration, error) {
	if b.Spec.Runtime.Image != "" {
		image = b.Spec.Runtime.Image
	}
	resources := b.Spec.Runtime.Resources
	if resources == nil {
		resources = defaultResources()
	}
	res, err := applyForm[corev1ac.ResourceRequirementsApplyConfiguration](resources)
	if err != nil {
		return nil, fmt.Errorf("spec.runtime.resources: %w", err)
	}
	return corev1ac.Container().
		WithName(botContainer).
		WithImage(image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithCommand("/feedbackbridge-bot", "run",
			"--bridge", bridgeDir+"/"+v1alpha1.FileBridge,
			"--credentials", credentialsDir,
			"--state", stateDir,
			"--lease", v1alpha1.BotName(b.Name)).
		WithEnv(fieldEnv("POD_NAME", "metadata.name"), fieldEnv("POD_NAMESPACE", "metadata.namespace")).
		WithResources(res).
		// The end of the log tells what it crashed of; the status repeats its last line.
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithVolumeMounts(
			mount(volumeBridge, bridgeDir, true),
			mount(volumeCredentials, credentialsDir, true),
			mount(volumeServiceAccount, serviceAccountDir, true),
			mount(volumeState, stateDir, false)).
		WithStartupProbe(execProbe("live").WithPeriodSeconds(1).WithFailureThreshold(60)).
		WithLivenessProbe(execProbe("live").WithPeriodSeconds(15).WithFailureThreshold(3)).
		WithReadinessProbe(execProbe("ready").WithPeriodSeconds(5).WithFailureThreshold(2)).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))), nil
}

func defaultResources() *corev1.ResourceRequirements {
	return &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("32Mi"),
		},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
	}
}

func fieldEnv(name, path string) *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().
		WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath(path)))
}

func execProbe(what string) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithExec(corev1ac.ExecAction().WithCommand("/feedbackbridge-bot", "probe", what, "--state", stateDir)).
		WithTimeoutSeconds(5)
}

func mount(volume, path string, readOnly bool) *corev1ac.VolumeMountApplyConfiguration {
	m := corev1ac.VolumeMount().WithName(volume).WithMountPath(path)
	if readOnly {
		m.WithReadOnly(true)
	}
	return m
}
