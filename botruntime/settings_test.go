// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/telegram"
)

func settingsOf(t *testing.T, from, to string) settings {
	t.Helper()
	bridge, err := loadManifest(writeFile(t, t.TempDir(), "bridge.yaml", strings.Replace(goodManifest, from, to, 1)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSettings(bridge)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestIntakeRoutesAndRetention(t *testing.T) {
	least := settingsOf(t, "", "")
	intake := telegram.Intake{Enabled: true, Limit: store.Limit{Uses: 5, Window: 10 * time.Minute}, MinLength: 10, MaxLength: 2000,
		Categories: knownCategories}
	if diff := cmp.Diff(intake, least.telegram.Intake); diff != "" {
		t.Errorf("intake of the least manifest (-want +got):\n%s", diff)
	}
	days := 24 * time.Hour
	if want := (store.Retention{Tickets: 90 * days, Events: 30 * days, People: 180 * days}); least.retention != want {
		t.Errorf("retention of the least manifest: %+v", least.retention)
	}
	full := settingsOf(t, "telegram: {", `intake:
    directMessages: false
    rateLimit: {requests: 1, window: 1h}
    minLength: 1
    maxLength: 100
    categories: [{name: delivery, icon: "🚚", titles: {ru: Доставка}}, {name: other}]
  storage: {retention: {tickets: 48h}}
  telegram: {topics: PerTicket, routes: [{category: delivery, chatID: "-5"}, {category: other, threadID: 7}], `)
	intake = telegram.Intake{Limit: store.Limit{Uses: 1, Window: time.Hour}, MinLength: 1, MaxLength: 100, Categories: []telegram.Category{
		{Name: "delivery", Icon: "🚚", Titles: map[string]string{"ru": "Доставка"}}, {Name: "other", Titles: map[string]string{}}}}
	if diff := cmp.Diff(intake, full.telegram.Intake); diff != "" {
		t.Errorf("intake (-want +got):\n%s", diff)
	}
	routes := []telegram.Route{{Category: "delivery", ChatID: -5}, {Category: "other", ChatID: -1001234567890, ThreadID: 7}}
	if diff := cmp.Diff(routes, full.telegram.Routes); diff != "" || full.telegram.Topics != telegram.TopicsPerTicket {
		t.Errorf("topics %s, routes (-want +got):\n%s", full.telegram.Topics, diff)
	}
	if full.retention.Tickets != 48*time.Hour || full.retention.Events != 30*days {
		t.Errorf("retention: %+v", full.retention)
	}
}

// Every bridge has a schema of its own, by a name that PostgreSQL takes and people know again.
func TestSchemaName(t *testing.T) {
	long := strings.Repeat("x", 50)
	names := map[[2]string]string{
		{"support", "shop"}: "fbb_support__shop", {"", "shop"}: "fbb_default__shop", {"a-b", "c"}: "fbb_a_b__c", {"a", "b-c"}: "fbb_a__b_c",
		{"a--b", "c"}: "", {"a", "b--c"}: "", {"a-", "b"}: "", {"a", "-b"}: "", {long, long}: "", {long, long + "y"}: "", {"a", "b.c"}: "", {"a", "b c"}: "", {"a", "B"}: "",
	}
	seen := map[string][2]string{}
	for bridge, want := range names {
		got := schemaName(bridge[0], bridge[1])
		if want != "" && got != want || len(got) > 63 || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || !strings.HasPrefix(got, "fbb_") {
			t.Errorf("%q: %s, want %s", bridge, got, want)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q share %s", bridge, other, got)
		}
		seen[got] = bridge
	}
}
