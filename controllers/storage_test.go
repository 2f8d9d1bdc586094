// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// postgresBridge is a bridge with a database, and all that came with it.
func (h *harness) postgresBridge(name string, replicas int32) *v1alpha1.FeedbackBridge {
	b := h.goodBridge(name)
	withPostgres(replicas)(&b.Spec)
	b.Spec.Storage.Postgres.Port = 6432
	b.Spec.Storage.Retention.Tickets = "720h"
	b.Spec.Telegram.Topics = v1alpha1.TopicsPerCategory
	b.Spec.Telegram.Routes = []v1alpha1.TelegramRoute{{Category: "bug", ChatID: "-1009876543210", ThreadID: 12}}
	b.Spec.Intake = v1alpha1.IntakeSpec{
		RateLimit:  &v1alpha1.IntakeLimit{Requests: 3, Window: "1h"},
		Categories: []v1alpha1.IntakeCategory{{Name: "delivery", Icon: "🚚", Titles: map[string]v1alpha1.CategoryTitle{"en": "Delivery"}}},
	}
	return b
}

func (h *harness) deploymentIs(bridge, strategy string, replicas int32, database bool) error {
	var d appsv1.Deployment
	if err := h.get(v1alpha1.BotName(bridge), &d); err != nil {
		return err
	}
	mounted := slices.ContainsFunc(d.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool {
		return v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
			return s.Secret != nil && s.Secret.Name == "database" && s.Secret.Items[0].Path == v1alpha1.FilePostgresDSN
		})
	})
	claimed := slices.ContainsFunc(d.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
	if string(d.Spec.Strategy.Type) != strategy || *d.Spec.Replicas != replicas || mounted != database || claimed == database {
		return fmt.Errorf("it is %s with %d replicas, the database's address mounted: %t, a volume: %t", d.Spec.Strategy.Type, *d.Spec.Replicas, mounted, claimed)
	}
	return nil
}

// storageSays is a bot with a database that has this to say of it.
func storageSays(change func(*v1alpha1.FeedbackBridgeSpec), reason, message string) func(*testing.T, *observation) {
	return func(t *testing.T, o *observation) {
		if change != nil {
			o.bridge.Spec.Storage = v1alpha1.StorageSpec{}
			change(&o.bridge.Spec)
		}
		o.at(t, 0, func(r *v1alpha1.BotReport) { r.Storage = &v1alpha1.StorageReport{Reason: reason, Message: message} })
	}
}

func storageBreakages() map[string]breakage {
	const trouble = v1alpha1.ConditionStorageTrouble
	inPod := func(s *v1alpha1.FeedbackBridgeSpec) { s.Storage.Ephemeral = &v1alpha1.EphemeralSpec{} }
	return map[string]breakage{
		"a database set aside": {storageSays(nil, v1alpha1.ReasonStorageCorrupt, "what was in feedbackbridge.db.corrupt-1 is not known"),
			trouble, yes, v1alpha1.ReasonStorageCorrupt, v1alpha1.ReasonReady, "Current", []string{"corrupt-1", "look at the file", "move it away"}},
		"a full volume": {storageSays(nil, v1alpha1.ReasonStorageFull, "no room"),
			trouble, yes, v1alpha1.ReasonStorageFull, "", "Failed", []string{"no room", "raise spec.storage.persistentVolumeClaim.size", "retention"}},
		"a full node": {storageSays(inPod, v1alpha1.ReasonStorageFull, "no room"),
			trouble, yes, v1alpha1.ReasonStorageFull, "", "Failed", []string{"give the pod's node more room"}},
		"a full database": {storageSays(withPostgres(2), v1alpha1.ReasonStorageFull, "no room"),
			trouble, yes, v1alpha1.ReasonStorageFull, "", "Failed", []string{"give the database more room"}},
		"no database": {storageSays(withPostgres(2), v1alpha1.ReasonStorageUnreachable, "the bot's database cannot be reached: connection refused"),
			trouble, yes, v1alpha1.ReasonStorageUnreachable, "", "InProgress", []string{"start the database", `key "dsn" of Secret "database"`, "spec.storage.postgres.port"}},
	}
}

// The trouble is gone with its cause, and is told once, as a warning.
func TestStorageTroubleComesAndGoes(t *testing.T) {
	o := testObservation(t)
	fine := computeConditions(o)
	storageSays(nil, v1alpha1.ReasonStorageFull, "no room")(t, o)
	full := conditionsAfter(o, fine)
	told := transitions(fine, full)
	if !slices.ContainsFunc(told, func(e event) bool {
		return e.reason == v1alpha1.ReasonStorageFull && e.eventType == corev1.EventTypeWarning
	}) {
		t.Errorf("events: %+v", told)
	}
	if again := transitions(full, conditionsAfter(o, full)); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
	o.at(t, 0, nil)
	if after := conditionsAfter(o, full); meta.FindStatusCondition(after, v1alpha1.ConditionStorageTrouble) != nil ||
		!meta.IsStatusConditionTrue(after, v1alpha1.ConditionReady) {
		t.Errorf("afterwards: %s", inShort(after))
	}
	// Of a bot that has fallen silent nothing is known.
	storageSays(nil, v1alpha1.ReasonStorageFull, "no room")(t, o)
	o.health.fresh = false
	if c := meta.FindStatusCondition(conditionsAfter(o, full), v1alpha1.ConditionStorageTrouble); c != nil {
		t.Errorf("a silent bot: %+v", c)
	}
}

// What an alert can go by: a series for the trouble that there is, and none without. A database that was set aside is told of
// although the bridge is Ready.
func TestStorageTroubleMetric(t *testing.T) {
	o := testObservation(t)
	for _, reason := range []string{v1alpha1.ReasonStorageCorrupt, ""} {
		if o.at(t, 0, nil); reason != "" {
			storageSays(nil, reason, "")(t, o)
		}
		o.bridge.Status.Conditions = computeConditions(o)
		collected := make(chan prometheus.Metric, 100)
		collectBridge(collected, o.bridge, o.health)
		close(collected)
		got, ready := "", 0.0
		for metric := range collected {
			var m dto.Metric
			if err := metric.Write(&m); err != nil {
				t.Fatal(err)
			}
			switch {
			case metric.Desc() == descReady:
				ready = m.GetGauge().GetValue()
			case metric.Desc() == descStorage && m.GetGauge().GetValue() == 1:
				got += labelsOfMetric(&m)["reason"]
			}
		}
		if got != reason || ready != 1 {
			t.Errorf("the metric tells of %q, want %q; ready is %v", got, reason, ready)
		}
	}
}

// The ports that the bot may dial are those of its database, too.
func TestEgressToTheDatabase(t *testing.T) {
	for port, want := range map[int32][]int32{0: {443, 5432, 6443}, 6432: {443, 6432, 6443}} {
		b := testBridge(func(s *v1alpha1.FeedbackBridgeSpec) { withPostgres(1)(s); s.Storage.Postgres.Port = port })
		if diff := cmp.Diff(want, egressPorts(&b.Spec, DefaultAPIServerPorts)); diff != "" {
			t.Errorf("port %d (-want +got):\n%s", port, diff)
		}
	}
}

// What concerns the pods alone does not restart them as a change of their work would.
func TestConfigHashOfADatabase(t *testing.T) {
	hash := func(change func(*v1alpha1.FeedbackBridgeSpec)) string {
		text, err := botManifest(testBridge(func(s *v1alpha1.FeedbackBridgeSpec) { withPostgres(1)(s); change(s) }))
		if err != nil {
			t.Fatal(err)
		}
		return hashOf(text)
	}
	same := hash(func(*v1alpha1.FeedbackBridgeSpec) {})
	if hash(func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.Replicas = new(int32(3)) }) != same ||
		hash(func(s *v1alpha1.FeedbackBridgeSpec) { s.Storage.Postgres.Port = 6432 }) != same {
		t.Error("replicas or the port change the hash")
	}
	if hash(func(s *v1alpha1.FeedbackBridgeSpec) { s.Storage.Retention.Tickets = "24h" }) == same ||
		hash(func(s *v1alpha1.FeedbackBridgeSpec) { s.Intake.DirectMessages = new(false) }) == same {
		t.Error("what the bot does otherwise does not change the hash")
	}
}

func TestCheckDSN(t *testing.T) {
	for value, good := range map[string]bool{
		"postgres://u:p@db.example:5432/feedback?sslmode=verify-full": true, "postgresql://db.example/feedback": true,
		"host=db.example user=u password='p w' dbname=feedback": true, "host=/run/postgresql": true,
		"": false, "db.example": false, "mysql://u:p@db.example/x": false, "postgres://a\npostgres://b": false,
	} {
		if err := checkDSN([]byte(value)); (err == nil) != good {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// The database's Secret is watched and looked at as the others are.
func TestTheDatabasesSecret(t *testing.T) {
	h := newHarness(t).run()
	h.createSecrets()
	h.must(h.client.Create(h.ctx, h.postgresBridge("shop", 2)))
	says := func(reason string) metav1.Condition {
		t.Helper()
		return h.condition("shop", v1alpha1.ConditionCredentialsReady, metav1.ConditionFalse, reason)
	}
	if c := says(v1alpha1.ReasonSecretNotFound); !hasInOrder(c.Message, []string{`Secret "database"`, "connection string", `key "dsn"`}) {
		t.Error(c.Message)
	}
	h.createSecret("database", map[string]string{"dsn": "secret words that are no address"})
	if c := says(v1alpha1.ReasonSecretMalformed); hasInOrder(c.Message, []string{"secret words"}) {
		t.Error(c.Message)
	}
	h.setSecret("database", "dsn", "postgres://bot:pw@db.example/feedback")
	h.settle("shop")
	report := goodReport(h.clock.Now())
	report.EffectiveChatID = "-1009999999999"
	h.beat("shop", &report)
	h.eventually("the status names the chat", func() error {
		if s := h.bridge("shop").Status.Telegram; s == nil || s.EffectiveChatID != "-1009999999999" {
			return fmt.Errorf("it says %+v", s)
		}
		return nil
	})
}

// A bridge that works without its standby says so where one looks, and is Ready.
func TestAMissingStandbyIsSaid(t *testing.T) {
	o := testObservation(t)
	withPostgres(2)(&o.bridge.Spec)
	o.deployment.Status.ReadyReplicas = 1
	conditions := computeConditions(o)
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionWorkloadAvailable)
	if c.Status != yes || c.Message != "The bot runs; 1 of its 2 pods are ready." || !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
		t.Errorf("%s: %s", inShort(conditions), c.Message)
	}
}
