// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func leaseOf(holder string, renewed time.Time, seconds int32) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "feedbackbridge-system", Name: operatorLease},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: new(metav1.NewMicroTime(renewed))}}
}

// botPod is a running pod of a bridge's bot.
func botPod(name string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "support", Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: botContainer, Image: "bot:v1",
			Command: []string{"/feedbackbridge-bot", "run", "--bridge", "/etc/bridge/bridge.yaml", "--credentials", "/etc/credentials", "--state", "/var/lib/bot", "--lease", "shop-bot"}}}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: botContainer, Image: "bot:v1", RestartCount: 1,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}},
	}
}

// waitingPod is one whose container waits for a reason.
func waitingPod(reason, message string) corev1.Pod {
	p := botPod("shop-bot-1")
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	return p
}

// healthy are the facts of a bridge that works, after changes.
func healthy(b v1alpha1.FeedbackBridge, changes ...func(*facts)) facts {
	f := facts{now: noon, bridge: &b, secrets: secretsOf(&b)}
	f.operator.object = leaseOf("operator-1_5d41", noon.Add(-2*time.Second), 15)
	for i := range f.secrets {
		f.secrets[i].keys = []string{f.secrets[i].key}
		if f.secrets[i].key == "" {
			f.secrets[i].keys = []string{"hmac-current", "hmac-key"}
		}
	}
	f.deployment.object = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "support", Name: "shop-bot"}, Status: appsv1.DeploymentStatus{AvailableReplicas: 1}}
	f.claim.object = &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "support", Name: "shop-bot"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}}
	f.pods.object = []corev1.Pod{botPod("shop-bot-1")}
	f.heartbeat.object = leaseOf("shop-bot-1", noon.Add(-7*time.Second), 30)
	f.bot.object = []botFinding{{true, "telegram", "token: Telegram knows the bot as @shop_feedback_bot"}, {true, "bot", "the bot that runs here: makes progress"}}
	for _, c := range changes {
		c(&f)
	}
	return f
}

func notFound(resource, name string) error {
	return fmt.Errorf("get: %w", apierrors.NewNotFound(schema.GroupResource{Resource: resource}, name))
}

func TestTheDoctorsDiagnoses(t *testing.T) {
	denied := explain(apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "telegram", errors.New("no")), right{"get", "secrets", "support"})
	for name, f := range map[string]facts{
		"healthy": healthy(bridgeOf("shop", rotating, func(b *v1alpha1.FeedbackBridge) {
			b.Spec.Site.TLS = &v1alpha1.SiteTLS{CASecretRef: &v1alpha1.SecretKeyRef{Name: "ca", Key: "ca.crt"}}
		})),
		"refused": healthy(bridgeOf("shop", refusedBySite), func(f *facts) {
			f.bot.object = []botFinding{{true, "telegram", "token: fine"}, {false, "site", "the bot that runs here: " + refusedMessage}}
		}),
		"no-secrets": healthy(bridgeOf("shop", func(b *v1alpha1.FeedbackBridge) {
			with(conditionOf(v1alpha1.ConditionReady, false, v1alpha1.ReasonSecretNotFound, "Secret \"telegram\" does not exist"),
				conditionOf(v1alpha1.ConditionCredentialsReady, false, v1alpha1.ReasonSecretNotFound, "Secret \"telegram\" does not exist"),
				conditionOf(v1alpha1.ConditionWorkloadAvailable, false, v1alpha1.ReasonWorkloadUnavailable, "The bot is started once its credentials are ready."))(b)
		}), func(f *facts) {
			f.secrets[0].err, f.secrets[0].keys = notFound("secrets", "telegram"), nil
			f.secrets[1].keys = []string{"signingkey"}
			f.secrets[3].err, f.secrets[3].keys = notFound("secrets", "shop-bot"), nil
			f.deployment.err, f.pods.object = notFound("deployments", "shop-bot"), nil
			f.heartbeat.err = notFound("leases", "shop-bot")
			f.bot = found[[]botFinding]{err: errors.New("the bot does not run")}
		}),
		"little-rights": healthy(bridgeOf("shop"), func(f *facts) {
			f.operator = found[*coordinationv1.Lease]{err: denied}
			for i := range f.secrets {
				f.secrets[i].err = denied
			}
			f.deployment.err, f.claim.err, f.pods.err, f.heartbeat.err = denied, denied, denied, denied
			f.bot = found[[]botFinding]{err: denied}
		}),
		"no-operator": healthy(bridgeOf("shop", isNew), func(f *facts) {
			f.operator.object = leaseOf("operator-1_5d41", noon.Add(-time.Hour), 15)
			for i := range f.secrets[3:] {
				f.secrets[3+i].err = notFound("secrets", f.secrets[3+i].name)
			}
			f.deployment.err, f.claim.err, f.heartbeat.err = notFound("deployments", "shop-bot"), notFound("claims", "shop-bot"), notFound("leases", "shop-bot")
			f.pods.object, f.bot = nil, found[[]botFinding]{err: errors.New("the bot does not run")}
		}),
		"suspended": healthy(bridgeOf("shop", isSuspended), func(f *facts) {
			f.deployment.object.Spec.Replicas = new(int32(0))
			f.pods.object, f.bot = nil, found[[]botFinding]{err: errors.New("the bot does not run: spec.suspend is true")}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			d := diagnosisOf(f.bridge, examine(f))
			var out strings.Builder
			if err := printDiagnosis(&out, d); err != nil {
				t.Fatal(err)
			}
			golden(t, "doctor-"+name, out.String())
			if wantHealthy := name == "healthy" || name == "little-rights" || name == "suspended"; d.Healthy != wantHealthy {
				t.Errorf("healthy: %v", d.Healthy)
			}
		})
	}
}

// A bridge with a database has a Secret more, and no volume.
func TestTheDoctorKnowsDatabases(t *testing.T) {
	b := new(bridgeOf("shop"))
	b.Spec.Storage = v1alpha1.StorageSpec{Postgres: &v1alpha1.PostgresSpec{DSNSecretRef: v1alpha1.SecretKeyRef{Name: "database", Key: "dsn"}}}
	secrets := secretsOf(b)
	if !slices.ContainsFunc(secrets, func(s secretFact) bool { return s.name == "database" && s.key == "dsn" && s.mine }) {
		t.Errorf("the Secrets are %+v", secrets)
	}
	if c := checkClaim(facts{bridge: b}); c.Result != skip || !strings.Contains(c.Message, "spec.storage.postgres") {
		t.Errorf("of the volume it says %+v", c)
	}
}

// An operator that moved to another namespace leaves a Lease behind, and anybody can make one of that name.
func TestTheDoctorLooksAtTheOperatorThatIsAlive(t *testing.T) {
	left, ended, alive := leaseOf("operator-1_5d41", noon.Add(-day), 15), leaseOf("", noon, 15), leaseOf("operator-2_7a3c", noon.Add(-time.Second), 15)
	if got := freshest([]coordinationv1.Lease{*left, *alive, *ended}); holderOf(got) != "operator-2" {
		t.Errorf("got the Lease of %q", holderOf(got))
	}
	checks := checkOperator(healthy(bridgeOf("shop"), func(f *facts) { f.operator.object = ended }))
	if last := checks[len(checks)-1]; last.Result != fail || !strings.HasPrefix(last.Message, "nobody holds its Lease") {
		t.Errorf("an operator that has ended: %+v", last)
	}
}

// A bot reports before its readiness is asked for, and while a peer is away it is not ready: the doctor says no more than the status does.
func TestTheDoctorBelievesABotThatReports(t *testing.T) {
	for status, want := range map[bool]result{true: pass, false: fail} {
		f := healthy(bridgeOf("shop"), func(f *facts) {
			f.deployment.object.Status.AvailableReplicas = 0
			with(conditionOf(v1alpha1.ConditionWorkloadAvailable, status, "", ""))(f.bridge)
		})
		if got := checkDeployment(f); got.Result != want {
			t.Errorf("WorkloadAvailable %v: %+v", status, got)
		}
	}
}

// What is wrong with the workload, each alone: the first check that fails and what to do about it.
func TestTheDoctorNamesTheCause(t *testing.T) {
	for name, c := range map[string]struct {
		broken        func(*facts)
		subject, todo string
	}{
		"image missing": {func(f *facts) { f.pods.object = []corev1.Pod{waitingPod("ErrImagePull", "not found")} }, "pod", "spec.runtime.image"},
		"crashing":      {func(f *facts) { f.pods.object = []corev1.Pod{waitingPod("CrashLoopBackOff", "back-off 10s")} }, "pod", "--previous"},
		"not scheduled": {func(f *facts) {
			p := waitingPod("", "")
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}}
			f.pods.object = []corev1.Pod{p}
		}, "pod", "make room"},
		"no pod":         {func(f *facts) { f.pods.object = nil }, "pod", "kubectl describe pods"},
		"volume pending": {func(f *facts) { f.claim.object.Status.Phase = corev1.ClaimPending }, "volume", "storage class"},
		"quota": {func(f *facts) {
			f.deployment.object.Status = appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}}
		}, "deployment", "a quota"},
		"stale heartbeat": {func(f *facts) { f.heartbeat.object = leaseOf("shop-bot-1", noon.Add(-5*time.Minute), 30) }, "heartbeat", "kubectl logs deployment/shop-bot"},
		"never reported":  {func(f *facts) { f.heartbeat.object.Spec.RenewTime = nil }, "heartbeat", "kubectl logs"},
		"spec refused": {func(f *facts) {
			with(conditionOf(v1alpha1.ConditionReady, false, v1alpha1.ReasonInvalidSpec, "spec.telegram.timeZone: unknown"))(f.bridge)
		}, "spec", "kubectl edit feedbackbridge shop -n support"},
		"behind":           {func(f *facts) { f.bridge.Generation = 5 }, "operator", "wait a few seconds"},
		"rotation overdue": {func(f *facts) { overdue(f.bridge) }, v1alpha1.ConditionRotationOverdue, ""},
		"standby missing": {func(f *facts) {
			f.deployment.object.Spec.Replicas, f.deployment.object.Status.AvailableReplicas = new(int32(2)), 1
		}, "deployment", "kubectl describe pods"},
		"storage trouble": {func(f *facts) {
			with(conditionOf(v1alpha1.ConditionStorageTrouble, true, v1alpha1.ReasonStorageCorrupt, "move the file away"))(f.bridge)
		}, v1alpha1.ConditionStorageTrouble, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var first *check
			checks := examine(healthy(bridgeOf("shop"), c.broken))
			for i := range checks {
				if checks[i].Result == fail {
					first = &checks[i]
					break
				}
			}
			if first == nil || first.Subject != c.subject || !strings.Contains(first.Todo, c.todo) {
				t.Errorf("got %+v, want %s: ...%s...", first, c.subject, c.todo)
			}
		})
	}
}
