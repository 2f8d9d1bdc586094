// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// stream is a site that sends one feedback after the other, the next one once it has the result of the one before.
type stream struct {
	w       *world.World
	sent    int64
	longest time.Duration // that a feedback has waited for its result
}

// patience is after how long a site sends a feedback again: version 1 acknowledges nothing, and what was sent into a
// connection that was about to end is lost.
const patience = time.Second

// send sends the next feedback, again and again until it has a result.
func (s *stream) send() {
	s.w.T.Helper()
	s.sent++
	for began := time.Now(); ; {
		id := s.w.Send(s.sent, "one of many")
		ctx, cancel := context.WithTimeout(s.w.T.Context(), patience)
		result, err := s.w.Site.WaitResult(ctx, id)
		cancel()
		took := time.Since(began)
		switch {
		case err == nil && result.OK:
			s.longest = max(s.longest, took)
			return
		case err == nil:
			s.w.T.Fatalf("feedback %d: %+v", s.sent, result)
		case took > failoverTarget:
			s.w.T.Fatalf("feedback %d has no result after %s", s.sent, took)
		}
	}
}

// until sends until something is done, and says how long the slowest feedback took meanwhile.
func (s *stream) until(what string, done func() (ok bool, why string)) {
	s.w.T.Helper()
	s.longest = 0
	took := world.Eventually(s.w.T, 2*time.Minute, what, func() (bool, string) { s.send(); return done() })
	s.w.T.Logf("%s: after %s; no feedback took longer than %s", what, took.Round(time.Second), s.longest.Round(10*time.Millisecond))
}

// check fails where a feedback was not posted exactly once.
func (s *stream) check() {
	s.w.T.Helper()
	for i := range s.sent {
		if n := postsOf(s.w, fmt.Sprintf("ticket_site_%d", i+1)); n != 1 {
			s.w.T.Errorf("feedback %d: %d posts", i+1, n)
		}
	}
}

// podNames are the pods that are not on their way out.
func podNames(w *world.World) (names []string) {
	w.T.Helper()
	for _, p := range world.Pods(w.T, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name}) {
		if p.DeletionTimestamp == nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// A drain of the one node evicts both bots at once. That costs the seconds until one of them runs again, and loses nothing: the
// site sends again what it got no answer to.
func TestADrainOfBothBotsLosesNothing(t *testing.T) {
	w, _ := newReplicated(t)
	before, node := podNames(w), activePod(w).Spec.NodeName
	drained := make(chan struct{})
	var drainErr error
	go func() { defer close(drained); drainErr = drain(t.Context(), node, w.Name) }()
	t.Cleanup(func() { <-drained })
	s := &stream{w: w}
	s.until("the drain has taken both", func() (bool, string) {
		select {
		case <-drained:
			if drainErr != nil {
				t.Fatal(drainErr)
			}
			return true, ""
		default:
			return false, "it goes on"
		}
	})
	waitForPods(w, 2)
	for _, name := range podNames(w) {
		if slices.Contains(before, name) {
			t.Errorf("%s was not drained", name)
		}
	}
	s.check()
}

// drain drains a node of the pods of one bridge, as a person would of all, and has it take pods again.
func drain(ctx context.Context, node, bridge string) error {
	_, err := world.Kubectl(ctx, "drain", node, "--pod-selector="+v1alpha1.LabelBridge+"="+bridge, "--delete-emptydir-data", "--timeout=100s")
	_, again := world.Kubectl(context.WithoutCancel(ctx), "uncordon", node)
	return errors.Join(err, again)
}

// While the site is away the active bot is not ready, and its standby is. Even then nothing holds up a drain of the standby's
// node.
func TestAStandbyCanBeEvictedWhileTheSiteIsAway(t *testing.T) {
	w, _ := newReplicated(t)
	active := activePod(w)
	w.SiteDoor.Close()
	w.Site.Drop()
	world.Eventually(t, time.Minute, "the active pod is not ready", func() (bool, string) {
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(active), active); err != nil {
			return false, err.Error()
		}
		return slices.ContainsFunc(active.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionFalse
		}), "it is ready"
	})
	standbys := slices.DeleteFunc(podNames(w), func(name string) bool { return name == active.Name })
	if len(standbys) != 1 {
		t.Fatalf("standbys: %v, want one", standbys)
	}
	standby := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: standbys[0]}}
	if err := world.Cluster.SubResource("eviction").Create(t.Context(), standby, &policyv1.Eviction{}); err != nil {
		t.Errorf("evict the standby: %v", err)
	}
	w.SiteDoor.Open()
	w.WaitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected, 150*time.Second)
	waitForPods(w, 2)
	(&stream{w: w}).send()
	if now := activePod(w); now.UID != active.UID {
		t.Errorf("%s works, and no longer %s", now.Name, active.Name)
	}
}

// A rollout that the spec knows nothing of replaces the pods as a changed spec does.
func TestARestartedRolloutLosesNothing(t *testing.T) {
	w, _ := newReplicated(t)
	before := podNames(w)
	s := &stream{w: w}
	s.send()
	if _, err := world.Kubectl(t.Context(), "-n", w.Namespace, "rollout", "restart", "deployment/"+v1alpha1.BotName(w.Name)); err != nil {
		t.Fatal(err)
	}
	s.until("both pods are replaced", func() (bool, string) {
		pods := world.Pods(t, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name})
		old := slices.ContainsFunc(pods, func(p corev1.Pod) bool { return slices.Contains(before, p.Name) })
		return !old && len(pods) == 2, fmt.Sprintf("%d pods, of before: %t", len(pods), old)
	})
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
	s.check()
}

// crash has PostgreSQL end every session and recover: that is what it does when one of its processes is killed.
func (d *database) crash(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), "host="+filepath.Dir(d.socket)+" user=bot dbname=postgres")
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context()) // its other end is gone
}

// A database that is restarted costs seconds, and neither a pod nor a change of who works.
func TestADatabaseThatRestartsIsReturnedTo(t *testing.T) {
	w, d := newReplicated(t)
	pod := activePod(w)
	s := &stream{w: w}
	s.send()
	d.crash(t)
	s.longest = 0
	s.send()
	t.Logf("the next post after %s", s.longest.Round(10*time.Millisecond))
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
	if again := activePod(w); again.UID != pod.UID || again.Status.ContainerStatuses[0].RestartCount != pod.Status.ContainerStatuses[0].RestartCount {
		t.Error("another bot works, or the bot was restarted")
	}
	s.check()
}

// anotherWay opens a second port to a database.
func (d *database) anotherWay(t *testing.T) *database {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(world.Cluster.HostAddress, "0"))
	if err != nil {
		t.Fatalf("listen where pods reach this machine: %v", err)
	}
	other := &database{socket: d.socket, conns: map[net.Conn]bool{}, port: int32(listener.Addr().(*net.TCPAddr).Port)}
	done := make(chan struct{})
	go func() { defer close(done); other.serve(listener) }()
	t.Cleanup(func() {
		_ = listener.Close()
		other.setCut(true)
		<-done
	})
	return other
}

// used is how many connections go through, counted at both ends.
func (d *database) used() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

// Another address of the database, or another password, is taken up by the bots as they run.
func TestAChangedAddressOfTheDatabaseIsTakenUp(t *testing.T) {
	w, d := newReplicated(t)
	s := &stream{w: w}
	s.send()
	before := activePod(w)
	other := d.anotherWay(t)
	w.Secret("database", "dsn", other.dsn())
	s.until("the new way is used, and the old one no more", func() (bool, string) {
		return other.used() > 0 && d.used() == 0, fmt.Sprintf("the new one has %d connections, the old one %d", other.used(), d.used())
	})
	d.setCut(true)
	s.send()
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
	restarts := int32(0)
	for _, p := range world.Pods(t, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name}) {
		restarts += p.Status.ContainerStatuses[0].RestartCount
	}
	if names := podNames(w); restarts != 0 || !slices.Contains(names, before.Name) {
		t.Errorf("%d restarts; there was %s, there are %v", restarts, before.Name, names)
	}
	s.check()
}

// A bot that takes over in the middle of a rotation knows both keys.
func TestAStandbyTakesOverWithinARotation(t *testing.T) {
	w, _ := newReplicated(t)
	next := "hmac-the-next-one"
	w.Secret("hmac", "key", next)
	nextID := w.Key(next).ID()
	accepts := func(what string) {
		t.Helper()
		world.Eventually(t, time.Minute, what, func() (bool, string) {
			accepted := w.Report().HMACKeyIDs
			return len(accepted) == 2 && slices.Contains(accepted, nextID), fmt.Sprint(accepted)
		})
	}
	accepts("the active bot accepts the new key")
	pod := activePod(w)
	if err := world.Cluster.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	world.Eventually(t, failoverTarget, "another one is active", func() (bool, string) {
		now := activePod(w)
		return now.UID != pod.UID, now.Name
	})
	accepts("so does the one that took over")
	if r := w.Result(w.Send(1, "signed with the key before"), failoverTarget); !r.OK || r.KeyID == nextID {
		t.Errorf("with the key before: %+v", r)
	}
	w.Site.SetKey(w.Key(next), wire.FormUTF8)
	if r := w.Result(w.Send(2, "signed with the new key"), failoverTarget); !r.OK || r.KeyID != nextID {
		t.Errorf("with the new key: %+v", r)
	}
	world.Eventually(t, time.Minute, "the new key is the current one", func() (bool, string) {
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		keys := w.Bridge.Status.Credentials.HMAC
		return keys.Phase == v1alpha1.RotationAdopted && keys.CurrentKeyID == nextID, fmt.Sprintf("%+v", keys)
	})
	waitForPods(w, 2)
}
