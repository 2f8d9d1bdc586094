// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// progressDeadlineExceeded is the reason that the Deployment controller gives when it has waited long enough.
const progressDeadlineExceeded = "ProgressDeadlineExceeded"

// whyNotRunning says, in order of how near it is to the cause, why the bot does not run.
func whyNotRunning(deployment *appsv1.Deployment, pods []corev1.Pod) string {
	if deployment == nil {
		return "The bot's Deployment does not exist yet."
	}
	for i := range pods {
		if why := whyPodWaits(&pods[i]); why != "" {
			return truncate(why, maxMessageBytes)
		}
	}
	for _, c := range deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return truncate("The bot's pod cannot be created: "+c.Message, maxMessageBytes)
		}
	}
	if len(pods) > 0 {
		return "The bot's pod is starting."
	}
	return "The bot's pod is being created."
}

func whyPodWaits(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("Pod %s cannot be scheduled: %s", pod.Name, c.Message)
		}
	}
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		last := s.LastTerminationState.Terminated
		switch w := s.State.Waiting; {
		case w != nil && w.Reason == "CrashLoopBackOff" && last != nil:
			return fmt.Sprintf("Pod %s crashes: its last run ended with exit code %d (%s)", pod.Name, last.ExitCode, last.Reason)
		case w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing":
			return fmt.Sprintf("Pod %s waits: %s: %s", pod.Name, w.Reason, w.Message)
		case s.State.Running != nil:
			return fmt.Sprintf("Pod %s runs and does not report: see its log", pod.Name)
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return fmt.Sprintf("Pod %s failed: %s %s", pod.Name, pod.Status.Reason, pod.Status.Message)
	}
	return ""
}

// gaveUp is whether the Deployment controller has stopped expecting progress.
func gaveUp(deployment *appsv1.Deployment) bool {
	if deployment == nil {
		return false
	}
	for _, c := range deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == progressDeadlineExceeded {
			return true
		}
	}
	return false
}
