// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// life is one release's: what its steps share.
type life struct {
	// inline is a bridge of the values, beside is one that somebody applied by kubectl.
	inline, beside *world.World
	previous       string // the chart of the release before
	inlinePod      *corev1.Pod
	besidePod      *corev1.Pod
}

// TestALifeOfARelease takes one release from its first installation to its last, each step on what the one before left.
func TestALifeOfARelease(t *testing.T) {
	l := &life{inline: world.New(t), beside: world.New(t), previous: previousRelease(t)}
	t.Cleanup(func() { l.inline.T, l.beside.T = t, t }) // the worlds clean up after the last step
	for _, step := range []struct {
		name string
		run  func(*life, *testing.T)
	}{
		{"bridges wait for their CRD", (*life).needsCRD},
		{"the wait for a bridge that is Stalled fails, and says why", (*life).stalled},
		{"what is uninstalled leaves the CRD, which the next installation takes over", (*life).installed},
		{"helm test", (*life).tested},
		{"an upgrade brings the new CRD, and leaves bots alone", (*life).upgraded},
		{"a rollback does too", (*life).rolledBack},
		{"an uninstall leaves bridges, volumes and Secrets", (*life).uninstalled},
		{"and what was left goes on, under an operator for its namespaces only", (*life).again},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(l, t) }) {
			t.FailNow()
		}
	}
}

// needsCRD: Helm looks up every kind before it makes the first object. The chart says so, and what to do.
func (l *life) needsCRD(t *testing.T) {
	args := []string{release, l.previous, "--values", values(t, nil, l.inline.Manifest())}
	_, err := helm(t.Context(), append([]string{"install"}, args...)...)
	if err == nil || !strings.Contains(err.Error(), "apply the CRD first, with helm template") {
		t.Fatalf("an installation with bridges and without their CRD: %v", err)
	}
	crd := must(t, append([]string{"template"}, append(args, "--show-only", "templates/crd.yaml")...)...)
	apply(t, crd, "--field-manager=helm")
	if _, err := world.Kubectl(t.Context(), "wait", "crd/"+crdName, "--for=condition=Established", "--timeout=30s"); err != nil {
		t.Fatal(err)
	}
}

func apply(t *testing.T, manifest string, args ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := world.Kubectl(t.Context(), append([]string{"apply", "--server-side", "-f", path}, args...)...); err != nil {
		t.Fatal(err)
	}
}

// stalled installs with a bridge that lacks its Secret: nobody has to wait for the time-out to hear of it.
func (l *life) stalled(t *testing.T) {
	broken := l.inline.Manifest()
	broken.Spec.Telegram.TokenSecretRef.Name = "no-such-secret"
	const timeout = 3 * time.Minute
	began := time.Now()
	_, err := helm(t.Context(), "install", release, l.previous, "--values", values(t, nil, broken), "--wait", "--timeout", timeout.String())
	took := time.Since(began)
	if err == nil || !strings.Contains(err.Error(), "FeedbackBridge/"+broken.Namespace+"/"+broken.Name+" not ready. status: Failed") ||
		!strings.Contains(err.Error(), "no-such-secret") {
		t.Fatalf("helm install --wait: %v", err)
	}
	if took > timeout/2 {
		t.Errorf("it took %s of the %s to hear of it", took, timeout)
	}
	t.Logf("helm install --wait failed after %s: %v", took.Round(time.Millisecond), err)
	name := "fbb/" + broken.Name
	if _, err := world.Kubectl(t.Context(), "-n", broken.Namespace, "wait", name, "--for=condition=Stalled", "--timeout=10s"); err != nil {
		t.Error(err)
	}
	if _, err := world.Kubectl(t.Context(), "-n", broken.Namespace, "wait", name, "--for=condition=Ready", "--timeout=2s"); err == nil {
		t.Error("kubectl wait found it Ready")
	}
	out, err := helm(t.Context(), "test", release, "--logs", "--timeout", "90s")
	if err == nil || !strings.Contains(err.Error(), "bridge "+broken.Namespace+"/"+broken.Name+" is not Ready") {
		t.Errorf("helm test of a bridge that is not Ready: %v\n%s", err, out)
	}
	must(t, "uninstall", release, "--wait")
}

// installed installs onto the CRD that the failed installation left, with a bridge that works.
func (l *life) installed(t *testing.T) {
	must(t, "install", release, l.previous, "--values", values(t, nil, l.inline.Manifest()), "--wait", "--timeout", "3m")
	ready(t, l.inline, 5*time.Second) // --wait has waited for it
	if crdKnows(t, "priorityClassName") {
		t.Fatal("the CRD of the release before has the new field: the upgrade would show nothing")
	}
	l.beside.T = t
	l.beside.Apply()
	l.inlinePod, l.besidePod = l.inline.Pod(), l.beside.Pod()
}

// ready has kubectl wait for a bridge.
func ready(t *testing.T, w *world.World, within time.Duration) {
	t.Helper()
	_, err := world.Kubectl(t.Context(), "-n", w.Namespace, "wait", "fbb/"+w.Name, "--for=condition=Ready", "--timeout", within.String())
	if err != nil {
		t.Fatal(err)
	}
}

func (l *life) tested(t *testing.T) {
	must(t, "test", release, "--timeout", "2m")
}

// upgraded upgrades to this chart, and from one operator to two.
func (l *life) upgraded(t *testing.T) {
	must(t, "upgrade", release, sourceChart, "--values", values(t, map[string]any{"replicas": 2}, l.inline.Manifest()), "--wait", "--timeout", "3m")
	if !crdKnows(t, "priorityClassName") {
		t.Error("the CRD was not upgraded")
	}
	world.Eventually(t, time.Minute, "two operators", func() (bool, string) {
		pods := world.Pods(t, world.OperatorNamespace, client.MatchingLabels{"app.kubernetes.io/name": "feedbackbridge-operator"})
		return len(pods) == 2, fmt.Sprintf("%d pods, with those that are on their way out", len(pods))
	})
	l.sameBots(t, "while upgraded")
}

func (l *life) rolledBack(t *testing.T) {
	must(t, "rollback", release, "1", "--wait", "--timeout", "3m")
	if crdKnows(t, "priorityClassName") {
		t.Error("the CRD was not rolled back")
	}
	l.sameBots(t, "while rolled back")
	must(t, "upgrade", release, sourceChart, "--values", values(t, nil, l.inline.Manifest()), "--wait", "--timeout", "3m")
	l.sameBots(t, "while upgraded again")
}

// sameBots fails where a bot was restarted, or a feedback does not become a result.
func (l *life) sameBots(t *testing.T, message string) {
	t.Helper()
	for _, c := range []struct {
		w   *world.World
		pod *corev1.Pod
	}{{l.inline, l.inlinePod}, {l.beside, l.besidePod}} {
		c.w.T = t
		ready(t, c.w, 30*time.Second)
		c.w.SameBot(c.pod)
		if r := c.w.Result(c.w.Send(time.Now().UnixMilli(), message), 15*time.Second); !r.OK {
			t.Errorf("%s: %+v", message, r)
		}
	}
}

// uninstalled: the bridge of the values goes with its release, but its volume and Secrets stay; the one beside it is left as
// it was, and its bot goes on without an operator.
func (l *life) uninstalled(t *testing.T) {
	must(t, "uninstall", release, "--wait")
	if !crdKnows(t, "priorityClassName") {
		t.Error("the CRD was not kept")
	}
	name := client.ObjectKeyFromObject(l.inline.Bridge)
	if err := world.Cluster.Get(t.Context(), name, &v1alpha1.FeedbackBridge{}); !isGone(err) {
		t.Errorf("the bridge of the values: %v", err)
	}
	claim := &corev1.PersistentVolumeClaim{}
	key := client.ObjectKey{Namespace: l.inline.Namespace, Name: v1alpha1.BotName(l.inline.Name)}
	if err := world.Cluster.Get(t.Context(), key, claim); err != nil || claim.DeletionTimestamp != nil {
		t.Errorf("its volume claim was not kept: %v", err)
	}
	for _, secret := range []string{"site", "hmac", "telegram"} {
		if err := world.Cluster.Get(t.Context(), client.ObjectKey{Namespace: l.inline.Namespace, Name: secret}, &corev1.Secret{}); err != nil {
			t.Errorf("secret %s: %v", secret, err)
		}
	}
	world.Eventually(t, time.Minute, "the bot of the bridge that went is gone", func() (bool, string) {
		left := world.Pods(t, l.inline.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: l.inline.Name})
		return len(left) == 0, fmt.Sprintf("%d pods", len(left))
	})
	l.beside.T = t
	l.beside.SameBot(l.besidePod)
	if r := l.beside.Result(l.beside.Send(1_000_001, "without an operator"), 15*time.Second); !r.OK {
		t.Errorf("without an operator: %+v", r)
	}
}

// again installs once more, with rights in the two namespaces only: the CRD is taken over, the bridge goes on from its
// volume, the other never stopped.
func (l *life) again(t *testing.T) {
	watched := map[string]any{"watchNamespaces": []string{l.inline.Namespace, l.beside.Namespace}}
	must(t, "install", release, sourceChart, "--values", values(t, watched, l.inline.Manifest()), "--wait", "--timeout", "3m")
	l.inline.T = t
	l.inlinePod = l.inline.Pod()
	l.sameBots(t, "after all that")
	for namespace, want := range map[string]string{l.inline.Namespace: "yes", l.beside.Namespace: "yes", "kube-system": "no"} {
		// can-i says no by its exit code, too.
		out, _ := world.Kubectl(t.Context(), "auth", "can-i", "get", "secrets", "--namespace", namespace,
			"--as", "system:serviceaccount:"+world.OperatorNamespace+":feedbackbridge-operator")
		if got := strings.TrimSpace(out); (want == "yes") != (got == "yes") {
			t.Errorf("the operator may get Secrets in %s: %q, want %s", namespace, got, want)
		}
	}
	// It still reacts: to a site that goes, and comes back.
	l.beside.SiteDoor.Close()
	l.beside.Site.Drop()
	l.beside.WaitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, "", 30*time.Second)
	l.beside.SiteDoor.Open()
	ready(t, l.beside, 2*time.Minute)
}
