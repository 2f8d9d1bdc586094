// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// troubleshooting is the page with the table of what broken bridges say, as they said it here.
var troubleshooting = filepath.Join("..", "..", "docs", "troubleshooting.md")

// breakageDeadline is how long a breakage may take to be told of; the slowest are a bot that falls silent and a pod in a
// crash loop.
const breakageDeadline = 150 * time.Second

// breakage is one thing that is wrong with a bridge or its world, and what `kubectl describe` says of it.
type breakage struct {
	what string
	// before spoils the world before the bridge is made, after once the bridge is Ready.
	before, after func(*world.World)
	// condition is the one nearest to the cause. Ready repeats its reason and message.
	condition, reason string
	// status is the condition's, False unless given. Where it is True, the bridge works, and Ready stays so.
	status metav1.ConditionStatus
	// result is what kstatus makes of it.
	result string
	// mend are words of the message that tell what to do, in their order.
	mend []string
}

// told is what a bridge said.
type told struct{ condition, status, reason, message, result string }

// TestBreakages breaks bridges, each in its own way, and reads what they say: somebody who knows nothing else has to be
// able to mend them. With UPDATE=1 it writes down what it read. The parts run side by side: -parallel 8 is a good number.
func TestBreakages(t *testing.T) {
	var mu sync.Mutex
	record := map[string]told{}
	t.Run("of", func(t *testing.T) {
		for _, b := range breakages() {
			t.Run(strings.ReplaceAll(b.what, " ", "_"), func(t *testing.T) {
				t.Parallel()
				got := b.produce(t)
				mu.Lock()
				defer mu.Unlock()
				record[b.what] = got
			})
		}
	})
	if t.Failed() {
		return
	}
	page := renderTable(record)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(troubleshooting, []byte(page), 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
	}
	recorded, err := os.ReadFile(troubleshooting)
	if err != nil {
		t.Fatal(err)
	}
	// The words of others vary between clusters and versions; what is ours may not.
	for _, b := range breakages() {
		if row := rowStart(b.what, record[b.what]); !strings.Contains(string(recorded), row) {
			t.Errorf("%s lacks a row that begins with %q: run this test with UPDATE=1", troubleshooting, row)
		}
	}
}

// produce makes a bridge, breaks it, and reads what it says.
func (b *breakage) produce(t *testing.T) told {
	w := world.New(t)
	w.BotLogHolds = ""
	if b.before != nil {
		b.before(w)
	}
	if b.after != nil {
		w.Apply()
		b.after(w)
	} else if err := world.Cluster.Create(t.Context(), w.Bridge); err != nil {
		t.Fatalf("create the bridge: %v", err)
	}
	if b.status == "" {
		b.status = metav1.ConditionFalse
	}
	took := w.WaitCondition(b.condition, b.status, b.reason, breakageDeadline)
	if b.status == metav1.ConditionTrue {
		w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, "", 0)
	} else {
		took += w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, b.reason, breakageDeadline)
	}
	c := meta.FindStatusCondition(w.Bridge.Status.Conditions, b.condition)
	if c == nil || c.Reason != b.reason {
		t.Fatalf("%s did not stay as it was: %+v", b.condition, w.Bridge.Status.Conditions)
	}
	t.Logf("after %s: %s %s %s: %s", took.Round(time.Millisecond), c.Type, c.Status, c.Reason, c.Message)
	if !hasInOrder(c.Message, b.mend) {
		t.Errorf("the message does not say %q: %s", b.mend, c.Message)
	}
	if got := kstatus(w.Bridge); got != b.result {
		t.Errorf("kstatus makes %s of it, want %s", got, b.result)
	}
	b.describe(w)
	return told{c.Type, string(c.Status), c.Reason, normalised(w, c.Message), b.result}
}

// describe reads what a person would.
func (b *breakage) describe(w *world.World) {
	out, err := world.Kubectl(w.T.Context(), "-n", w.Namespace, "describe", "fbb", w.Name)
	if err != nil || !strings.Contains(out, b.reason) {
		w.T.Errorf("kubectl describe does not show %s: %v\n%s", b.reason, err, out)
	}
}

// kstatus is how the library of that name, which Helm, Flux and Argo CD's generic check follow, judges an object of a kind
// that it does not know.
func kstatus(b *v1alpha1.FeedbackBridge) string {
	conditions := b.Status.Conditions
	switch {
	case b.Status.ObservedGeneration != b.Generation, meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling):
		return "InProgress"
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		return "Failed"
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		return "Current"
	default:
		return "InProgress"
	}
}

// hasInOrder is whether a text has words, one after the other.
func hasInOrder(text string, words []string) bool {
	for _, word := range words {
		_, rest, found := strings.Cut(text, word)
		if !found {
			return false
		}
		text = rest
	}
	return true
}

// longestMessage is how much of a message the page shows: what follows are the words of others.
const longestMessage = 420

// volatile are what differs from run to run, and what stands for it on the page.
var volatile = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "2026-01-31T12:00:00Z"},
	{regexp.MustCompile(`shop-bot-[0-9a-z]+-[0-9a-z]{5}`), "shop-bot-7c9d8b6f5-x2x2x"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "…"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "0123456789abcdef"},
	{regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+(:\d+)?`), "192.0.2.1"},
}

// normalised is a message without what differs from run to run.
func normalised(w *world.World, message string) string {
	message = strings.NewReplacer(w.SiteDoor.Address, "shop.example", strings.TrimPrefix(w.APIURL, "http://"), "telegram.example",
		w.Namespace, "support", w.Name, "shop").Replace(message)
	for _, v := range volatile {
		message = v.pattern.ReplaceAllString(message, v.by)
	}
	message = strings.Join(strings.Fields(message), " ")
	if runes := []rune(message); len(runes) > longestMessage {
		message = string(runes[:longestMessage]) + "…"
	}
	return message
}

func rowStart(what string, r told) string {
	return fmt.Sprintf("| %s | %s %s | `%s` | %s |", what, r.condition, r.status, r.reason, r.result)
}

// renderTable is the page: the breakages in their order, with what was recorded.
func renderTable(record map[string]told) string {
	var page strings.Builder
	page.WriteString(`<!-- Recorded by hack/e2e/breakage_test.go: UPDATE=1 go test -tags e2e -parallel 8 -run TestBreakages ./hack/e2e -->
# When a bridge is not Ready

Ask the bridge: ` + "`kubectl describe fbb NAME`" + `. Ready's message says what is wrong and what to do; where several things are wrong, it
is about the one nearest to the root. The conditions above it tell the rest, and the events below when it began.

Each row was produced on a cluster, with the real operator and the real bot, and is what the bridge said. In the fourth column
stands what kstatus, and so ` + "`helm --wait`" + `, Flux and Argo CD, make of it: of what is *InProgress* they think that it may mend
itself, and wait; *Failed* (Stalled is True) needs a person. A pod that never comes turns from InProgress to Failed when its
Deployment gives up, after ten minutes. All reasons are in the [reference](reference.md#conditions).

| What is broken | Condition | Reason | kstatus | Message |
|---|---|---|---|---|
`)
	for _, b := range breakages() {
		r := record[b.what]
		fmt.Fprintf(&page, "%s %s |\n", rowStart(b.what, r), strings.ReplaceAll(r.message, "|", `\|`))
	}
	return page.String()
}

// create makes an object beside the bridge.
func create(w *world.World, object client.Object) {
	w.T.Helper()
	object.SetNamespace(w.Namespace)
	if err := world.Cluster.Create(w.T.Context(), object); err != nil {
		w.T.Fatalf("create %s: %v", object.GetName(), err)
	}
}
