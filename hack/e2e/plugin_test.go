// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// plugin runs `kubectl feedbackbridge` as a user does: kubectl finds the operator's program on the PATH, by another name.
type plugin struct {
	w    *world.World
	path string
}

func installPlugin(t *testing.T, w *world.World) *plugin {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "feedbackbridge-operator"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(program, filepath.Join(dir, "kubectl-feedbackbridge")); err != nil {
		t.Fatal(err)
	}
	return &plugin{w, dir + string(os.PathListSeparator) + filepath.Dir(world.Cluster.KubectlPath) + string(os.PathListSeparator) + os.Getenv("PATH")}
}

func (p *plugin) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, world.Cluster.KubectlPath, append(append([]string{"feedbackbridge"}, args...), "-n", p.w.Namespace)...)
	cmd.Env = append(os.Environ(), "PATH="+p.path, "KUBECONFIG="+world.Cluster.Kubeconfig)
	return cmd
}

// run returns what a command wrote, to either stream. Nothing of it may be confidential.
func (p *plugin) run(args ...string) (string, error) {
	p.w.T.Helper()
	ctx, cancel := context.WithTimeout(p.w.T.Context(), 2*time.Minute)
	defer cancel()
	out, err := p.command(ctx, args...).CombinedOutput()
	for value, what := range p.w.Confidential {
		if bytes.Contains(out, []byte(value)) {
			p.w.T.Errorf("kubectl feedbackbridge %s shows %s", strings.Join(args, " "), what)
		}
	}
	p.w.T.Logf("$ kubectl feedbackbridge %s\n%s", strings.Join(args, " "), out)
	return string(out), err
}

// must runs a command that has to succeed, and to say all the pieces.
func (p *plugin) must(pieces []string, args ...string) string {
	p.w.T.Helper()
	out, err := p.run(args...)
	if err != nil {
		p.w.T.Errorf("kubectl feedbackbridge %s: %v", strings.Join(args, " "), err)
	}
	for _, piece := range pieces {
		if !strings.Contains(out, piece) {
			p.w.T.Errorf("kubectl feedbackbridge %s does not say %q", strings.Join(args, " "), piece)
		}
	}
	return out
}

func TestTheKubectlPlugin(t *testing.T) {
	w := world.New(t)
	w.Bridge.Spec.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}, Overlap: "1m"}
	w.Apply()
	w.Site.SetKey(w.Key(w.SiteKey()), wire.FormUTF8)
	p := installPlugin(t, w)
	for id := range int64(2) {
		if r := w.Result(w.Send(id+1, "for the list"), 15*time.Second); !r.OK {
			t.Fatalf("result: %+v", r)
		}
	}
	p.must([]string{"NAME", "READY", w.Name, "The bridge is ready."}, "status")
	p.must([]string{w.Namespace + "/" + w.Name + " is ready", "HMAC key", "Stable: key ", "Conditions", "Last events"}, "status", w.Name)
	p.must([]string{"ticket_site_2   posted   new      bug", "All 2 tickets."}, "tickets", w.Name)
	p.must([]string{"There are no tickets refused by Telegram."}, "tickets", w.Name, "--failed")
	p.must([]string{`Posted to "Support" (-1001234567890) as message `}, "send-test", w.Name, "--text", "by the end-to-end test")
	if messages := w.Telegram.Messages(world.Group); len(messages) != 3 || !strings.Contains(messages[2].Text, "Проверка связи") ||
		!strings.Contains(messages[2].Text, "by the end-to-end test") {
		t.Errorf("the chat: %+v", messages)
	}
	p.must([]string{"✓ operator", "✓ bot: telegram", "✓ heartbeat", "✓ volume", "nothing is wrong"}, "doctor", w.Name)
	p.rotates(t)

	if err := w.Telegram.AddChat(telegram.Chat{ID: world.Group, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Kicked}); err != nil {
		t.Fatal(err)
	}
	if out, err := p.run("send-test", w.Name); err == nil || !strings.Contains(out, "not posted: the bot may not post in chat") {
		t.Errorf("send-test of a bot that was removed: %v", err)
	}
	var d struct{ Healthy bool }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := p.command(ctx, "doctor", w.Name, "-o", "json").Output()
	if err == nil || json.Unmarshal(out, &d) != nil || d.Healthy {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// rotates has a key replaced while the site, which reads its Secret now and then, is used.
func (p *plugin) rotates(t *testing.T) {
	t.Helper()
	w, before := p.w, p.w.SiteKey()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var said bytes.Buffer
	rotate := p.command(ctx, "rotate", w.Name, "--wait", "--timeout", "3m")
	rotate.Stdout, rotate.Stderr = &said, &said
	if err := rotate.Start(); err != nil {
		t.Fatal(err)
	}
	world.Eventually(t, 2*time.Minute, "the site's Secret has another key", func() (bool, string) {
		return w.SiteKey() != before, "the same key"
	})
	w.Site.SetKey(w.Key(w.SiteKey()), wire.FormUTF8)
	if r := w.Result(w.Send(3, "signed with the new key"), 15*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
	err := rotate.Wait()
	t.Logf("$ kubectl feedbackbridge rotate --wait\n%s", &said)
	for _, piece := range []string{"A new HMAC key, a new token will be made.", "The signing key is yours", "HMAC key: Adopted: key ", "token: a new one was made", "Done."} {
		if err != nil || !strings.Contains(said.String(), piece) {
			t.Errorf("rotate --wait: %v; it does not say %q", err, piece)
		}
	}
	// Within the overlap a second rotation is refused.
	if out, err := p.run("rotate", w.Name, "--wait", "--timeout", "30s"); err == nil || !strings.Contains(out, "refused: ") {
		t.Errorf("a second rotation: %v", err)
	}
}
