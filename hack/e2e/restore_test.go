// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// commands are those of docs/operating-the-bot.md, in the blocks that have these words, on the bridge of a test.
func commands(w *world.World, backup string, words ...string) string {
	w.T.Helper()
	return strings.NewReplacer("shop-$(date +%F).db", backup, "shop-2026-01-31.db", backup,
		"registry.example/feedbackbridge-bot:v1", "docker.io/library/feedbackbridge-bot:dev",
		"support", w.Namespace, "shop", w.Name).Replace(documented(w.T, "operating-the-bot.md", words...))
}

// What the page on operating the bot says of backup and restore, to the letter: the bot goes on from the backup, and knows
// nothing of what came after it.
func TestABackupIsPutBackAsDocumented(t *testing.T) {
	w := world.New(t)
	w.Apply()
	if r := w.Result(w.Send(1, "before the backup"), 15*time.Second); !r.OK {
		t.Fatalf("result: %+v", r)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	shell(w, commands(w, backup, "bot=\"kubectl", "$bot backup"))
	if r := w.Result(w.Send(2, "after the backup"), 15*time.Second); !r.OK {
		t.Fatalf("result: %+v", r)
	}
	before := w.Pod()
	shell(w, commands(w, backup, "--replace"))
	world.Eventually(t, time.Minute, "another pod runs", func() (bool, string) { return w.Pod().UID != before.UID, "it is the one before" })
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
	for id, posts := range map[int64]int{1: 1, 2: 2} {
		r := w.Result(w.Send(id, "sent again"), 15*time.Second)
		if n := postsOf(w, fmt.Sprintf("ticket_site_%d", id)); !r.OK || n != posts {
			t.Errorf("feedback %d, sent again: %+v, %d posts, want %d", id, r, n, posts)
		}
	}
	out, err := world.Kubectl(t.Context(), "-n", w.Namespace, "exec", "deploy/"+v1alpha1.BotName(w.Name), "--",
		"/feedbackbridge-bot", "tickets", "--state", "/var/lib/feedbackbridge")
	t.Logf("tickets (%v)\n%s", err, out)
}
