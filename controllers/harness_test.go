// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	testImage = "example.test/bot:1"
	// deadline is how long a test waits for what should take milliseconds.
	deadline = 30 * time.Second
)

// fakeClock is a clock that a test sets. The API server's own times stay real.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// harness is an operator under test in a namespace of its own, and a person and a bot to play with it.
type harness struct {
	*testing.T
	server *apiServer
	// client is the person's and the bot's; it has no cache.
	client    client.Client
	namespace string
	clock     *fakeClock
	// botAhead is how far the bot's clock is ahead of the operator's.
	botAhead time.Duration
	ctx      context.Context
	mgr      ctrl.Manager
	operator *Reconciler
	events   *events.FakeRecorder
}

// newHarness makes the namespace and the operator, which does nothing before run or reconcile is called.
func newHarness(t *testing.T) *harness {
	t.Helper()
	server := useAPIServer(t)
	h := &harness{
		T: t, server: server, client: server.client, ctx: t.Context(),
		clock:  &fakeClock{now: time.Now().UTC().Truncate(time.Second)},
		events: events.NewFakeRecorder(1000),
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "test-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	h.must(h.client.Create(h.ctx, ns))
	h.namespace = ns.Name
	cfg := rest.CopyConfig(server.config)
	cfg.UserAgent = operatorAgent
	cfg.Impersonate.UserName = operatorUser
	echoes := &Echoes{}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:     Scheme(),
		Cache:      CacheOptions([]string{h.namespace}, echoes),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	h.must(err)
	h.mgr = mgr
	h.operator = &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Echoes: echoes, Recorder: h.events, BotImage: testImage,
		APIServerPorts: DefaultAPIServerPorts, Now: h.clock.Now,
	}
	return h
}

// run starts the operator for the rest of the test.
func (h *harness) run() *harness {
	h.Helper()
	h.must(h.operator.SetupWithManager(h.ctx, h.mgr, 2))
	h.start()
	return h
}

// start starts the manager, and stops it, before the test's context ends, when the test does.
func (h *harness) start() {
	h.Helper()
	ctx, cancel := context.WithCancel(h.ctx)
	done := make(chan error, 1)
	go func() { done <- h.mgr.Start(ctx) }()
	h.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.Errorf("the operator ended with: %v", err)
		}
	})
	if !h.mgr.GetCache().WaitForCacheSync(ctx) {
		h.Fatal("the cache does not sync")
	}
}

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// eventually waits until a check has nothing to complain of.
func (h *harness) eventually(what string, check func() error) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, deadline)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			h.Fatalf("%s: after %s still: %v", what, deadline, err)
		case <-tick.C:
		}
	}
}

func (h *harness) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: h.namespace, Name: name}
}

// get reads an object of the test's namespace into out.
func (h *harness) get(name string, out client.Object) error {
	return h.client.Get(h.ctx, h.key(name), out)
}

// goodBridge is a bridge that needs nothing but the Secrets of createSecrets.
func (h *harness) goodBridge(name string) *v1alpha1.FeedbackBridge {
	return &v1alpha1.FeedbackBridge{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: h.namespace},
		Spec: v1alpha1.FeedbackBridgeSpec{
			Site: v1alpha1.SiteSpec{URL: "wss://shop.example/ws/feedback-bot"},
			Credentials: v1alpha1.CredentialsSpec{
				JWT:  v1alpha1.JWTSpec{SigningKeySecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "jwt"}},
				HMAC: v1alpha1.HMACSpec{SecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "hmac"}},
			},
			Telegram: v1alpha1.TelegramSpec{
				TokenSecretRef: v1alpha1.SecretKeyRef{Name: "telegram", Key: "token"},
				ChatID:         "-1001234567890",
			},
		},
	}
}

func (h *harness) createSecret(name string, data map[string]string) {
	h.Helper()
	h.must(h.client.Create(h.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: h.namespace}, StringData: data,
	}))
}

func (h *harness) createSecrets() {
	h.Helper()
	h.createSecret("site", map[string]string{"jwt": "signing key", "hmac": "first key\n"})
	h.createSecret("telegram", map[string]string{"token": "123456:TEST-TOKEN"})
}

// setSecret changes one key of a Secret, as a person would.
func (h *harness) setSecret(name, key, value string) {
	h.Helper()
	patch := map[string]any{"stringData": map[string]string{key: value}}
	text, err := json.Marshal(patch)
	h.must(err)
	h.must(h.client.Patch(h.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: h.namespace}},
		client.RawPatch("application/merge-patch+json", text)))
}

// createBridge makes the Secrets and a bridge.
func (h *harness) createBridge(name string) *v1alpha1.FeedbackBridge {
	h.Helper()
	h.createSecrets()
	bridge := h.goodBridge(name)
	h.must(h.client.Create(h.ctx, bridge))
	return bridge
}

func (h *harness) bridge(name string) *v1alpha1.FeedbackBridge {
	h.Helper()
	var b v1alpha1.FeedbackBridge
	h.must(h.get(name, &b))
	return &b
}

// changeSpec changes a bridge, as a person would.
func (h *harness) changeSpec(name string, change func(*v1alpha1.FeedbackBridgeSpec)) {
	h.Helper()
	b := h.bridge(name)
	before := b.DeepCopy()
	change(&b.Spec)
	h.must(h.client.Patch(h.ctx, b, client.MergeFrom(before)))
}

// poke makes the operator look at a bridge, by an annotation that means nothing.
func (h *harness) poke(name string) {
	h.Helper()
	b := h.bridge(name)
	before := b.DeepCopy()
	annotations := maps.Clone(b.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["example.test/poke"] = fmt.Sprint(time.Now().UnixNano())
	b.Annotations = annotations
	h.must(h.client.Patch(h.ctx, b, client.MergeFrom(before)))
}

// condition waits until a condition of a bridge has a status and a reason, and returns it.
func (h *harness) condition(bridge, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	h.Helper()
	var found metav1.Condition
	h.eventually(fmt.Sprintf("%s of %s becomes %s (%s)", kind, bridge, status, reason), func() error {
		b := h.bridge(bridge)
		c := meta.FindStatusCondition(b.Status.Conditions, kind)
		if c == nil {
			return fmt.Errorf("it is absent; there are %+v", b.Status.Conditions)
		}
		found = *c
		if c.Status != status || c.Reason != reason || c.ObservedGeneration != b.Generation {
			return fmt.Errorf("it is %s (%s, of generation %d): %s", c.Status, c.Reason, c.ObservedGeneration, c.Message)
		}
		return nil
	})
	return found
}

// goodReport is what a bot says when all is well.
func goodReport(now time.Time) v1alpha1.BotReport {
	at := metav1.NewTime(now)
	return v1alpha1.BotReport{
		Version: "test", StartedAt: at,
		Site:        v1alpha1.PeerReport{OK: true, Reason: v1alpha1.ReasonConnected, Since: at},
		Telegram:    v1alpha1.PeerReport{OK: true, Reason: v1alpha1.ReasonReachable, Since: at},
		BotUsername: "shop_bot", ChatTitle: "Shop support",
	}
}

// beat plays the bot: a heartbeat now, with a report unless it is nil.
func (h *harness) beat(bridge string, report *v1alpha1.BotReport) {
	h.Helper()
	lease := &coordinationv1.Lease{}
	h.eventually("the bot's Lease exists", func() error { return h.get(v1alpha1.BotName(bridge), lease) })
	h.rollOut(bridge)
	before := lease.DeepCopy()
	lease.Spec.HolderIdentity = new(v1alpha1.BotName(bridge) + "-abc")
	lease.Spec.LeaseDurationSeconds = new(int32(30))
	lease.Spec.RenewTime = new(metav1.NewMicroTime(h.clock.Now().Add(h.botAhead)))
	if report != nil {
		text, err := json.Marshal(report)
		h.must(err)
		if lease.Annotations == nil {
			lease.Annotations = map[string]string{}
		}
		lease.Annotations[v1alpha1.AnnotationReport] = string(text)
	}
	h.must(h.client.Patch(h.ctx, lease, client.MergeFrom(before)))
}

// rollOut plays the Deployment controller: the pod is of the template as it is now.
func (h *harness) rollOut(bridge string) {
	h.Helper()
	var d appsv1.Deployment
	h.eventually("the bot's Deployment exists", func() error { return h.get(v1alpha1.BotName(bridge), &d) })
	before := d.DeepCopy()
	d.Status.ObservedGeneration, d.Status.Replicas, d.Status.UpdatedReplicas = d.Generation, *d.Spec.Replicas, *d.Spec.Replicas
	h.must(h.client.Status().Patch(h.ctx, &d, client.MergeFrom(before)))
}

// settle plays a bot that is well, and waits for Ready.
func (h *harness) settle(bridge string) {
	h.Helper()
	h.beat(bridge, new(goodReport(h.clock.Now())))
	h.condition(bridge, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}
