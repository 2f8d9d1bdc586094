// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/feedbackbridge/feedbackbridge/controllers"
)

// TestAlertsAndDashboardUseMetricsThatExist: an alert on a metric that nobody exports never fires, and nobody notices.
func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	exported := exportedMetrics(t)
	used := map[string]string{}
	for _, group := range alerts(t).Groups {
		for _, rule := range group.Rules {
			for _, name := range metricsOf(rule.Expr) {
				used[name] = rule.Alert
			}
		}
	}
	for title, expressions := range dashboardExpressions(t) {
		for _, expression := range expressions {
			for _, name := range metricsOf(expression) {
				used[name] = "the dashboard's " + title
			}
		}
	}
	for name, where := range used {
		if !exported[strings.TrimSuffix(name, "_bucket")] {
			t.Errorf("%s uses %s, which the operator does not export", where, name)
		}
	}
	for name := range exported {
		if _, ok := used[name]; !ok && strings.HasPrefix(name, "feedbackbridge_") {
			t.Errorf("%s is in no alert and on no panel", name)
		}
	}
}

// exportedMetrics are the names of what the operator exports, and of Prometheus's own "up".
func exportedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	registry, ok := metrics.Registry.(prometheus.Collector)
	if !ok {
		t.Fatalf("%T cannot describe its metrics", metrics.Registry)
	}
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	names := map[string]bool{"up": true}
	for _, collector := range []prometheus.Collector{registry, &controllers.Collector{}} {
		descs := make(chan *prometheus.Desc)
		go func() {
			defer close(descs)
			collector.Describe(descs)
		}()
		for desc := range descs {
			names[name.FindStringSubmatch(desc.String())[1]] = true
		}
	}
	return names
}

var (
	// notMetrics is what of an expression holds no names of metrics: texts, matchers, ranges, lists of labels.
	notMetrics = regexp.MustCompile(`"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on)\s*\([^)]*\)`)
	// names are words that are no functions.
	names = regexp.MustCompile(`\b[a-zA-Z_:][a-zA-Z0-9_:]*\b\s*\(?`)
)

// metricsOf are the names of the metrics in an expression.
func metricsOf(expression string) []string {
	var found []string
	for _, word := range names.FindAllString(notMetrics.ReplaceAllString(expression, " "), -1) {
		word = strings.TrimSpace(word)
		if strings.HasSuffix(word, "(") || slices.Contains([]string{"and", "or", "unless", "offset", "max", "min", "sum", "count"}, word) {
			continue
		}
		found = append(found, word)
	}
	return found
}

func TestMetricsOf(t *testing.T) {
	expression := `max by (namespace) (rate(a_total{x="b_c"}[5m])) > 3 * d unless on (name) min(e[15m:1m] offset 3d) or absent(up == 1)`
	if got, want := metricsOf(expression), []string{"a_total", "d", "e", "up"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// dashboardExpressions are the queries of the dashboard, by panel or variable.
func dashboardExpressions(t *testing.T) map[string][]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "config", "prometheus", "feedbackbridge.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Name       string `json:"name"`
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatalf("the dashboard: %v", err)
	}
	expressions := map[string][]string{}
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || (p.Type != "row" && len(p.Targets) == 0) {
			t.Errorf("panel %d, %s: its id is not its own, or it has no query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			expressions[p.Title] = append(expressions[p.Title], strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	for _, v := range dashboard.Templating.List {
		if inner, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			metric, _, _ := strings.Cut(inner, ",")
			expressions["variable "+v.Name] = []string{regexp.MustCompile(`\{.*`).ReplaceAllString(metric, "")}
		}
	}
	if len(ids) < 20 || len(expressions) < 20 {
		t.Errorf("%d panels, %d with queries: is this the dashboard?", len(ids), len(expressions))
	}
	return expressions
}

// TestDashboardsQueriesAreValid has promtool read every query of the dashboard.
func TestDashboardsQueriesAreValid(t *testing.T) {
	var rules []map[string]string
	for _, expressions := range dashboardExpressions(t) {
		for _, expression := range expressions {
			rules = append(rules, map[string]string{"record": "r" + string(rune('a'+len(rules)%26)), "expr": expression})
		}
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	writeYAML(t, path, map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	tool(t, "promtool", "check", "rules", "--lint=none", path)
}
