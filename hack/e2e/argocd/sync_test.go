// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package argocd

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// scene is the operator and a bridge under Argo CD, as the samples of config/argocd have them.
type scene struct {
	*argoCD
	repository *repository
	world      *world.World
	operator   *application
	bridges    *application
	revision   string
}

const bridgeFile = "bridges/bridge.yaml"

// newScene puts the chart and a bridge into a git repository, and has Argo CD deploy them.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{argoCD: installArgoCD(t), repository: newRepository(t)}
	// The world's end, which reads every log, comes before the Applications'.
	t.Cleanup(s.tearDown)
	s.world = world.New(t)
	s.world.Bridge.Spec.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}}
	s.repository.copy("charts/feedbackbridge")
	s.repository.write(bridgeFile, s.manifest())
	s.repository.write("bridges/notes.yaml", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {team: shop}\n"))
	s.revision = s.repository.push("the chart and a bridge")

	project := readSample(t, "appproject.yaml")
	set(t, project, []any{s.repository.url()}, "spec", "sourceRepos")
	if err := world.Cluster.Create(t.Context(), project); err != nil {
		t.Fatalf("create the AppProject: %v", err)
	}
	operator, bridges := readSample(t, "operator.yaml"), readSample(t, "bridges.yaml")
	for _, app := range []*unstructured.Unstructured{operator, bridges} {
		set(t, app, s.repository.url(), "spec", "source", "repoURL")
		set(t, app, "main", "spec", "source", "targetRevision")
	}
	image := func(name string) map[string]any {
		return map[string]any{"repository": "docker.io/library/feedbackbridge-" + name, "tag": "dev"}
	}
	set(t, operator, image("operator"), "spec", "source", "helm", "valuesObject", "image")
	set(t, operator, map[string]any{"image": image("bot")}, "spec", "source", "helm", "valuesObject", "bot")
	set(t, bridges, s.world.Namespace, "spec", "destination", "namespace")
	s.operator = s.apply(operator)
	s.bridges = s.apply(bridges)
	return s
}

// tearDown deletes the Applications with all that they deployed, and what the chart keeps.
func (s *scene) tearDown() {
	for _, app := range []*application{s.bridges, s.operator} {
		if app != nil {
			app.delete()
		}
	}
	if _, err := world.Kubectl(context.Background(), "delete", "--ignore-not-found", "--timeout=60s",
		"crd/feedbackbridges.feedbackbridge.dev", "namespace/"+world.OperatorNamespace); err != nil {
		s.t.Error(err)
	}
}

// manifest is the bridge as it is in git; its namespace is the Application's destination.
func (s *scene) manifest() []byte {
	s.t.Helper()
	text, err := yaml.Marshal(&v1alpha1.FeedbackBridge{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "FeedbackBridge"},
		ObjectMeta: metav1.ObjectMeta{Name: s.world.Name}, Spec: s.world.Bridge.Spec,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// bridge is the bridge's line in the Application.
func (s *scene) bridge() resource { return s.bridges.now().resource("FeedbackBridge") }

// undisturbed fails if either Application saw drift, or synced, since the marks; both are compared once more.
func (s *scene) undisturbed(operator, bridges int) {
	s.t.Helper()
	refresh(s.operator, s.bridges)
	s.operator.undisturbed(operator)
	s.bridges.undisturbed(bridges)
}

func TestArgoCD(t *testing.T) {
	began := time.Now()
	s := newScene(t)
	t.Logf("Argo CD installed after %s", time.Since(began).Round(time.Second))
	t.Logf("operator Synced and Healthy after %s", s.operator.waitHealthy(s.revision, 2*time.Minute).Round(time.Second))
	t.Logf("bridge Synced and Healthy after another %s", s.bridges.waitHealthy(s.revision, 2*time.Minute).Round(time.Second))
	if got := s.bridge(); got.Health.Message != "Feedback flows from the site to the chat." {
		t.Errorf("the bridge's health: %+v", got)
	}
	s.world.Site.SetKey(s.world.Key(s.world.SiteKey()), wire.FormUTF8)
	if r := s.world.Result(s.world.Send(1, "under Argo CD"), 15*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
	for _, step := range []struct {
		name string
		test func(*testing.T, *scene)
	}{
		{"children are the bridge's, not Argo CD's", childrenAreTheBridges},
		{"what is changed by hand is healed", handChangesAreHealed},
		{"a rotation is no drift", rotationIsNoDrift},
		{"a bot that dies is no drift", failoverIsNoDrift},
		{"a site that is gone is Degraded, and an hour of resyncs no drift", goneSiteIsDegraded},
		{"an upgrade of the operator is a sync", upgradeIsASync},
		{"what leaves git leaves the cluster", prunedWithCare},
	} {
		began := time.Now()
		t.Run(step.name, func(t *testing.T) { step.test(t, s) })
		t.Logf("%s: %s", step.name, time.Since(began).Round(100*time.Millisecond))
	}
}

func handChangesAreHealed(t *testing.T, s *scene) {
	w := s.world
	patch := []byte(`{"spec":{"telegram":{"chatID":"-1009999999999"}}}`)
	if err := world.Cluster.Patch(t.Context(), w.Bridge, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	took := world.Eventually(t, 30*time.Second, "the chat is the one of git", func() (bool, string) {
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		return w.Bridge.Spec.Telegram.ChatID == fmt.Sprint(world.Group), w.Bridge.Spec.Telegram.ChatID
	})
	t.Logf("healed after %s", took.Round(time.Millisecond))
	s.bridges.waitHealthy(s.revision, time.Minute)
	waitForOnePod(t, w)
}

// waitForOnePod waits until the bot has been rolled, to and fro: what follows must not be heard by a pod that goes.
func waitForOnePod(t *testing.T, w *world.World) {
	t.Helper()
	world.Eventually(t, time.Minute, "one pod is left, and it has reported", func() (bool, string) {
		var pods corev1.PodList
		if err := world.Cluster.List(t.Context(), &pods, client.InNamespace(w.Namespace), client.MatchingLabels{v1alpha1.LabelBridge: w.Name}); err != nil {
			return false, err.Error()
		}
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		c := w.Bridge.Status.Connection
		one := len(pods.Items) == 1 && c != nil && c.Pod == pods.Items[0].Name && c.State == v1alpha1.ConnectionConnected
		return one && w.Bridge.Status.ObservedGeneration == w.Bridge.Generation, fmt.Sprintf("%d pods, %+v", len(pods.Items), c)
	})
}

func rotationIsNoDrift(t *testing.T, s *scene) {
	operator, bridges := s.operator.mark(), s.bridges.mark()
	w, pod := s.world, s.world.Pod()
	before := s.credentials(t)
	if got := s.offered(t); !slices.Contains(got, "rotate-now") || slices.Contains(got, "rotate-now-force") {
		t.Errorf("offered while no rotation runs: %v", got)
	}
	s.cli("app", "actions", "run", s.bridges.name, "rotate-now", "--kind", "FeedbackBridge")
	s.waitPhase(t, v1alpha1.RotationPublished)
	if r := w.Result(w.Send(10, "signed with the key before"), 15*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
	next := w.Key(w.SiteKey())
	w.Site.SetKey(next, wire.FormUTF8)
	if r := w.Result(w.Send(11, "signed with the new key"), 15*time.Second); !r.OK || r.KeyID != next.ID() {
		t.Errorf("result: %+v", r)
	}
	s.waitPhase(t, v1alpha1.RotationAdopted)
	after := s.credentials(t)
	if after.HMAC.CurrentKeyID != next.ID() || after.HMAC.CurrentKeyID == before.HMAC.CurrentKeyID {
		t.Errorf("the key in use: %+v", after.HMAC)
	}
	if !after.JWT.IssuedAt.After(before.JWT.IssuedAt.Time) {
		t.Errorf("the token is the one of %s", before.JWT.IssuedAt)
	}
	s.undisturbed(operator, bridges)
	if s.credentials(t); w.Bridge.Annotations[v1alpha1.AnnotationRotateNow] == "" {
		t.Error("the action's annotation is gone")
	}
	if got := s.offered(t); slices.Contains(got, "rotate-now") || !slices.Contains(got, "rotate-now-force") {
		t.Errorf("offered while the key before is still accepted: %v", got)
	}
	w.SameBot(pod)
}

// offered are the actions on the bridge that a person can choose.
func (s *scene) offered(t *testing.T) []string {
	t.Helper()
	out := s.cli("app", "actions", "list", s.bridges.name, "--kind", "FeedbackBridge", "-o", "json")
	var names []string
	for _, action := range decode[[]struct {
		Action   string
		Disabled bool
	}](t, out) {
		if !action.Disabled {
			names = append(names, action.Action)
		}
	}
	return names
}

// credentials are what the status says now.
func (s *scene) credentials(t *testing.T) *v1alpha1.CredentialsStatus {
	t.Helper()
	if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(s.world.Bridge), s.world.Bridge); err != nil {
		t.Fatal(err)
	}
	c := s.world.Bridge.Status.Credentials
	if c == nil || c.JWT == nil || c.JWT.IssuedAt == nil || c.HMAC == nil {
		t.Fatalf("the status lacks credentials: %+v", c)
	}
	return c
}

func (s *scene) waitPhase(t *testing.T, phase v1alpha1.RotationPhase) {
	t.Helper()
	world.Eventually(t, time.Minute, "the HMAC key is "+string(phase), func() (bool, string) {
		now := s.credentials(t).HMAC
		return now.Phase == phase, fmt.Sprintf("%+v", now)
	})
}

func failoverIsNoDrift(t *testing.T, s *scene) {
	operator, bridges := s.operator.mark(), s.bridges.mark()
	pod := s.world.Pod()
	if err := world.Cluster.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if r := s.world.Result(s.world.Send(2, "while there is no bot"), time.Minute); !r.OK {
		t.Errorf("result: %+v", r)
	}
	if again := s.world.Pod(); again.UID == pod.UID {
		t.Error("the pod is the one before")
	}
	s.bridges.waitHealthy(s.revision, 30*time.Second)
	s.undisturbed(operator, bridges)
}

// operatorManager is the field manager of the operator.
const operatorManager = "feedbackbridge-operator"

// written is when the operator last wrote each of the bridge's children; an apply that changes nothing is no write.
func (s *scene) written(t *testing.T) map[string]string {
	t.Helper()
	out, err := world.Kubectl(t.Context(), "-n", s.world.Namespace, "get", children, "-l", v1alpha1.LabelBridge+"="+s.world.Name,
		"-o", "json", "--show-managed-fields")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for _, item := range decode[unstructured.UnstructuredList](t, out).Items {
		for _, fields := range item.GetManagedFields() {
			if fields.Manager == operatorManager && fields.Time != nil {
				written[item.GetKind()+" "+item.GetName()] = fields.Time.String()
			}
		}
	}
	if len(written) < 9 {
		t.Fatalf("children are missing: %v", written)
	}
	return written
}

func (s *scene) restartOperator(t *testing.T) {
	t.Helper()
	labels := client.MatchingLabels{"app.kubernetes.io/name": "feedbackbridge-operator"}
	for _, pod := range world.Pods(t, world.OperatorNamespace, labels) {
		if err := world.Cluster.Delete(t.Context(), &pod); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := world.Kubectl(t.Context(), "-n", world.OperatorNamespace, "rollout", "status", "deployment", "--timeout=90s"); err != nil {
		t.Fatal(err)
	}
}

// resyncs is how often Argo CD compares in an hour, by its default of three minutes.
const resyncs = 20

// An hour is scaled to its comparisons: as many as Argo CD makes in one hour, each with git rendered anew, and one start
// of the operator, at which it looks at every object again. For half of the hour the site is gone.
func goneSiteIsDegraded(t *testing.T, s *scene) {
	w := s.world
	operator, bridges := s.operator.mark(), s.bridges.mark()
	before := s.written(t)
	w.SiteDoor.Close()
	w.Site.Drop()
	s.resync(resyncs / 2)
	took := s.bridges.wait(90*time.Second, "Degraded", func(now state) bool {
		return now.Status.Health.Status == "Degraded" && now.resource("FeedbackBridge").Health.Status == "Degraded"
	})
	message := s.bridge().Health.Message
	t.Logf("after %d resyncs and %s: Degraded, %s", resyncs/2, took.Round(100*time.Millisecond), message)
	if !strings.HasPrefix(message, v1alpha1.ReasonConnectionRefused+": ") || !strings.Contains(message, w.SiteDoor.Address) {
		t.Errorf("the message does not say what is wrong with what: %q", message)
	}
	w.SiteDoor.Open()
	s.restartOperator(t)
	s.resync(resyncs - resyncs/2)
	took = s.bridges.waitHealthy(s.revision, 90*time.Second)
	t.Logf("after a restart of the operator, %d resyncs and %s: Healthy again", resyncs-resyncs/2, took.Round(100*time.Millisecond))
	s.operator.waitHealthy(s.revision, 30*time.Second)
	s.undisturbed(operator, bridges)
	if diff := cmp.Diff(before, s.written(t)); diff != "" {
		t.Errorf("children were written:\n%s", diff)
	}
}

func (s *scene) resync(times int) {
	s.t.Helper()
	for range times {
		refresh(s.operator, s.bridges)
	}
}

func upgradeIsASync(t *testing.T, s *scene) {
	pod := s.world.Pod()
	const path = "charts/feedbackbridge/Chart.yaml"
	s.repository.write(path, regexp.MustCompile(`(?m)^version: .*$`).ReplaceAll(s.repository.read(path), []byte("version: 99.0.0")))
	s.revision = s.repository.push("a new chart")
	took := s.operator.waitHealthy(s.revision, 2*time.Minute)
	t.Logf("upgraded after %s", took.Round(100*time.Millisecond))
	if got := world.OperatorDeployment(t).Spec.Template.Labels["helm.sh/chart"]; got != "feedbackbridge-99.0.0" {
		t.Errorf("the operator's pods are of chart %s", got)
	}
	s.bridges.waitHealthy(s.revision, time.Minute)
	s.world.SameBot(pod)
	if r := s.world.Result(s.world.Send(3, "after the upgrade"), 15*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
}

func prunedWithCare(t *testing.T, s *scene) {
	w := s.world
	bridge := s.repository.read(bridgeFile)
	s.repository.remove(bridgeFile)
	s.revision = s.repository.push("no bridge any more")
	s.bridges.wait(time.Minute, "the bridge is pruned", func(now state) bool {
		return now.Status.Sync.Status == "Synced" && now.Status.Sync.Revision == s.revision && now.resource("FeedbackBridge").Kind == ""
	})
	world.Eventually(t, time.Minute, "the bot is gone", func() (bool, string) {
		left := world.Pods(t, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name})
		return len(left) == 0, fmt.Sprintf("%d pods", len(left))
	})
	claim := &corev1.PersistentVolumeClaim{}
	name := client.ObjectKey{Namespace: w.Namespace, Name: v1alpha1.BotName(w.Name)}
	if err := world.Cluster.Get(t.Context(), name, claim); err != nil || claim.DeletionTimestamp != nil {
		t.Errorf("the volume claim was not kept: %v", err)
	}
	for _, secret := range []string{"site", "telegram", w.Bridge.SiteSecretName()} {
		if err := world.Cluster.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: secret}, &corev1.Secret{}); err != nil {
			t.Errorf("secret %s: %v", secret, err)
		}
	}
	// Back in git, it goes on from its volume, with the keys that the site knows.
	s.repository.write(bridgeFile, bridge)
	s.revision = s.repository.push("the bridge again")
	s.bridges.waitHealthy(s.revision, 2*time.Minute)
	posts := len(w.Telegram.Messages(world.Group))
	if r := w.Result(w.Send(1, "again"), 30*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
	if again := len(w.Telegram.Messages(world.Group)); again != posts {
		t.Errorf("%d posts, then %d: a ticket was posted twice", posts, again)
	}
}
