// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// result is how a check ended.
type result string

const (
	pass result = "pass"
	fail result = "fail"
	skip result = "skip" // it could not be looked at, or does not apply now
)

// check is one thing that was looked at. Todo says what to do where it failed.
type check struct {
	Result  result `json:"result"`
	Subject string `json:"subject"`
	Message string `json:"message"`
	Todo    string `json:"todo,omitempty"`
}

// examine judges facts: from the operator, by way of what the bot needs, to what the bot says.
func examine(f facts) []check {
	checks := []check{{pass, "definition", "the cluster serves " + v1alpha1.GroupVersion.String(), ""}}
	checks = append(checks, checkOperator(f)...)
	checks = append(checks, checkSpec(f.bridge))
	for i := range f.secrets {
		checks = append(checks, checkSecret(&f.secrets[i]))
	}
	checks = append(checks, checkClaim(f), checkDeployment(f))
	checks = append(checks, checkPods(f), checkHeartbeat(f))
	checks = append(checks, checkConditions(f.bridge)...)
	return append(checks, checkBot(f)...)
}

const operatorTodo = "see whether the operator runs: kubectl get pods -A -l app.kubernetes.io/name=feedbackbridge-operator; its log says more"

func checkOperator(f facts) []check {
	b := f.bridge
	var checks []check
	switch {
	case len(b.Status.Conditions) == 0:
		checks = append(checks, check{fail, "operator", "it has not looked at the bridge", operatorTodo})
	case b.Status.ObservedGeneration < b.Generation:
		checks = append(checks, check{fail, "operator", fmt.Sprintf("it acted on generation %d, and the bridge is at %d",
			b.Status.ObservedGeneration, b.Generation), "wait a few seconds; then " + operatorTodo})
	default:
		checks = append(checks, check{pass, "operator", fmt.Sprintf("it acted on the last change (generation %d)", b.Generation), ""})
	}
	lease := f.operator.object
	switch {
	case f.operator.err != nil:
		return append(checks, check{skip, "operator", "whether it is alive: " + f.operator.err.Error(), ""})
	case lease == nil:
		return append(checks, check{skip, "operator", "whether it is alive: it holds no Lease (it runs without --leader-elect, or not at all)", ""})
	}
	if holderOf(lease) == "" {
		return append(checks, check{fail, "operator", fmt.Sprintf("nobody holds its Lease %s/%s: it has ended", lease.Namespace, lease.Name), operatorTodo})
	}
	holder := lease.Namespace + "/" + holderOf(lease)
	if age, stale := leaseAge(lease, f.now); stale {
		return append(checks, check{fail, "operator", fmt.Sprintf("%s has not renewed its Lease for %s", holder, age), operatorTodo})
	}
	return append(checks, check{pass, "operator", holder + " is alive", ""})
}

// leaseAge is how long ago a Lease was renewed by this machine's clock, and whether that is too long.
func leaseAge(lease *coordinationv1.Lease, now time.Time) (age string, stale bool) {
	at := renewed(lease)
	if at.IsZero() {
		return "ever", true
	}
	allowed := 30 * time.Second
	if d := lease.Spec.LeaseDurationSeconds; d != nil {
		allowed = time.Duration(*d) * time.Second
	}
	return ago(now, new(metav1.NewTime(at))), now.Sub(at) > allowed*2
}

func holderOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return name
}

func checkSpec(b *v1alpha1.FeedbackBridge) check {
	switch c := condition(b, v1alpha1.ConditionReady); {
	case c.Reason == v1alpha1.ReasonInvalidSpec:
		return check{fail, "spec", sentence(c.Message), fmt.Sprintf("kubectl edit feedbackbridge %s -n %s", b.Name, b.Namespace)}
	case c.Status == "":
		return check{skip, "spec", "the operator has not judged it", ""}
	}
	return check{pass, "spec", "the operator accepts it", ""}
}

func checkSecret(f *secretFact) check {
	subject := "secret " + f.name
	if f.err != nil && !apierrors.IsNotFound(f.err) {
		return check{skip, subject, f.err.Error(), ""}
	}
	writer := operatorTodo
	if f.mine {
		writer = fmt.Sprintf("put %s into it, under %q", f.use, f.key)
	}
	switch {
	case f.err != nil && f.mine:
		return check{fail, subject, "it does not exist", "make it, and " + writer}
	case f.err != nil:
		return check{fail, subject, "it does not exist; the operator writes it once all others are there", "mend the others first; then " + writer}
	case f.key != "" && !slices.Contains(f.keys, f.key):
		return check{fail, subject, fmt.Sprintf("it has no key %q (it has: %s)", f.key, keyList(f.keys)), writer}
	}
	return check{pass, subject, fmt.Sprintf("%s: %s", f.use, keyList(f.keys)), ""}
}

func keyList(keys []string) string { return cmp.Or(strings.Join(keys, ", "), "nothing") }

func checkClaim(f facts) check {
	claim := f.claim.object
	switch {
	case f.bridge.Spec.Storage.Ephemeral != nil:
		return check{skip, "volume", "the state is in the pod and is lost with it (spec.storage.ephemeral)", ""}
	case f.bridge.Spec.Storage.Postgres != nil:
		return check{skip, "volume", "there is none: the state is in a database (spec.storage.postgres)", ""}
	case apierrors.IsNotFound(f.claim.err):
		return check{fail, "volume", "its claim does not exist", operatorTodo}
	case f.claim.err != nil:
		return check{skip, "volume", f.claim.err.Error(), ""}
	case claim.Status.Phase != corev1.ClaimBound:
		return check{fail, "volume", fmt.Sprintf("claim %s is %s", claim.Name, cmp.Or(string(claim.Status.Phase), "not bound")),
			fmt.Sprintf("see why: kubectl describe pvc %s -n %s; the storage class is spec.storage.persistentVolumeClaim.storageClassName", claim.Name, claim.Namespace)}
	}
	return check{pass, "volume", fmt.Sprintf("claim %s is bound", claim.Name), ""}
}

func checkDeployment(f facts) check {
	d := f.deployment.object
	switch {
	case apierrors.IsNotFound(f.deployment.err):
		return check{fail, "deployment", "it does not exist", "the operator makes it once the credentials are ready: mend those; then " + operatorTodo}
	case f.deployment.err != nil:
		return check{skip, "deployment", f.deployment.err.Error(), ""}
	case d.Spec.Replicas != nil && *d.Spec.Replicas == 0:
		return check{skip, "deployment", "it is stopped: spec.suspend is true", ""}
	case d.Spec.Replicas != nil && d.Status.AvailableReplicas > 0 && d.Status.AvailableReplicas < *d.Spec.Replicas:
		return check{fail, "deployment", fmt.Sprintf("%d of the %d pods of %s are available", d.Status.AvailableReplicas, *d.Spec.Replicas, d.Name),
			fmt.Sprintf("see why: kubectl describe pods -l %s=%s -n %s", v1alpha1.LabelBridge, f.bridge.Name, d.Namespace)}
	case d.Status.AvailableReplicas > 0:
		return check{pass, "deployment", fmt.Sprintf("%s is available", d.Name), ""}
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return check{fail, "deployment", "its pod cannot be made: " + sentence(c.Message), "change what refuses it: a quota, a policy, or spec.runtime"}
		}
	}
	if meta.IsStatusConditionTrue(f.bridge.Status.Conditions, v1alpha1.ConditionWorkloadAvailable) {
		return check{pass, "deployment", fmt.Sprintf("the bot of %s reports; its pod is not ready yet, or not while a peer is away", d.Name), ""}
	}
	return check{fail, "deployment", fmt.Sprintf("no pod of %s is available", d.Name), fmt.Sprintf("see why: kubectl describe deployment %s -n %s", d.Name, d.Namespace)}
}

func checkPods(f facts) check {
	if f.pods.err != nil {
		return check{skip, "pod", f.pods.err.Error(), ""}
	}
	switch {
	case suspended(f.bridge):
		return check{skip, "pod", "the bot is stopped: spec.suspend is true", ""}
	case apierrors.IsNotFound(f.deployment.err):
		return check{skip, "pod", "there is none without the deployment", ""}
	}
	if p, err := activePod(f.bridge, f.pods.object); err == nil {
		message := fmt.Sprintf("%s runs %s", p.Name, container(p).Image)
		for _, s := range p.Status.ContainerStatuses {
			if s.RestartCount > 0 {
				message += plural(int(s.RestartCount), ", restarted once", ", restarted %d times")
			}
		}
		return check{pass, "pod", message, ""}
	}
	for i := range f.pods.object {
		p := &f.pods.object[i]
		if why, todo := whyPodWaits(p); why != "" {
			return check{fail, "pod", p.Name + ": " + why, todo}
		}
	}
	return check{fail, "pod", map[bool]string{true: "there is none", false: "it does not run"}[len(f.pods.object) == 0],
		fmt.Sprintf("kubectl describe pods -l %s=%s -n %s", v1alpha1.LabelBridge, f.bridge.Name, f.bridge.Namespace)}
}

func suspended(b *v1alpha1.FeedbackBridge) bool { return b.Spec.Suspend != nil && *b.Spec.Suspend }

// whyPodWaits says why a pod does not run and what to do.
func whyPodWaits(p *corev1.Pod) (why, todo string) {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "it cannot be scheduled: " + sentence(c.Message), "make room, or change spec.runtime (resources, nodeSelector, tolerations, affinity) or the volume"
		}
	}
	for _, s := range p.Status.ContainerStatuses {
		switch w := s.State.Waiting; {
		case w == nil:
		case w.Reason == "ErrImagePull" || w.Reason == "ImagePullBackOff" || w.Reason == "ErrImageNeverPull" || w.Reason == "InvalidImageName":
			return fmt.Sprintf("image %s: %s: %s", s.Image, w.Reason, sentence(w.Message)), "correct spec.runtime.image or the operator's --bot-image, or let the node pull it"
		case w.Reason == "CrashLoopBackOff":
			return "the bot ends again and again: " + sentence(w.Message), fmt.Sprintf("read its last words: kubectl logs %s -n %s --previous", p.Name, p.Namespace)
		case w.Reason != "":
			return line(w.Reason + ": " + w.Message), fmt.Sprintf("kubectl describe pod %s -n %s", p.Name, p.Namespace)
		}
	}
	return "", ""
}

func checkHeartbeat(f facts) check {
	switch {
	case suspended(f.bridge):
		return check{skip, "heartbeat", "the bot is stopped: spec.suspend is true", ""}
	case apierrors.IsNotFound(f.deployment.err):
		return check{skip, "heartbeat", "no bot is there to report", ""}
	case apierrors.IsNotFound(f.heartbeat.err):
		return check{fail, "heartbeat", "the bot has no Lease to report in", operatorTodo}
	case f.heartbeat.err != nil:
		return check{skip, "heartbeat", f.heartbeat.err.Error(), ""}
	}
	age, stale := leaseAge(f.heartbeat.object, f.now)
	if stale {
		return check{fail, "heartbeat", "the bot has not reported for " + age,
			fmt.Sprintf("read its log: kubectl logs deployment/%s -n %s; it needs the API server, and this machine's clock has to be right", v1alpha1.BotName(f.bridge.Name), f.bridge.Namespace)}
	}
	return check{pass, "heartbeat", fmt.Sprintf("%s ago, by %s", age, holderOf(f.heartbeat.object)), ""}
}

// judged are the conditions that a healthy bridge has, in the order of cause and effect; Ready sums them up.
var judged = []string{v1alpha1.ConditionCredentialsReady, v1alpha1.ConditionWorkloadAvailable, v1alpha1.ConditionSiteConnected,
	v1alpha1.ConditionTelegramReachable, v1alpha1.ConditionReady}

func checkConditions(b *v1alpha1.FeedbackBridge) []check {
	var checks []check
	for _, kind := range judged {
		switch c := condition(b, kind); {
		case c.Status == "":
			checks = append(checks, check{skip, kind, "the operator has not said", ""})
		case c.Status == metav1.ConditionTrue:
			checks = append(checks, check{pass, kind, sentence(c.Message), ""})
		case c.Reason == v1alpha1.ReasonSuspended:
			checks = append(checks, check{skip, kind, sentence(c.Message), ""})
		default:
			message := c.Reason + ": " + sentence(c.Message)
			if kind == v1alpha1.ConditionReady && slices.ContainsFunc(checks, func(c check) bool { return c.Message == message }) {
				continue // it repeats the cause
			}
			checks = append(checks, check{fail, kind, message, ""})
		}
	}
	for _, kind := range []string{v1alpha1.ConditionRotationOverdue, v1alpha1.ConditionStorageTrouble} {
		if c := condition(b, kind); c.Status == metav1.ConditionTrue {
			checks = append(checks, check{fail, c.Type, c.Reason + ": " + sentence(c.Message), ""})
		}
	}
	return checks
}

func checkBot(f facts) []check {
	var checks []check
	for _, finding := range f.bot.object {
		c := check{pass, "bot: " + finding.Peer, finding.Message, ""}
		if !finding.OK {
			c.Result = fail
		}
		checks = append(checks, c)
	}
	if f.bot.err != nil {
		checks = append(checks, check{skip, "bot", "what it finds itself: " + f.bot.err.Error(), ""})
	}
	return checks
}
