// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	staffChat = int64(-1001234567890)
	patience  = 20 * time.Second
)

// world is a bot's files, and its simulated peers.
type world struct {
	t        *testing.T
	files    files
	site     *simsite.Server
	telegram *telegram.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := wire.NewKey([]byte("current"))
	if err != nil {
		t.Fatal(err)
	}
	// A socket's path has to be short.
	dir, err := os.MkdirTemp("", "fbb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, site: simsite.New(simsite.Config{Key: key, Form: wire.FormUTF8, Accept: simsite.AcceptToken("jwt")}),
		telegram: telegram.New(telegram.Config{})}
	if err := w.telegram.AddChat(telegram.Chat{ID: staffChat, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Administrator}); err != nil {
		t.Fatal(err)
	}
	site, api := httptest.NewServer(w.site), httptest.NewServer(w.telegram)
	t.Cleanup(func() { w.site.Close(); site.Close(); w.telegram.Close(); api.Close() })
	manifest := strings.NewReplacer(
		"{url: wss://shop.example/ws/feedback-bot}", "{url: \"ws"+strings.TrimPrefix(site.URL, "http")+simsite.DefaultPath+"\", allowInsecure: true}",
		"telegram: {", "telegram: {apiURL: \""+api.URL+"\", allowInsecure: true, ").Replace(goodManifest)
	credentials := filepath.Join(dir, "credentials")
	if err := os.Mkdir(credentials, 0o700); err != nil {
		t.Fatal(err)
	}
	writeCredentials(t, credentials, goodCredentials())
	w.files = files{bridge: writeFile(t, dir, "bridge.yaml", manifest), credentials: credentials, state: filepath.Join(dir, "state")}
	return w
}

// start runs a bot; stop ends it as SIGTERM does and returns its error.
func (w *world) start() (stop func() error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	connections := w.site.Stats().Connections
	go func() { done <- run(ctx, w.files, health.LeaseName{}) }()
	stop = func() error { cancel(); return <-done }
	wait, end := context.WithTimeout(w.t.Context(), patience)
	defer end()
	if err := w.site.WaitConnection(wait, connections+1); err != nil {
		w.t.Fatalf("the bot does not connect: %v, %v", err, stop())
	}
	w.eventually("the bot says that it is connected", func() bool {
		answer, err := health.Ask(w.t.Context(), w.files.state)
		return err == nil && answer.Report.Site.OK
	})
	return stop
}

func (w *world) carry(feedbackID int64) {
	w.t.Helper()
	id, err := w.site.Send(map[string]any{"feedback_id": feedbackID, "category": "bug", "message": "text"})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if r, err := w.site.WaitResult(ctx, id); err != nil || !r.OK || r.TicketID != "ticket_site_"+strconv.FormatInt(feedbackID, 10) {
		w.t.Fatalf("result: %+v %v", r, err)
	}
}

func TestABotCarriesFeedbackAndGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.carry(1)
	w.eventually("the probe says what was done", func() bool {
		answer, err := health.Ask(t.Context(), w.files.state)
		return err == nil && answer.Stuck == "" && answer.Report.Site.OK && answer.Report.Tickets.Posted == 1
	})
	if err := stop(); err != nil {
		t.Fatalf("the bot's end: %v", err)
	}
	stop = w.start()
	w.carry(2)
	if err := stop(); err != nil {
		t.Fatalf("the bot's end: %v", err)
	}
	if n := len(w.telegram.Messages(staffChat)); n != 2 {
		t.Errorf("%d posts, want 2", n)
	}
}

// A site may change its version while the bot runs: no more than the connection is another one.
func TestABotSpeaksTheVersionOfItsSite(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	for i, protocol := range []string{simsite.ProtocolV1, simsite.ProtocolV2, simsite.ProtocolV1} {
		if err := w.site.SetProtocol(protocol); err != nil {
			t.Fatal(err)
		}
		connections := w.site.Stats().Connections
		w.site.CloseConnections(1012, "restart")
		w.eventually("the bot connects again", func() bool { return w.site.Stats().Connections > connections }) // what went to the old one is lost
		w.eventually("the bot says that it speaks "+protocol, func() bool {
			answer, err := health.Ask(t.Context(), w.files.state)
			return err == nil && answer.Report.Site.OK && answer.Report.Protocol == protocol
		})
		w.carry(int64(i + 1))
	}
	if err := stop(); err != nil {
		t.Fatalf("the bot's end: %v", err)
	}
	if n := len(w.telegram.Messages(staffChat)); n != 3 {
		t.Errorf("%d posts, want 3", n)
	}
}

func TestTwoBotsCannotShareAState(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	if err := run(t.Context(), w.files, health.LeaseName{}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("the second bot: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestProbeAndDoctor(t *testing.T) {
	w := newWorld(t)
	if _, err := w.command("probe", "live", "--state", w.files.state); err == nil {
		t.Error("a bot that does not run is alive")
	}
	stop := w.start()
	for _, probe := range []string{"live", "ready"} {
		if out, err := w.command("probe", probe, "--state", w.files.state); err != nil || out != "ok\n" {
			t.Errorf("probe %s: %q %v", probe, out, err)
		}
	}
	w.eventually("the bot has heard from Telegram", func() bool {
		answer, err := health.Ask(t.Context(), w.files.state)
		return err == nil && answer.Report.Telegram.OK
	})
	doctor := []string{"doctor", "--bridge", w.files.bridge, "--credentials", w.files.credentials, "--state", w.files.state}
	if out, err := w.command(doctor...); err != nil || !strings.Contains(out, "the bot that runs here: connected to") ||
		!strings.Contains(out, "accepts the HMAC keys "+keyID("current")) {
		t.Errorf("doctor beside a running bot: %v\n%s", err, out)
	}
	if n := w.site.Stats().Connections; n != 1 {
		t.Errorf("%d connections: the doctor must not take the running bot's feedback", n)
	}
	w.site.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: 503}})
	w.site.Drop()
	w.eventually("a bot without its site is not ready", func() bool {
		_, err := w.command("probe", "ready", "--state", w.files.state)
		return err != nil
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	w.site.SetFaults(simsite.Faults{})
	if out, err := w.command(doctor...); err != nil || strings.Contains(out, "MEND") || strings.Count(out, "ok ") < 5 ||
		!strings.Contains(out, "the HMAC keys "+keyID("current")) {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	writeFile(t, w.files.credentials, v1alpha1.FileJWT, "another")
	if err := w.telegram.AddChat(telegram.Chat{ID: staffChat, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Kicked}); err != nil {
		t.Fatal(err)
	}
	if out, err := w.command(doctor...); !errors.Is(err, errSick) || strings.Count(out, "MEND") != 2 {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// eventually asks for a condition until it is met.
func (w *world) eventually(what string, met func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !met(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// command runs the program as a person would.
func (w *world) command(args ...string) (string, error) {
	cmd := newCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(w.t.Context())
	return out.String(), err
}
