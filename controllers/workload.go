// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// progressDeadlineExceeded is the reason that the Deployment controller gives when it has waited long enough.
	progressDeadlineExceeded = "ProgressDeadlineExceeded"
	// maxPods bounds the pods that are looked at for the cause of a workload that does not run.
	maxPods = 5
	// maxLastWords bounds what a crashed container says; it leaves room for what to do.
	maxLastWords = 300
	// crashMemory is how long after its second crash a container that runs and does not report counts as crashing.
	crashMemory = 2 * time.Minute
)

// lookAtPods finds out why the workload does not run.
func (r *Reconciler) lookAtPods(ctx context.Context, o *observation) error {
	if o.runs() || suspended(o.bridge) || o.deployment == nil {
		return nil
	}
	var pods corev1.PodList
	err := r.List(ctx, &pods, client.InNamespace(o.bridge.Namespace),
		client.MatchingLabels(selectorOf(o.bridge)), client.Limit(maxPods))
	if err != nil {
		return fmt.Errorf("list the bot's pods: %w", err)
	}
	o.pods = pods.Items
	if o.bridge.Spec.Storage.PersistentVolumeClaim == nil {
		return nil
	}
	var claim corev1.PersistentVolumeClaim
	key := client.ObjectKey{Namespace: o.bridge.Namespace, Name: v1alpha1.BotName(o.bridge.Name)}
	switch err := r.Get(ctx, key, &claim); {
	case err == nil:
		o.claim = &claim
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("read the volume claim: %w", err)
	}
	return nil
}

// whatRuns says how many pods there are where there should be more than one: standbys may be missing while all works.
func (o *observation) whatRuns() string {
	if want := replicasOf(o.bridge); want > 1 && o.deployment != nil {
		return fmt.Sprintf("The bot runs; %d of its %d pods are ready.", o.deployment.Status.ReadyReplicas, want)
	}
	return "The bot's pod runs."
}

func unavailable(reason, format string, args ...any) verdict {
	return verdict{metav1.ConditionFalse, reason, truncate(fmt.Sprintf(format, args...), maxMessageBytes)}
}

// whyNotRunning says, in order of how near it is to the cause, why the bot does not run. What to do comes before the words
// of others, which may be long.
func whyNotRunning(o *observation) verdict {
	if o.deployment == nil {
		return unavailable(v1alpha1.ReasonWorkloadUnavailable, "The bot's Deployment does not exist yet: wait.")
	}
	for i := range o.pods {
		if why, found := o.whyPodWaits(&o.pods[i]); found {
			return why
		}
	}
	for _, c := range o.deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return whyNoPod(c.Message)
		}
	}
	if len(o.pods) > 0 {
		return unavailable(v1alpha1.ReasonWorkloadUnavailable, "The bot's pod is starting: wait.")
	}
	return unavailable(v1alpha1.ReasonWorkloadUnavailable, "The bot's pod is being created: wait.")
}

// whyNoPod reads the words with which the API server refused to create a pod.
func whyNoPod(message string) verdict {
	if strings.Contains(message, quotaWords) {
		return unavailable(v1alpha1.ReasonQuotaExceeded,
			"The namespace's ResourceQuota leaves no room for the bot's pod: raise it, or ask for less in spec.runtime.resources: %s", message)
	}
	return unavailable(v1alpha1.ReasonPodRefused,
		"The bot's pod is not admitted: change the policy that refuses it, or what spec.runtime asks for: %s", message)
}

func (o *observation) whyPodWaits(pod *corev1.Pod) (why verdict, found bool) {
	switch {
	case pod.DeletionTimestamp != nil:
		return verdict{}, false
	case pod.Status.Phase == corev1.PodFailed:
		return unavailable(v1alpha1.ReasonWorkloadUnavailable, "Pod %s failed, and another one is made: see what its node lacks: %s %s",
			pod.Name, pod.Status.Reason, pod.Status.Message), true
	case len(pod.Status.ContainerStatuses) == 0:
		return o.whyNotScheduled(pod)
	}
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		switch w, last := s.State.Waiting, lastEnd(s); {
		case last != nil && (o.crashedLately(s, last) || w != nil && w.Reason == "CrashLoopBackOff"):
			return whyCrashed(pod, last), true
		case s.State.Running != nil:
			return o.whySilent(pod), true
		case w == nil:
		case isImageTrouble(w.Reason):
			return o.whyNoImage(pod, s.Image, w), true
		case w.Reason == "ContainerCreating" || w.Reason == "PodInitializing":
			return o.whyCreating(pod)
		default:
			return unavailable(v1alpha1.ReasonWorkloadUnavailable, "Pod %s waits: see %q: %s: %s",
				pod.Name, kubectl(pod, "describe pod"), w.Reason, w.Message), true
		}
	}
	return verdict{}, false
}

// kubectl is a command that a person can copy.
func kubectl(pod *corev1.Pod, what string) string {
	return fmt.Sprintf("kubectl -n %s %s %s", pod.Namespace, what, pod.Name)
}

// whyNotScheduled tells a pod that waits for its volume from one that no node takes: the scheduler's words are all there
// is, for the claim of a class that binds late is pending either way.
func (o *observation) whyNotScheduled(pod *corev1.Pod) (why verdict, found bool) {
	said, refused := "", false
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled {
			if c.Status == corev1.ConditionTrue {
				return verdict{}, false
			}
			said, refused = c.Message, true
		}
	}
	lower := strings.ToLower(said)
	aboutVolumes := said == "" || strings.Contains(lower, "volume") || strings.Contains(lower, "storageclass")
	switch {
	case o.claim != nil && o.claim.Status.Phase == corev1.ClaimPending && aboutVolumes:
		return unavailable(v1alpha1.ReasonVolumePending, "PersistentVolumeClaim %s has no volume: see that %s exists and provides volumes; "+
			"to use another one, make the bridge and the claim anew: %s", o.claim.Name, storageClass(o.claim), said), true
	case refused:
		return unavailable(v1alpha1.ReasonUnschedulable, "Pod %s cannot be scheduled: change spec.runtime's resources, nodeSelector, "+
			"tolerations or affinity, or add nodes: %s", pod.Name, said), true
	}
	return verdict{}, false
}

func storageClass(claim *corev1.PersistentVolumeClaim) string {
	if name := claim.Spec.StorageClassName; name != nil && *name != "" {
		return fmt.Sprintf("storage class %q", *name)
	}
	return "a default storage class"
}

// whyCreating is about a pod whose containers wait for their volumes: a Secret that is not there keeps them waiting, and
// only events would tell.
func (o *observation) whyCreating(pod *corev1.Pod) (why verdict, found bool) {
	if p := o.creds.problem(); p != nil {
		return unavailable(v1alpha1.ReasonWorkloadUnavailable, "Pod %s waits for its credentials: %s", pod.Name, p.message), true
	}
	return verdict{}, false
}

func isImageTrouble(reason string) bool {
	switch reason {
	case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError":
		return true
	}
	return false
}

func (o *observation) whyNoImage(pod *corev1.Pod, image string, w *corev1.ContainerStateWaiting) verdict {
	mend := "correct the operator's --bot-image, or set spec.runtime.image"
	if o.bridge.Spec.Runtime.Image != "" {
		mend = "correct spec.runtime.image"
	}
	if len(pod.Spec.Containers) > 0 {
		image = pod.Spec.Containers[0].Image
	}
	return unavailable(v1alpha1.ReasonImageUnavailable,
		"The image %s cannot be pulled: %s, or give ServiceAccount %s the pull secret: %s: %s",
		image, mend, v1alpha1.BotName(o.bridge.Name), w.Reason, w.Message)
}

// lastEnd is how a container's last run ended; nil where there was none.
func lastEnd(s *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if s.State.Terminated != nil {
		return s.State.Terminated
	}
	return s.LastTerminationState.Terminated
}

// crashedLately is whether a container ended just now, or runs between two crashes.
func (o *observation) crashedLately(s *corev1.ContainerStatus, last *corev1.ContainerStateTerminated) bool {
	return s.State.Terminated != nil ||
		s.State.Running != nil && s.RestartCount > 1 && last.ExitCode != 0 && o.now.Sub(last.FinishedAt.Time) < crashMemory
}

func whyCrashed(pod *corev1.Pod, last *corev1.ContainerStateTerminated) verdict {
	if last.Reason == "OOMKilled" {
		return unavailable(v1alpha1.ReasonCrashing, "Pod %s needs more memory than it may use: raise spec.runtime.resources.limits.memory", pod.Name)
	}
	why := unavailable(v1alpha1.ReasonCrashing, "Pod %s crashes: look at its log with %q: its last run ended with exit code %d (%s)",
		pod.Name, kubectl(pod, "logs --previous"), last.ExitCode, last.Reason)
	if words := lastWords(last.Message); words != "" {
		why.message += ": " + words
	}
	return why
}

// lastWords is the last line of what a container left behind, fit for a status.
func lastWords(message string) string {
	lines := strings.Split(strings.TrimSpace(message), "\n")
	line := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, lines[len(lines)-1])
	return truncate(strings.TrimSpace(line), maxLastWords)
}

// whySilent is about a container that runs, and a bot in it that is not heard of.
func (o *observation) whySilent(pod *corev1.Pod) verdict {
	log := kubectl(pod, "logs")
	if o.health.heartbeat.IsZero() {
		return unavailable(v1alpha1.ReasonHeartbeatMissing, "Pod %s has started and not reported yet: wait; where that lasts, look at its log with %q",
			pod.Name, log)
	}
	return unavailable(v1alpha1.ReasonHeartbeatStale, "Pod %s runs and has not reported since %s: look at its log with %q, and whether it reaches the API server",
		pod.Name, sinceWhen(o.health), log)
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
