// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// failoverTarget is how soon after the end of the active bot the next post has to be there.
const failoverTarget = 15 * time.Second

// database is a PostgreSQL of this machine's, with a way in for pods that can be cut.
type database struct {
	socket string
	port   int32

	mu    sync.Mutex
	conns map[net.Conn]bool
	cut   bool
}

// newDatabase starts PostgreSQL, which listens on a unix socket, and opens a port to it where pods reach this process.
func newDatabase(t *testing.T) *database {
	t.Helper()
	server, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	config, err := pgx.ParseConfig(server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(world.Cluster.HostAddress, "0"))
	if err != nil {
		t.Fatalf("listen where pods reach this machine: %v", err)
	}
	d := &database{socket: filepath.Join(config.Host, fmt.Sprintf(".s.PGSQL.%d", config.Port)), conns: map[net.Conn]bool{},
		port: int32(listener.Addr().(*net.TCPAddr).Port)}
	done := make(chan struct{})
	go func() { defer close(done); d.serve(listener) }()
	t.Cleanup(func() {
		_ = listener.Close()
		d.setCut(true)
		<-done
	})
	return d
}

// dsn is the database's address for pods.
func (d *database) dsn() string {
	return fmt.Sprintf("postgres://bot:%s@%s/postgres?sslmode=disable", "a-password-that-no-log-may-show",
		net.JoinHostPort(world.Cluster.HostAddress, strconv.Itoa(int(d.port))))
}

func (d *database) serve(listener net.Listener) {
	var pipes sync.WaitGroup
	defer pipes.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		pipes.Go(func() { d.pipe(conn) })
	}
}

// pipe joins a pod's connection to the server, until either ends or the way is cut.
func (d *database) pipe(conn net.Conn) {
	server, err := net.Dial("unix", d.socket)
	if err != nil || !d.keep(conn, server) {
		_ = conn.Close()
		if err == nil {
			_ = server.Close()
		}
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{conn, server}, {server, conn}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // it ends with the connection
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, conn)
	delete(d.conns, server)
}

func (d *database) keep(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut {
		return false
	}
	for _, c := range conns {
		d.conns[c] = true
	}
	return true
}

// setCut ends every connection and refuses new ones, or lets them through again.
func (d *database) setCut(cut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = cut
	if cut {
		for c := range d.conns {
			_ = c.Close()
		}
	}
}

// newReplicated is a bridge with a database and two pods, both of which are ready.
func newReplicated(t *testing.T) (*world.World, *database) {
	t.Helper()
	w := world.New(t)
	d := newDatabase(t)
	w.Secret("database", "dsn", d.dsn())
	w.Confidential["a-password-that-no-log-may-show"] = "the database's password"
	w.Bridge.Spec.Storage.Postgres = &v1alpha1.PostgresSpec{DSNSecretRef: v1alpha1.SecretKeyRef{Name: "database", Key: "dsn"}, Port: d.port}
	w.Bridge.Spec.Runtime.Replicas = new(int32(2))
	w.Apply()
	waitForPods(w, 2)
	return w, d
}

// waitForPods waits until there are so many pods, and all are ready.
func waitForPods(w *world.World, want int) {
	w.T.Helper()
	world.Eventually(w.T, time.Minute, fmt.Sprintf("%d ready pods", want), func() (bool, string) {
		ready := 0
		pods := world.Pods(w.T, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name})
		for _, p := range pods {
			for _, c := range p.Status.Conditions {
				if p.DeletionTimestamp == nil && c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready == want && len(pods) == want, fmt.Sprintf("%d of %d pods are ready", ready, len(pods))
	})
}

// activePod is the pod that the bridge's status names.
func activePod(w *world.World) *corev1.Pod {
	w.T.Helper()
	pod := &corev1.Pod{}
	world.Eventually(w.T, 30*time.Second, "the status names the active pod", func() (bool, string) {
		if err := world.Cluster.Get(w.T.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		c := w.Bridge.Status.Connection
		if c == nil || c.State != v1alpha1.ConnectionConnected {
			return false, fmt.Sprintf("%+v", c)
		}
		err := world.Cluster.Get(w.T.Context(), client.ObjectKey{Namespace: w.Namespace, Name: c.Pod}, pod)
		return err == nil && pod.DeletionTimestamp == nil, fmt.Sprintf("%s: %v", c.Pod, err)
	})
	return pod
}

// processOf finds the bot of a pod among this machine's processes.
func processOf(w *world.World, pod string) int {
	w.T.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		w.T.Fatal(err)
	}
	for _, file := range files {
		// A process may end while it is looked at; then it is not the one.
		env, err := os.ReadFile(file)
		args, argsErr := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || argsErr != nil || !strings.HasPrefix(string(args), "/feedbackbridge-bot\x00run\x00") ||
			!strings.Contains("\x00"+string(env), "\x00POD_NAME="+pod+"\x00") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			return pid
		}
	}
	w.T.Fatalf("no process of pod %s", pod)
	return 0
}

func postsOf(w *world.World, ticket string) (n int) {
	for _, m := range w.Telegram.Messages(world.Group) {
		if strings.Contains(m.Text, ticket+"\n") {
			n++
		}
	}
	return n
}

func TestAStandbyTakesOver(t *testing.T) {
	w, _ := newReplicated(t)
	if r := w.Result(w.Send(1, "before"), failoverTarget); !r.OK {
		t.Fatalf("result: %+v", r)
	}
	for i, end := range []struct {
		how string
		end func(*corev1.Pod)
	}{
		{"killed, and its pod gone with it", func(pod *corev1.Pod) {
			pid := processOf(w, pod.Name)
			if err := world.Cluster.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Fatal(err)
			}
		}},
		{"killed", func(pod *corev1.Pod) {
			if err := syscall.Kill(processOf(w, pod.Name), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}},
		{"told to stop", func(pod *corev1.Pod) {
			if err := world.Cluster.Delete(t.Context(), pod); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		pod := activePod(w)
		connections := w.Site.Stats().Connections
		began := time.Now()
		end.end(pod)
		// What a site sends into a connection that is about to break it has to send again: version 1 acknowledges nothing.
		world.Eventually(t, failoverTarget, "the site has lost the active bot", func() (bool, string) {
			s := w.Site.Stats()
			return !s.Connected || s.Connections > connections, "it is still connected"
		})
		feedback := int64(i + 2)
		result := w.Result(w.Send(feedback, "after"), failoverTarget)
		t.Logf("the active bot is %s: the next post after %s", end.how, time.Since(began).Round(10*time.Millisecond))
		if !result.OK || postsOf(w, fmt.Sprintf("ticket_site_%d", feedback)) != 1 {
			t.Errorf("%s: result %+v", end.how, result)
		}
		waitForPods(w, 2)
		w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
	}
	// The one that works now knows what the first one posted.
	if r := w.Result(w.Send(1, "before"), failoverTarget); !r.OK || postsOf(w, "ticket_site_1") != 1 {
		t.Errorf("the first ticket, sent again: %+v, %d posts", r, postsOf(w, "ticket_site_1"))
	}
}

// A changed spec replaces both pods, one by one; what the site sends meanwhile is posted.
func TestARollingUpdateLosesNothing(t *testing.T) {
	w, _ := newReplicated(t)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"telegram":{"timeZone":"UTC"}}}`))
	if err := world.Cluster.Patch(t.Context(), w.Bridge, patch); err != nil {
		t.Fatal(err)
	}
	sent := 0
	world.Eventually(t, 2*time.Minute, "both pods are replaced", func() (bool, string) {
		sent++
		w.Result(w.Send(int64(sent), "during the update"), 30*time.Second)
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		old := 0
		for _, p := range world.Pods(t, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name}) {
			if p.DeletionTimestamp != nil {
				old++
			}
		}
		rolled, err := world.Kubectl(t.Context(), "-n", w.Namespace, "rollout", "status", "deployment/"+v1alpha1.BotName(w.Name), "--watch=false")
		return err == nil && old == 0 && w.Bridge.Status.ObservedGeneration == w.Bridge.Generation && strings.Contains(rolled, "successfully rolled out"), rolled
	})
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
	for i := range sent {
		if n := postsOf(w, fmt.Sprintf("ticket_site_%d", i+1)); n != 1 {
			t.Errorf("feedback %d: %d posts", i+1, n)
		}
	}
}

// A database that goes away stops the bridge, loudly, and nothing else: the pods stay as they are, and all goes on when it
// is back.
func TestADatabaseThatGoesAwayIsWaitedFor(t *testing.T) {
	w, d := newReplicated(t)
	pod := activePod(w)
	d.setCut(true)
	id := w.Send(1, "while the database is away")
	w.WaitCondition(v1alpha1.ConditionStorageTrouble, metav1.ConditionTrue, v1alpha1.ReasonStorageUnreachable, time.Minute)
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStorageUnreachable, time.Minute)
	d.setCut(false)
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
	// What the bot could not keep it did not answer: the site's to send again.
	if sent, _ := w.Site.Sent(id); sent.Result == nil {
		id = w.Send(1, "while the database is away")
	}
	if r := w.Result(id, failoverTarget); !r.OK || postsOf(w, "ticket_site_1") != 1 {
		t.Errorf("result: %+v", r)
	}
	if again := activePod(w); again.UID != pod.UID || again.Status.ContainerStatuses[0].RestartCount != pod.Status.ContainerStatuses[0].RestartCount {
		t.Error("the bot was restarted")
	}
}
