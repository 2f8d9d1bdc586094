// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// The staff's chats. group is that of the spec. Where the staff has an office, wishes and questions go to others, and the one for
// questions is a group, asked, that becomes the supergroup grown.
const (
	group  = int64(-1001234567890)
	wishes = int64(-1002234567890)
	asked  = int64(-4012345678)
	grown  = int64(-1004012345678)
)

// secretJWT is what the site lets the bot in by; it must not appear in the log.
const secretJWT = "soak-token-that-nobody-may-log"

const manifest = `apiVersion: feedbackbridge.dev/v1alpha1
kind: FeedbackBridge
metadata: {name: soak}
spec:
  site: {url: %s, allowInsecure: true, pingInterval: 1s}
  credentials:
    jwt: {tokenSecretRef: {name: soak, key: jwt}}
    hmac: {secretRef: {name: soak, key: hmac}}
  telegram:
    tokenSecretRef: {name: soak, key: telegram}
    chatID: "%d"
    apiURL: %s
    allowInsecure: true
    language: en
    limits: {perChat: {messages: 0, window: 1s}, overall: {messages: 0, window: 1s}}
  intake:
    rateLimit: {requests: 1000, window: 1s}
%s`

const inPostgres = `  storage:
    postgres: {dsnSecretRef: {name: soak, key: dsn}}
`

// world is a bot's files, and its simulated peers.
type world struct {
	t        *testing.T
	dir      string // a short path: the bot's socket is in it
	dsn      string // of a PostgreSQL; empty for SQLite
	binary   string
	site     *simsite.Server
	telegram *telegram.Server
	secrets  []string
	disk     bool   // the state is on a tmpfs that can be filled
	topics   string // how tickets are put into topics
	v2       bool   // the site speaks version 2

	mu       sync.Mutex
	moved    bool // asked is grown
	bot      *process
	failures []string
	kills    int
}

// newWorld starts the peers and writes the bot's files. No bot runs yet. edits are pairs of what stands in the manifest, and what shall.
func newWorld(t *testing.T, dsn string, edits ...string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "soak")
	must(t, err)
	key, err := wire.NewKey([]byte("soak-hmac-key-that-nobody-may-log"))
	must(t, err)
	binary, err := buildBot()
	must(t, err)
	w := &world{t: t, dir: dir, dsn: dsn, binary: binary, secrets: []string{secretJWT, telegram.TestToken, "soak-hmac-key"},
		site:     simsite.New(simsite.Config{Key: key, Form: wire.FormUTF8, Accept: simsite.AcceptToken(secretJWT), PingInterval: time.Second}),
		telegram: telegram.New(telegram.Config{MaxMessages: 4_000_000})}
	t.Cleanup(w.tidy)
	must(t, w.telegram.AddChat(telegram.Chat{ID: group, Type: telegram.Supergroup, Title: "Soak", BotStatus: telegram.Administrator}))
	site, api := httptest.NewServer(w.site), httptest.NewServer(w.telegram)
	t.Cleanup(func() {
		w.endBot()
		w.site.Close()
		site.Close()
		w.telegram.Close()
		api.Close()
	})
	storage := ""
	if dsn != "" {
		storage = inPostgres
	}
	w.write("bridge.yaml", strings.NewReplacer(edits...).Replace(
		fmt.Sprintf(manifest, strings.Replace(site.URL, "http", "ws", 1)+simsite.DefaultPath, group, api.URL, storage)))
	must(t, os.Mkdir(filepath.Join(dir, "credentials"), 0o700))
	w.write("credentials/"+v1alpha1.FileTelegramToken, telegram.TestToken)
	w.write("credentials/"+v1alpha1.FileJWT, secretJWT)
	w.write("credentials/"+v1alpha1.FileHMACCurrent, "soak-hmac-key-that-nobody-may-log")
	if dsn != "" {
		w.write("credentials/"+v1alpha1.FilePostgresDSN, dsn)
	}
	must(t, os.Mkdir(w.state(), 0o700))
	if os.Getenv(envPrivate) != "" && dsn == "" {
		must(t, syscall.Mount("soak", w.state(), "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)))
		w.disk = true
	}
	return w
}

func (w *world) state() string   { return filepath.Join(w.dir, "state") }
func (w *world) logFile() string { return filepath.Join(w.dir, "bot.log") }

func (w *world) write(name, content string) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600))
}

// tidy takes the files away, or keeps them where the test failed: the state, on a disk that goes with the test, as a copy.
func (w *world) tidy() {
	if w.t.Failed() {
		kept := filepath.Join(w.dir, "kept-state")
		if err := os.CopyFS(kept, withoutSockets(w.state())); err != nil {
			w.t.Logf("copy the state: %v", err)
		}
		w.t.Logf("the bot's state is kept in %s, its log in %s", kept, w.logFile())
	}
	if w.disk {
		if err := syscall.Unmount(w.state(), syscall.MNT_DETACH); err != nil {
			w.t.Error(err)
		}
	}
	if !w.t.Failed() {
		if err := os.RemoveAll(w.dir); err != nil {
			w.t.Error(err)
		}
	}
}

// startBot starts the bot.
func (w *world) startBot() {
	args := []string{"run", "--bridge", filepath.Join(w.dir, "bridge.yaml"), "--credentials", filepath.Join(w.dir, "credentials"), "--state", w.state()}
	bot, err := launch(w.logFile(), w.binary, args...)
	must(w.t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bot = bot
}

func (w *world) running() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bot
}

// kill ends the bot as a power cut ends it, but for the disk.
func (w *world) kill() {
	w.mu.Lock()
	bot := w.bot
	w.kills++
	w.mu.Unlock()
	if bot.ended() {
		w.fail("the bot ended by itself: %v\n%s", bot.err, tail(w.logFile()))
		return
	}
	must(w.t, bot.stop(syscall.SIGKILL))
}

// stopBot ends the bot as Kubernetes does, and wants it to end well and soon.
func (w *world) stopBot() {
	bot, began := w.running(), time.Now()
	must(w.t, bot.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-bot.done:
	case <-time.After(20 * time.Second):
		w.fail("the bot does not end 20s after SIGTERM\n%s", tail(w.logFile()))
		must(w.t, bot.stop(syscall.SIGKILL))
		return
	}
	if took := time.Since(began); bot.err != nil || took > 5*time.Second*slowness {
		w.fail("after SIGTERM the bot ended in %s: %v\n%s", took.Round(time.Millisecond), bot.err, tail(w.logFile()))
	}
}

// endBot ends what may still run when a test ends.
func (w *world) endBot() {
	if bot := w.running(); bot != nil && !bot.ended() {
		if err := bot.stop(syscall.SIGKILL); err != nil {
			w.t.Error(err)
		}
	}
}

// fail notes what went wrong; the test goes on, so that all of it is seen.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failures) < maxFailures {
		w.failures = append(w.failures, fmt.Sprintf(format, args...))
	}
	if len(w.failures) == maxFailures {
		w.failures = append(w.failures, "and more")
	}
}

// maxFailures is how many are told of: the first ones say most.
const maxFailures = 40

// report fails the test with what went wrong.
func (w *world) report() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.failures {
		w.t.Error(f)
	}
}

func (w *world) failing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failures) > 0
}

// poll asks for a condition until it is met or the time is over.
func poll(most time.Duration, met func() bool) bool { return pollEvery(50*time.Millisecond, most, met) }

func pollEvery(pace, most time.Duration, met func() bool) bool {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for deadline := time.Now().Add(most); ; <-tick.C {
		if met() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// wait waits, unless stop is closed before.
func wait(stop <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-stop:
		return false
	case <-timer.C:
		return true
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
