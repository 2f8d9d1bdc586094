// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// envBeBot has the test's own program be the bot, for tests that kill it.
const envBeBot = "FEEDBACKBRIDGE_TEST_BE_BOT"

func TestMain(m *testing.M) {
	if os.Getenv(envBeBot) != "" {
		main()
		return
	}
	os.Exit(pgtest.Main(m))
}

// newDatabaseWorld is a world whose bots keep their state in PostgreSQL, each test in a schema of its own.
func newDatabaseWorld(t *testing.T) *world {
	t.Helper()
	dsn := pgtest.DSN(t)
	w := newWorld(t)
	text, err := os.ReadFile(w.files.bridge)
	if err != nil {
		t.Fatal(err)
	}
	manifest := strings.Replace(string(text), "{name: shop}", fmt.Sprintf("{name: shop, namespace: test-%d}", time.Now().UnixNano()), 1) +
		"  storage: {postgres: {dsnSecretRef: {name: database, key: dsn}}}\n"
	writeFile(t, filepath.Dir(w.files.bridge), filepath.Base(w.files.bridge), manifest)
	writeFile(t, w.files.credentials, v1alpha1.FilePostgresDSN, dsn)
	return w
}

// beside are the files of another bot of the same bridge.
func (w *world) beside(name string) files {
	f := w.files
	f.state = filepath.Join(filepath.Dir(w.files.state), name)
	return f
}

// launch runs the program as a bot, in this process, until stop.
func (w *world) launch(f files, more ...string) (stop func() error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	cmd := newCommand()
	cmd.SetArgs(append([]string{"run", "--bridge", f.bridge, "--credentials", f.credentials, "--state", f.state}, more...))
	go func() { done <- cmd.ExecuteContext(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	w.t.Cleanup(func() {
		if err := stop(); err != nil {
			w.t.Errorf("the bot's end: %v", err)
		}
	})
	return stop
}

// spawn runs the program as a bot, in a process of its own.
func (w *world) spawn(f files, env []string, more ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"run", "--bridge", f.bridge, "--credentials", f.credentials, "--state", f.state}, more...)...)
	cmd.Env = append(append(os.Environ(), envBeBot+"=1"), env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()
	})
	return cmd
}

// says waits for a bot to give an answer of some kind.
func (w *world) says(f files, what string, is func(health.Answer) bool) {
	w.t.Helper()
	w.eventually(what, func() bool {
		answer, err := health.Ask(w.t.Context(), f.state)
		return err == nil && is(answer)
	})
}

func isConnected(a health.Answer) bool { return a.Report.Site.OK }

func isStandby(a health.Answer) bool { return a.Standby && a.Stuck == "" }

func TestAStandbyGoesOnWhereTheActiveBotStopped(t *testing.T) {
	w := newDatabaseWorld(t)
	active, standby := w.beside("a"), w.beside("b")
	stop := w.launch(active)
	w.says(active, "the first bot works", isConnected)
	w.launch(standby)
	w.says(standby, "the second one stands by", isStandby)
	for _, probe := range []string{"live", "ready"} {
		if out, err := w.command("probe", probe, "--state", standby.state); err != nil || out != "ok\n" {
			t.Errorf("probe %s of a standby: %q %v", probe, out, err)
		}
	}
	if _, err := w.command("tickets", "--state", standby.state); err == nil || !strings.Contains(err.Error(), errNotActive.Error()) {
		t.Errorf("the standby lists tickets: %v", err)
	}
	if out, err := w.command("doctor", "--bridge", standby.bridge, "--credentials", standby.credentials, "--state", standby.state); err != nil ||
		!strings.Contains(out, "stands by") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	w.carry(1)
	if err := stop(); err != nil {
		t.Fatalf("the first bot's end: %v", err)
	}
	if end := w.site.Stats().LastEnd; !strings.Contains(end, "1001") {
		t.Errorf("the first bot left the site with %q, want code 1001", end)
	}
	w.says(standby, "the second bot works", isConnected)
	w.carry(2)
	if list := decoded[store.TicketList](w, "tickets", "--state", standby.state, "-o", "json"); list.Total != 2 {
		t.Errorf("the second bot knows %+v", list)
	}
	if n := len(w.telegram.Messages(staffChat)); n != 2 {
		t.Errorf("%d posts, want 2", n)
	}
}

// The target is a next post within 15 s: ten of the lease, one until the standby looks, and the handshakes.
func TestAStandbyTakesOverFromABotThatWasKilled(t *testing.T) {
	w := newDatabaseWorld(t)
	api := newLeaseServer(t)
	active, standby := w.beside("a"), w.beside("b")
	victim := w.spawn(active, append(api.env, envPod+"=shop-bot-a"), api.flags()...)
	w.says(active, "the first bot works", isConnected)
	other := w.spawn(standby, append(api.env, envPod+"=shop-bot-b"), api.flags()...)
	w.says(standby, "the second one stands by", isStandby)
	w.carry(1)
	if got := api.holder(); got != "shop-bot-a" {
		t.Errorf("the lease is %q's", got)
	}
	killed := time.Now()
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	w.says(standby, "the second bot works", isConnected)
	w.carry(2)
	t.Logf("next post after %s", time.Since(killed).Round(10*time.Millisecond))
	if err := other.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Errorf("the second bot's end: %v", err)
	}
	if got := api.holder(); got != "" {
		t.Errorf("the lease is %q's after all have ended", got)
	}
}

func TestADatabaseThatIsAwayIsWaitedForAndReported(t *testing.T) {
	w := newDatabaseWorld(t)
	right, err := os.ReadFile(filepath.Join(w.files.credentials, v1alpha1.FilePostgresDSN))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, w.files.credentials, v1alpha1.FilePostgresDSN, "postgres://bot:a-password@127.0.0.1:1/feedback?connect_timeout=2")
	if out, err := w.command("doctor", "--bridge", w.files.bridge, "--credentials", w.files.credentials); err == nil ||
		!strings.Contains(out, "MEND  storage   the database cannot be reached") || strings.Contains(out, "a-password") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	w.launch(w.files)
	w.says(w.files, "the bot reports the database", func(a health.Answer) bool {
		s := a.Report.Storage
		return s != nil && s.Reason == v1alpha1.ReasonStorageUnreachable && s.Message != "" && !strings.Contains(s.Message, "a-password") &&
			a.Stuck == "" && !a.Standby
	})
	if _, err := w.command("probe", "live", "--state", w.files.state); err != nil {
		t.Errorf("a bot that waits is not alive: %v", err)
	}
	if _, err := w.command("probe", "ready", "--state", w.files.state); err == nil {
		t.Error("a bot without its database is ready")
	}
	writeFile(t, w.files.credentials, v1alpha1.FilePostgresDSN, string(right))
	w.says(w.files, "the bot works", func(a health.Answer) bool { return isConnected(a) && a.Report.Storage == nil })
	w.carry(1)
	if out, err := w.command("doctor", "--bridge", w.files.bridge, "--credentials", w.files.credentials); !strings.Contains(out, "and a bot works in it") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// A database's address that changes while the bot works has it begin anew, in the same process.
func TestTheDatabasesAddressMayChange(t *testing.T) {
	w := newDatabaseWorld(t)
	dsn := pgtest.DSN(t)
	w.launch(w.files)
	w.says(w.files, "the bot works", isConnected)
	w.carry(1)
	again := dsn + "&application_name=again"
	if !strings.Contains(dsn, "://") {
		again = dsn + " application_name=again"
	} else if !strings.Contains(dsn, "?") {
		again = dsn + "?application_name=again"
	}
	writeFile(t, w.files.credentials, v1alpha1.FilePostgresDSN, again)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.site.WaitConnection(ctx, 2); err != nil {
		t.Fatalf("the bot does not begin anew: %v", err)
	}
	w.says(w.files, "the bot works again", func(a health.Answer) bool { return isConnected(a) && a.Report.Tickets.Posted == 1 })
	w.carry(2)
}

// A bot that loses its connection, and with it the lock, to the standby becomes the standby itself: two never work at once.
func TestABotThatLosesItsDatabaseToAnotherStandsBy(t *testing.T) {
	w := newDatabaseWorld(t)
	first, second := w.beside("a"), w.beside("b")
	w.launch(first)
	w.says(first, "the first bot works", isConnected)
	w.launch(second)
	w.says(second, "the second one stands by", isStandby)
	w.carry(1)
	db, err := pgx.Connect(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	var cut time.Time
	w.eventually("they have changed places", func() bool {
		if time.Since(cut) > 5*time.Second { // the first one may be quicker to come back than the second one to notice
			cut = time.Now()
			if _, err := db.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`); err != nil {
				t.Fatal(err)
			}
		}
		// The first one is left alone meanwhile: to be asked has it look after its connection.
		if b, err := health.Ask(t.Context(), second.state); err != nil || !isConnected(b) {
			return false
		}
		a, err := health.Ask(t.Context(), first.state)
		return err == nil && isStandby(a)
	})
	w.carry(2)
	if n := len(w.telegram.Messages(staffChat)); n != 2 {
		t.Errorf("%d posts, want 2", n)
	}
}

func TestTheAddressOfTheDatabaseIsNeeded(t *testing.T) {
	w := newDatabaseWorld(t)
	if err := os.Remove(filepath.Join(w.files.credentials, v1alpha1.FilePostgresDSN)); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), w.files, health.LeaseName{}); err == nil || !strings.Contains(err.Error(), v1alpha1.FilePostgresDSN) {
		t.Errorf("error: %v", err)
	}
}
