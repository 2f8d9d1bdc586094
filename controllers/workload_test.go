// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// notRunning is an observation of a bot that was never heard of.
func notRunning(t *testing.T) *observation {
	t.Helper()
	o := testObservation(t)
	o.health = health{}
	return o
}

func podWith(status corev1.ContainerStatus) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "support"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Image: "registry.example/bot:2"}}},
		Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{status}},
	}
}

func waiting(reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

func isRunning() corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

// crashed is a container that ended at a time, and is in a state now.
func crashed(state corev1.ContainerState, restarts int32, end corev1.ContainerStateTerminated, at time.Time) corev1.ContainerStatus {
	end.FinishedAt = metav1.NewTime(at)
	return corev1.ContainerStatus{State: state, RestartCount: restarts, LastTerminationState: corev1.ContainerState{Terminated: &end}}
}

func unscheduled(message string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "support"}, Status: corev1.PodStatus{
		Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: message}}}}
}

func claim(phase corev1.PersistentVolumeClaimPhase, class *string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "shop-bot"},
		Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: class}, Status: corev1.PersistentVolumeClaimStatus{Phase: phase}}
}

func replicaFailure(message string) *appsv1.Deployment {
	return &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: message}}}}
}

// whyCase is a bot that does not run, and what is said of it.
type whyCase struct {
	given  func(*observation)
	reason string
	want   []string // words of the message, in their order
}

func podsOf(list ...corev1.Pod) func(*observation) { return func(o *observation) { o.pods = list } }

func checkWhy(t *testing.T, tests map[string]whyCase) {
	t.Helper()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := notRunning(t)
			tc.given(o)
			got := whyNotRunning(o)
			if got.reason != tc.reason || !hasInOrder(got.message, tc.want) {
				t.Errorf("it says %s: %s\nwant %s with %q", got.reason, got.message, tc.reason, tc.want)
			}
		})
	}
}

// What keeps a pod from being made, or from finding a node.
func TestWhyThereIsNoPod(t *testing.T) {
	volume := func(phase corev1.PersistentVolumeClaimPhase, class *string, pod corev1.Pod) func(*observation) {
		return func(o *observation) { o.pods, o.claim = []corev1.Pod{pod}, claim(phase, class) }
	}
	checkWhy(t, map[string]whyCase{
		"no Deployment": {func(o *observation) { o.deployment = nil }, v1alpha1.ReasonWorkloadUnavailable, []string{"Deployment does not exist yet", "wait"}},
		"no pod":        {func(*observation) {}, v1alpha1.ReasonWorkloadUnavailable, []string{"being created", "wait"}},
		"no quota left": {func(o *observation) { o.deployment = replicaFailure(`pods "p" is forbidden: exceeded quota: small`) },
			v1alpha1.ReasonQuotaExceeded, []string{"raise", "spec.runtime.resources", "exceeded quota: small"}},
		"a pod refused by policy": {func(o *observation) { o.deployment = replicaFailure(`violates PodSecurity "restricted:latest"`) },
			v1alpha1.ReasonPodRefused, []string{"change the policy", `violates PodSecurity`}},
		"no node": {podsOf(unscheduled("0/1 nodes are available: 1 Insufficient memory.")), v1alpha1.ReasonUnschedulable,
			[]string{"spec.runtime", "nodeSelector", "Insufficient memory"}},
		"no node, while a claim that binds late waits for one": {volume(corev1.ClaimPending, nil, unscheduled("0/1 nodes are available: 1 Insufficient memory.")),
			v1alpha1.ReasonUnschedulable, []string{"Insufficient memory"}},
		"no volume": {volume(corev1.ClaimPending, new("fast"), unscheduled("pod has unbound immediate PersistentVolumeClaims")),
			v1alpha1.ReasonVolumePending, []string{"PersistentVolumeClaim shop-bot", `storage class "fast"`, "unbound"}},
		"no default class": {volume(corev1.ClaimPending, nil, unscheduled("pod has unbound immediate PersistentVolumeClaims")),
			v1alpha1.ReasonVolumePending, []string{"a default storage class exists"}},
		"a volume that is being made": {volume(corev1.ClaimPending, new("late"), corev1.Pod{}), v1alpha1.ReasonVolumePending, []string{`"late"`}},
		"a volume that is there":      {volume(corev1.ClaimBound, new("late"), corev1.Pod{}), v1alpha1.ReasonWorkloadUnavailable, []string{"wait"}},
	})
}

// What keeps the containers of a pod from running, and the bot in them from reporting.
func TestWhyAPodDoesNotRun(t *testing.T) {
	backOff := waiting("CrashLoopBackOff", "back-off").State
	end := corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "starting\nfeedbackbridge-bot: open the store:\tno space left\n"}
	checkWhy(t, map[string]whyCase{
		"starting": {podsOf(podWith(waiting("ContainerCreating", ""))), v1alpha1.ReasonWorkloadUnavailable, []string{"is starting", "wait"}},
		"starting, and a Secret is not there": {func(o *observation) {
			podsOf(podWith(waiting("ContainerCreating", "")))(o)
			o.creds.fail(problemf(v1alpha1.ReasonSecretNotFound, "Secret %q does not exist: create it", "telegram"))
		}, v1alpha1.ReasonWorkloadUnavailable, []string{"Pod p waits for its credentials", "telegram", "create it"}},
		"no image, by the operator": {podsOf(podWith(waiting("ImagePullBackOff", "not found"))),
			v1alpha1.ReasonImageUnavailable, []string{"registry.example/bot:2", "--bot-image", "spec.runtime.image", "not found"}},
		"no image, by the spec": {func(o *observation) {
			podsOf(podWith(waiting("ErrImagePull", "denied")))(o)
			o.bridge.Spec.Runtime.Image = "registry.example/bot:2"
		}, v1alpha1.ReasonImageUnavailable, []string{"registry.example/bot:2", "correct spec.runtime.image, or", "shop-bot", "denied"}},
		"crashing": {podsOf(podWith(crashed(backOff, 1, end, testNow))), v1alpha1.ReasonCrashing,
			[]string{"kubectl -n support logs --previous p", "exit code 2 (Error): feedbackbridge-bot: open the store: no space left"}},
		"between two crashes": {podsOf(podWith(crashed(isRunning().State, 2, end, testNow.Add(-time.Second)))), v1alpha1.ReasonCrashing, []string{"logs"}},
		"long after a crash":  {podsOf(podWith(crashed(isRunning().State, 2, end, testNow.Add(-time.Hour)))), v1alpha1.ReasonHeartbeatMissing, []string{"log"}},
		"just ended": {podsOf(podWith(corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &end}})),
			v1alpha1.ReasonCrashing, []string{"no space left"}},
		"out of memory": {podsOf(podWith(crashed(backOff, 3, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}, testNow))),
			v1alpha1.ReasonCrashing, []string{"raise spec.runtime.resources.limits.memory"}},
		"up and never heard of": {podsOf(podWith(isRunning())), v1alpha1.ReasonHeartbeatMissing, []string{"wait", "kubectl -n support logs p"}},
		"up and silent": {func(o *observation) { o.health.heartbeat = testNow; podsOf(podWith(isRunning()))(o) },
			v1alpha1.ReasonHeartbeatStale, []string{"has not reported since", "kubectl -n support logs p", "API server"}},
		"a container that cannot be made": {podsOf(podWith(waiting("CreateContainerError", "no such user"))),
			v1alpha1.ReasonWorkloadUnavailable, []string{"see", "kubectl -n support describe pod p", "CreateContainerError: no such user"}},
		"evicted": {podsOf(corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{
			Phase: corev1.PodFailed, Reason: "Evicted", Message: "disk"}}), v1alpha1.ReasonWorkloadUnavailable, []string{"another one is made", "Evicted disk"}},
		"one that leaves says nothing of the next": {func(o *observation) {
			leaving := podWith(waiting("ImagePullBackOff", ""))
			leaving.DeletionTimestamp = new(metav1.NewTime(testNow))
			o.pods = []corev1.Pod{leaving}
		}, v1alpha1.ReasonWorkloadUnavailable, []string{"starting"}},
	})
}

// hasInOrder is whether a text has words, one after the other.
func hasInOrder(text string, words []string) bool {
	for _, w := range words {
		_, rest, found := strings.Cut(text, w)
		if !found {
			return false
		}
		text = rest
	}
	return true
}

// Whatever the words of others, what to do is not cut off.
func TestLongWordsLeaveRoomForAdvice(t *testing.T) {
	o := notRunning(t)
	o.deployment = replicaFailure("exceeded quota: " + strings.Repeat("requested ", 1000))
	if v := whyNotRunning(o); len(v.message) > maxMessageBytes || !strings.Contains(v.message, "raise it") {
		t.Errorf("%d bytes: %s", len(v.message), v.message)
	}
	o = notRunning(t)
	o.pods = []corev1.Pod{podWith(waiting("ImagePullBackOff", strings.Repeat("x", 5000)))}
	if v := whyNotRunning(o); len(v.message) > maxMessageBytes || !strings.Contains(v.message, "--bot-image") {
		t.Errorf("%d bytes: %s", len(v.message), v.message)
	}
}
