// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	msgReplicas   = "runtime.replicas of more than 1 needs storage.postgres: a standby cannot go on from a volume that another pod holds"
	msgLengths    = "intake.minLength (10 unless given) must not be more than intake.maxLength (2000 unless given)"
	msgIntakeRate = "intake.rateLimit.window must be between 1s and 720h"
	msgCategory   = "a category's name must be at most 20 of a-z, 0-9 and '_': what people read goes into titles"
	msgTitles     = "titles are by language: ru, en"
	msgRoute      = "a route needs a chatID, a threadID or both: say where its category goes"
	msgRouteChat  = `a route's chatID must be the chat's numeric id in quotes, such as "-1001234567890"; those of groups and channels are negative`
	msgTickets    = "retention.tickets must be between 24h and 87600h"
	msgEvents     = "retention.events must be between 1h and 87600h"
	msgPeople     = "retention.people must be between 24h and 87600h"
	duplicate     = "Duplicate value"
)

// withPostgres is a bridge with a database, and with so many replicas unless that is 0.
func withPostgres(replicas int32) func(*v1alpha1.FeedbackBridgeSpec) {
	return func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Storage.Postgres = &v1alpha1.PostgresSpec{DSNSecretRef: v1alpha1.SecretKeyRef{Name: "database", Key: "dsn"}}
		if replicas > 0 {
			s.Runtime.Replicas = new(replicas)
		}
	}
}

func route(list ...v1alpha1.TelegramRoute) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.Routes = list })
}

func intake(spec v1alpha1.IntakeSpec) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Intake = spec })
}

func category(list ...v1alpha1.IntakeCategory) func(*v1alpha1.FeedbackBridge) {
	return intake(v1alpha1.IntakeSpec{Categories: list})
}

func retention(spec v1alpha1.RetentionSpec) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Storage.Retention = spec })
}

// newerWrongSpecs are mistakes in intake, topics, routes, databases, retention and replicas.
func newerWrongSpecs() map[string]wrongSpec {
	return map[string]wrongSpec{
		"standbys on a volume": {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.Replicas = new(int32(2)) }), msgReplicas, false},
		"standbys in the pod": {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Runtime.Replicas, s.Storage.Ephemeral = new(int32(3)), &v1alpha1.EphemeralSpec{}
		}), msgReplicas, false},
		"no replica":      {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.Replicas = new(int32(0)) }), "should be greater than or equal to 1", false},
		"too many pods":   {inSpec(withPostgres(6)), "should be less than or equal to 5", false},
		"a port too high": {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { withPostgres(1)(s); s.Storage.Postgres.Port = 65536 }), "should be less than or equal to 65535", false},
		"a database and a volume": {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) {
			withPostgres(1)(s)
			s.Storage.PersistentVolumeClaim = &v1alpha1.VolumeClaimSpec{}
		}), msgStorage, true},
		"topics by the moon":            {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.Topics = "PerMoon" }), "Unsupported value", true},
		"a route to nowhere":            {route(v1alpha1.TelegramRoute{Category: "bug"}), msgRoute, true},
		"a route to a name":             {route(v1alpha1.TelegramRoute{Category: "bug", ChatID: "@shop"}), msgRouteChat, true},
		"a route of nothing":            {route(v1alpha1.TelegramRoute{ThreadID: 1}), "Required value", true},
		"two routes of a category":      {route(v1alpha1.TelegramRoute{Category: "bug", ThreadID: 1}, v1alpha1.TelegramRoute{Category: "bug", ThreadID: 2}), duplicate, true},
		"a text of 20 that is under 10": {intake(v1alpha1.IntakeSpec{MinLength: 20, MaxLength: 10}), msgLengths, true},
		"more than the default":         {intake(v1alpha1.IntakeSpec{MinLength: 2001}), msgLengths, true},
		"less than the default":         {intake(v1alpha1.IntakeSpec{MaxLength: 9}), msgLengths, true},
		"a text beyond Telegram's":      {intake(v1alpha1.IntakeSpec{MaxLength: 4001}), "should be less than or equal to 4000", true},
		"a window of a blink":           {intake(v1alpha1.IntakeSpec{RateLimit: &v1alpha1.IntakeLimit{Requests: 1, Window: "999ms"}}), msgIntakeRate, true},
		"feedback that nobody may give": {intake(v1alpha1.IntakeSpec{RateLimit: &v1alpha1.IntakeLimit{Requests: 0, Window: "1m"}}), "Required value", true},
		"a category with a title":       {category(v1alpha1.IntakeCategory{Name: "Ошибка"}), msgCategory, true},
		"a category twice":              {category(v1alpha1.IntakeCategory{Name: "bug"}, v1alpha1.IntakeCategory{Name: "bug", Icon: "x"}), duplicate, true},
		"a title in Esperanto": {category(v1alpha1.IntakeCategory{Name: "bug",
			Titles: map[string]v1alpha1.CategoryTitle{"eo": "Eraro"}}), msgTitles, true},
		"tickets for an hour":     {retention(v1alpha1.RetentionSpec{Tickets: "1h"}), msgTickets, true},
		"events for a minute":     {retention(v1alpha1.RetentionSpec{Events: "1m"}), msgEvents, true},
		"people for a generation": {retention(v1alpha1.RetentionSpec{People: "87601h"}), msgPeople, true},
	}
}

func newerGoodSpecs() map[string]func(*v1alpha1.FeedbackBridge) {
	return map[string]func(*v1alpha1.FeedbackBridge){
		"a database alone":       inSpec(withPostgres(0)),
		"five pods":              inSpec(withPostgres(5)),
		"one pod on a volume":    inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.Replicas = new(int32(1)) }),
		"retention alone":        retention(v1alpha1.RetentionSpec{Tickets: "24h", Events: "1h", People: "87600h"}),
		"routes of two kinds":    route(v1alpha1.TelegramRoute{Category: "bug", ThreadID: 7}, v1alpha1.TelegramRoute{Category: "a wish", ChatID: "-1001"}),
		"no direct messages":     intake(v1alpha1.IntakeSpec{DirectMessages: new(false)}),
		"the longest of texts":   intake(v1alpha1.IntakeSpec{MinLength: 4000, MaxLength: 4000}),
		"the widest of limits":   intake(v1alpha1.IntakeSpec{RateLimit: &v1alpha1.IntakeLimit{Requests: 1000, Window: "720h"}}),
		"topics for each ticket": inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.Topics = v1alpha1.TopicsPerTicket }),
		"categories of one's own": category(v1alpha1.IntakeCategory{Name: "delivery_2", Icon: "🚚",
			Titles: map[string]v1alpha1.CategoryTitle{"ru": "Доставка", "en": "Delivery"}}, v1alpha1.IntakeCategory{Name: "other"}),
	}
}

// What stands in the fields' descriptions as "unless given" is what the bot does.
func TestDescribedDefaults(t *testing.T) {
	in := (&v1alpha1.IntakeSpec{}).WithDefaults()
	keep := v1alpha1.RetentionSpec{}.WithDefaults()
	if !*in.DirectMessages || in.RateLimit.Requests != 5 || in.RateLimit.Window != "10m" || in.MinLength != 10 || in.MaxLength != 2000 ||
		keep != (v1alpha1.RetentionSpec{Tickets: "2160h", Events: "720h", People: "4320h"}) || v1alpha1.DefaultPostgresPort != 5432 {
		t.Errorf("the defaults are %+v, %+v", in, keep)
	}
	text, err := os.ReadFile(filepath.Join("..", "config", "crd", "bases", "feedbackbridge.dev_feedbackbridges.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	described := strings.Join(strings.Fields(string(text)), " ")
	for _, words := range []string{
		"true unless given", "5 in 10m unless given", "10 unless given", "2000 unless given", "2160h (90 days) unless given",
		"720h (30 days) unless given", "4320h (180 days) unless given", "5432 unless given", "bug, wish, question and other unless given",
	} {
		if !strings.Contains(described, words) {
			t.Errorf("the CRD does not say %q", words)
		}
	}
}

// A bridge moves from a volume to a database and back, by the API server's word and by the operator's: the Deployment's
// strategy changes with it, and so does what is mounted.
func TestABridgeMovesToADatabaseAndBack(t *testing.T) {
	h := newHarness(t).run()
	h.createSecret("database", map[string]string{"dsn": "postgres://bot:pw@db.example/feedback"})
	h.createBridge("shop")
	h.settle("shop")
	for _, move := range []struct {
		change   func(*v1alpha1.FeedbackBridgeSpec)
		strategy string
		replicas int32
		database bool
	}{
		{withPostgres(2), "RollingUpdate", 2, true},
		{func(s *v1alpha1.FeedbackBridgeSpec) { s.Storage, s.Runtime.Replicas = v1alpha1.StorageSpec{}, nil }, "Recreate", 1, false},
		{withPostgres(0), "RollingUpdate", 1, true},
	} {
		h.changeSpec("shop", move.change)
		h.eventually("the Deployment follows", func() error { return h.deploymentIs("shop", move.strategy, move.replicas, move.database) })
		h.settle("shop")
	}
	h.must(h.client.Delete(h.ctx, h.bridge("shop"), &client.DeleteOptions{}))
}
