// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package world

import (
	"context"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// shownWidth is how much of a line explain prints: what a test said of its failure must not drown.
const shownWidth = 240

// explain prints what a person would look at after a failure.
func (w *World) explain() {
	ctx := context.Background()
	for _, args := range [][]string{
		{"-n", w.Namespace, "get", "feedbackbridges", "-o", "yaml"},
		{"-n", w.Namespace, "get", "pods,pvc,events", "-o", "wide"},
		{"-n", w.Namespace, "logs", "-l", v1alpha1.LabelBridge + "=" + w.Name, "--tail=30"},
		{"-n", OperatorNamespace, "logs", "-l", "app.kubernetes.io/name=feedbackbridge-operator", "--tail=15"},
	} {
		out, err := Kubectl(ctx, args...)
		w.T.Logf("kubectl %s (error: %v)\n%s", strings.Join(args, " "), err, narrow(out))
	}
	w.T.Logf("site: %+v", w.Site.Stats())
	w.T.Logf("telegram: %+v", w.Telegram.Stats())
}

// narrow cuts long lines.
func narrow(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if len(line) > shownWidth {
			lines[i] = line[:shownWidth] + "…"
		}
	}
	return strings.Join(lines, "\n")
}

// checkLogs searches the logs of the bot, at its most talkative, and of the operator, the events and the object for
// anything secret. What it cannot read it cannot vouch for: that fails, too.
func (w *World) checkLogs() {
	bot := []string{"-n", w.Namespace, "logs", "-l", v1alpha1.LabelBridge + "=" + w.Name, "--tail=-1"}
	var all strings.Builder
	for _, source := range []struct {
		holds string // what shows that it is the right one
		args  []string
	}{
		{w.BotLogHolds, bot},
		{"", append(bot, "--previous")}, // only after a restart
		{"leader", []string{"-n", OperatorNamespace, "logs", "-l", "app.kubernetes.io/name=feedbackbridge-operator", "--tail=-1"}},
		{"kind: Event", []string{"-n", w.Namespace, "get", "events", "-o", "yaml"}},
		{"apiVersion", []string{"-n", w.Namespace, "get", "feedbackbridges", "-o", "yaml"}},
	} {
		out, err := Kubectl(context.Background(), source.args...)
		if source.holds != "" && (err != nil || !strings.Contains(out, source.holds)) {
			w.T.Errorf("kubectl %s: cannot be searched for secrets: %v, %d bytes", strings.Join(source.args, " "), err, len(out))
		}
		all.WriteString(out)
	}
	logs := all.String()
	for secret, what := range w.Confidential {
		if i := strings.Index(logs, secret); i >= 0 {
			w.T.Errorf("%s is shown: ...%s", what, strings.ReplaceAll(logs[max(0, i-80):i], secret, "***"))
		}
	}
}
