// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// fullBridge uses every field that reaches a child, so that no spelling of a quantity and no default of the API server
// makes a child look unsettled for ever.
func (h *harness) fullBridge(name string) *v1alpha1.FeedbackBridge {
	b := h.goodBridge(name)
	b.Spec.Site.TLS = &v1alpha1.SiteTLS{CASecretRef: &v1alpha1.SecretKeyRef{Name: "ca", Key: "ca.crt"}}
	b.Spec.Site.URL = "wss://shop.example:8443/ws?a=b"
	b.Spec.Storage.PersistentVolumeClaim = &v1alpha1.VolumeClaimSpec{
		Size: new(resource.MustParse("1024Mi")), StorageClassName: new("fast"),
	}
	b.Spec.Runtime = v1alpha1.RuntimeSpec{
		Resources: &corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("0.05"), "memory": resource.MustParse("65536Ki")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("1000m"), "memory": resource.MustParse("0.25Gi")},
		},
		NodeSelector: map[string]string{"disk": "ssd"},
		Tolerations:  []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}, {Key: "b", Value: "c", Effect: "NoExecute", TolerationSeconds: new(int64(5))}},
		Affinity: &corev1.Affinity{
			NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: "In", Values: []string{"a"}}}}}}},
			PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
				Weight: 1, PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: "zone"}}}},
		},
		PodAnnotations: map[string]string{"example.test/a": "b"},
		LogLevel:       "debug",
	}
	return b
}

// reconcileUntilQuiet reconciles until the cache has caught up and nothing is left to write.
func (h *harness) reconcileUntilQuiet(request ctrl.Request) {
	h.Helper()
	before := -1
	h.eventually("nothing is left to write", func() error {
		if _, err := h.operator.Reconcile(h.ctx, request); err != nil {
			return err
		}
		n := len(h.server.writes(h.T, h.namespace))
		if n != before {
			before = n
			return fmt.Errorf("%d writes so far", n)
		}
		return nil
	})
}

// Twenty reconciles of a settled bridge make no request at all, counted at the API server. An operator that was just
// started and remembers nothing reads the Secrets, and writes nothing either.
func TestASettledBridgeCostsNoWrite(t *testing.T) {
	for name, make := range map[string]func(*harness) *v1alpha1.FeedbackBridge{
		"the least spec": func(h *harness) *v1alpha1.FeedbackBridge { return h.goodBridge("shop") },
		"every field":    func(h *harness) *v1alpha1.FeedbackBridge { return h.fullBridge("shop") },
		"generated keys": func(h *harness) *v1alpha1.FeedbackBridge { return h.generatedBridge("shop") },
		"ephemeral": func(h *harness) *v1alpha1.FeedbackBridge {
			b := h.goodBridge("shop")
			b.Spec.Storage.Ephemeral = &v1alpha1.EphemeralSpec{}
			return b
		},
		"a database and a standby": func(h *harness) *v1alpha1.FeedbackBridge { return h.postgresBridge("shop", 2) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.createSecrets()
			h.createSecret("ca", map[string]string{"ca.crt": string(testCertificate(t))})
			h.createSecret("database", map[string]string{"dsn": "postgres://bot:pw@db.example/feedback"})
			h.must(h.client.Create(h.ctx, make(h)))
			h.start()
			request := ctrl.Request{NamespacedName: h.key("shop")}
			h.reconcileUntilQuiet(request)
			h.beat("shop", new(goodReport(h.clock.Now())))
			h.condition("shop", v1alpha1.ConditionCredentialsReady, "True", v1alpha1.ReasonCredentialsReady)
			h.eventually("the bridge is Ready", func() error {
				_, err := h.operator.Reconcile(h.ctx, request)
				h.must(err)
				if c := h.bridge("shop").Status.Connection; c == nil || c.State != v1alpha1.ConnectionConnected {
					return fmt.Errorf("the connection is %+v", c)
				}
				return nil
			})
			h.reconcileUntilQuiet(request)
			before := h.server.requests(t, h.namespace)
			for range 20 {
				if _, err := h.operator.Reconcile(h.ctx, request); err != nil {
					t.Fatal(err)
				}
			}
			after := h.server.requests(t, h.namespace)
			if len(before) == 0 {
				t.Fatal("the audit log does not even show the requests that made the children")
			}
			if len(after) != len(before) {
				t.Errorf("20 reconciles of a settled bridge made the requests %v", after[len(before):])
			}
			writes := len(h.server.writes(t, h.namespace))
			for range 20 {
				h.operator.memory.forget(request.NamespacedName)
				if _, err := h.operator.Reconcile(h.ctx, request); err != nil {
					t.Fatal(err)
				}
			}
			if w := h.server.writes(t, h.namespace)[writes:]; len(w) != 0 {
				t.Errorf("20 reconciles of a settled bridge by an operator without memory wrote %v", w)
			}
		})
	}
}

// The Secrets of a new bridge are read when its own are made, and not again to find them so.
func TestTheSecretsOfANewBridgeAreReadOnce(t *testing.T) {
	h := newHarness(t)
	h.createSecrets()
	h.must(h.client.Create(h.ctx, h.goodBridge("shop")))
	h.start()
	request := ctrl.Request{NamespacedName: h.key("shop")}
	var own metav1.PartialObjectMetadata
	own.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	h.eventually("the cache has the bridge", func() error {
		return h.operator.Get(h.ctx, h.key("shop"), &v1alpha1.FeedbackBridge{})
	})
	if _, err := h.operator.Reconcile(h.ctx, request); err != nil {
		t.Fatal(err)
	}
	h.eventually("the cache has the bot's Secret", func() error {
		return h.operator.Get(h.ctx, h.key(v1alpha1.BotName("shop")), &own)
	})
	h.reconcileUntilQuiet(request)
	reads := map[string]int{}
	for _, r := range h.server.requests(t, h.namespace) {
		if r.resource == "secrets" && r.verb == "get" {
			reads[r.name]++
		}
	}
	for _, name := range secretNames(h.bridge("shop")) {
		if reads[name] != 1 {
			t.Errorf("Secret %s was read %d times", name, reads[name])
		}
	}
}

// Heartbeats change nothing in the API server; a report's news arrives with one write, of the status.
func TestHeartbeatsCostNoWrite(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	report := goodReport(h.clock.Now())
	before := len(h.server.writes(t, h.namespace))
	for range 20 {
		h.clock.advance(10 * time.Second)
		h.beat("shop", nil)
		h.poke("shop")
	}
	report.ChatTitle = "renamed"
	h.beat("shop", &report)
	h.eventually("the news arrives", func() error {
		if s := h.bridge("shop").Status.Telegram; s == nil || s.ChatTitle != "renamed" {
			return fmt.Errorf("telegram is %+v", s)
		}
		return nil
	})
	if w := h.server.writes(t, h.namespace)[before:]; len(w) != 1 || w[0] != (request{"patch", "feedbackbridges/status", "shop"}) {
		t.Errorf("the operator wrote %v, want one patch of the status", w)
	}
}

// Counters alone reach the status at most once a minute; a change of state takes them with it at once.
func TestCountersAreThrottled(t *testing.T) {
	h := newHarness(t)
	h.createBridge("shop")
	h.start()
	request := ctrl.Request{NamespacedName: h.key("shop")}
	h.reconcileUntilQuiet(request)
	report := goodReport(h.clock.Now())
	// says lets the bot report, and reconciles when the cache has it.
	says := func(received int64, lastError string) ctrl.Result {
		t.Helper()
		report.Tickets.Received, report.Site.LastError = received, lastError
		h.beat("shop", &report)
		return h.reconcileWhenCached(request, report.Tickets)
	}
	received := func(want int64) {
		t.Helper()
		if got := h.bridge("shop").Status.Tickets.Received; got != want {
			t.Errorf("the status says %d received, want %d", got, want)
		}
	}
	says(7, "")
	received(7)
	says(8, "a change of state")
	received(8)
	h.clock.advance(20 * time.Second)
	result := says(9, "a change of state")
	received(8)
	if want := 40*time.Second + timerSlack; result.RequeueAfter != want {
		t.Errorf("the counters are looked at again in %s, want %s", result.RequeueAfter, want)
	}
	h.clock.advance(40 * time.Second)
	says(9, "a change of state")
	received(9)
}

// reconcileWhenCached reconciles once the cache has the bridge as it is now and the Lease as the bot reported last.
func (h *harness) reconcileWhenCached(request ctrl.Request, tickets v1alpha1.TicketsStatus) ctrl.Result {
	h.Helper()
	bot := client.ObjectKey{Namespace: request.Namespace, Name: v1alpha1.BotName(request.Name)}
	h.eventually("the cache catches up", func() error {
		var lease coordinationv1.Lease
		h.must(h.operator.Get(h.ctx, bot, &lease))
		if r := healthOf(&lease, time.Time{}, h.clock.Now()).report; r == nil || r.Tickets.Received != tickets.Received {
			return fmt.Errorf("it has the report %+v", r)
		}
		var cached, live appsv1.Deployment
		h.must(h.operator.Get(h.ctx, bot, &cached))
		if h.must(h.get(bot.Name, &live)); cached.ResourceVersion != live.ResourceVersion {
			return fmt.Errorf("it has the Deployment at %s of %s", cached.ResourceVersion, live.ResourceVersion)
		}
		var bridge v1alpha1.FeedbackBridge
		h.must(h.operator.Get(h.ctx, request.NamespacedName, &bridge))
		if live := h.bridge(request.Name).ResourceVersion; bridge.ResourceVersion != live {
			return fmt.Errorf("it has the bridge at %s of %s", bridge.ResourceVersion, live)
		}
		return nil
	})
	result, err := h.operator.Reconcile(h.ctx, request)
	h.must(err)
	return result
}

// A Secret's change reaches the bot's Secret, and does not touch the pod template: the bot reloads without a restart.
func TestSecretChangeDoesNotRestartTheBot(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	var before, after appsv1.Deployment
	h.must(h.get("shop-bot", &before))
	token := h.held("shop").Data[v1alpha1.FileJWT]

	h.setSecret("site", "hmac", "second key")
	h.setSecret("site", "jwt", "another signing key")
	h.eventually("the bot's Secret follows", func() error {
		data := h.held("shop").Data
		switch {
		case string(data[v1alpha1.FileHMACCurrent]) != "first key" || string(data[v1alpha1.FileHMACNext]) != "second key":
			return fmt.Errorf("the keys are %q and %q", data[v1alpha1.FileHMACCurrent], data[v1alpha1.FileHMACNext])
		case string(data[v1alpha1.FileJWT]) == string(token):
			return errors.New("the token is the old one")
		case string(data[v1alpha1.FileJWTPrevious]) != string(token):
			return errors.New("the old token is not there to fall back to")
		}
		return nil
	})
	report := goodReport(h.clock.Now())
	report.HMACKeyIDs = []string{v1alpha1.KeyID([]byte("first key")), v1alpha1.KeyID([]byte("second key"))}
	report.HMACKeysUsed = []v1alpha1.KeyUse{{ID: report.HMACKeyIDs[1], First: report.StartedAt, Last: report.StartedAt}}
	h.beat("shop", &report)
	h.eventually("the status names the keys", func() error {
		c := h.bridge("shop").Status.Credentials
		if c.HMAC.Phase != v1alpha1.RotationAdopted || c.HMAC.CurrentKeyID != v1alpha1.KeyID([]byte("second key")) ||
			c.HMAC.PreviousKeyID != v1alpha1.KeyID([]byte("first key")) || c.HMAC.RotatedAt == nil {
			return fmt.Errorf("it says %+v", c.HMAC)
		}
		return nil
	})
	h.must(h.get("shop-bot", &after))
	if before.Generation != after.Generation {
		t.Error("the Deployment's spec changed")
	}

	h.clock.advance(testOverlap)
	h.poke("shop")
	h.eventually("the previous key is dropped after the overlap", func() error {
		if previous := h.held("shop").Data[v1alpha1.FileHMACPrevious]; previous != nil {
			return fmt.Errorf("it is %q", previous)
		}
		return nil
	})
}

// held is the bot's Secret.
func (h *harness) held(bridge string) *corev1.Secret {
	h.Helper()
	var s corev1.Secret
	h.must(h.get(v1alpha1.BotName(bridge), &s))
	return &s
}
