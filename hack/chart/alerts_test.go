// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const rulesFile = "config/prometheus/rules.yaml"

// alertRule is one rule of a PrometheusRule.
type alertRule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type ruleGroup struct {
	Name  string      `json:"name"`
	Rules []alertRule `json:"rules"`
}

// ruleGroups are what Prometheus loads.
type ruleGroups struct {
	Groups []ruleGroup `json:"groups"`
}

func alerts(t *testing.T) ruleGroups {
	t.Helper()
	var rule struct {
		Spec ruleGroups `json:"spec"`
	}
	readYAML(t, rulesFile, &rule)
	if len(rule.Spec.Groups) == 0 {
		t.Fatalf("%s has no groups", rulesFile)
	}
	return rule.Spec
}

// TestAlerts runs testdata/alerts.yaml by promtool: which alerts fire when, and which do not.
func TestAlerts(t *testing.T) {
	groups := alerts(t)
	dir := t.TempDir()
	writeYAML(t, filepath.Join(dir, "annotated.yaml"), groups)
	tool(t, "promtool", "check", "rules", filepath.Join(dir, "annotated.yaml"))
	// The texts are no part of what fires when.
	for _, group := range groups.Groups {
		for i := range group.Rules {
			group.Rules[i].Annotations = nil
		}
	}
	writeYAML(t, filepath.Join(dir, "rules.yaml"), groups)
	tests, err := os.ReadFile(filepath.Join("testdata", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "alerts.yaml")
	if err := os.WriteFile(path, tests, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "promtool", "test", "rules", path)
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if !strings.Contains(string(tests), "alertname: "+rule.Alert+"\n        exp_alerts:") {
				t.Errorf("no test has %s fire", rule.Alert)
			}
		}
	}
}

// TestEveryAlertHasARunbook: each says what it is, and its link leads to a section of docs/runbooks.md, which has no others.
func TestEveryAlertHasARunbook(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "docs", "runbooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for line := range strings.Lines(string(content)) {
		if title, ok := strings.CutPrefix(line, "## FeedbackBridge"); ok {
			sections["FeedbackBridge"+strings.TrimSpace(title)] = true
		}
	}
	for _, group := range alerts(t).Groups {
		for _, rule := range group.Rules {
			if !sections[rule.Alert] {
				t.Errorf("docs/runbooks.md has no section %s", rule.Alert)
			}
			delete(sections, rule.Alert)
			if want := "/docs/runbooks.md#" + strings.ToLower(rule.Alert); !strings.HasSuffix(rule.Annotations["runbook_url"], want) {
				t.Errorf("%s: runbook_url is %q, want ...%s", rule.Alert, rule.Annotations["runbook_url"], want)
			}
			for _, key := range []string{"summary", "description"} {
				if rule.Annotations[key] == "" {
					t.Errorf("%s has no %s", rule.Alert, key)
				}
			}
			if s := rule.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s has the severity %q", rule.Alert, s)
			}
		}
	}
	for name := range sections {
		t.Errorf("docs/runbooks.md has a section %s, and there is no such alert", name)
	}
}

func writeYAML(t *testing.T, path string, content any) {
	t.Helper()
	out, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}
