// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// legacyDir is a directory as the Python bot leaves it.
func legacyDir(t *testing.T, site, tg int) string {
	t.Helper()
	dir := t.TempDir()
	now := time.Now().UTC()
	for name, text := range map[string]string{
		legacyCounters: fmt.Sprintf(`{"site": %d, "tg": %d, "last_updated": "x"}`, site, tg),
		legacyUses:     fmt.Sprintf(`{"999": ["%s", "%s"]}`, now.Add(-time.Minute).Format("2006-01-02T15:04:05.000000"), now.Add(-48*time.Hour).Format("2006-01-02T15:04:05")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAnEarlierBotIsTakenOver(t *testing.T) {
	w := newWorld(t)
	first := decoded[importResult](w, "import", "--state", w.files.state, "--logs", legacyDir(t, 41, 7), "-o", "json")
	if first.Counters["site"] != 41 || first.Counters["tg"] != 7 || first.Uses != 1 || first.Skipped != 0 {
		t.Errorf("without a bot that runs: %+v", first)
	}
	stop := w.start()
	id, err := w.site.Send(map[string]any{"feedback_id": 0, "category": "bug", "message": "text"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := w.site.WaitResult(t.Context(), id); err != nil || r.TicketID != "ticket_site_42" {
		t.Errorf("the next ticket: %+v %v", r, err)
	}
	again := decoded[importResult](w, "import", "--state", w.files.state, "--logs", legacyDir(t, 41, 100), "-o", "json")
	if again.Counters["site"] != 42 || again.Counters["tg"] != 100 {
		t.Errorf("into the running bot: %+v", again)
	}
	out, err := w.command("import", "--state", w.files.state, "--logs", legacyDir(t, 41, 7))
	if err != nil || !strings.Contains(out, "ticket_site_43") || !strings.Contains(out, "ticket_tg_101") {
		t.Errorf("in words: %v %s", err, out)
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nowhere")} {
		if _, err := w.command("import", "--state", w.files.state, "--logs", dir); err == nil {
			t.Error("without any file: no error")
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestABackupComesBack(t *testing.T) {
	w := newWorld(t)
	copied := filepath.Join(t.TempDir(), "backup.db")
	if _, err := w.command("backup", "--state", w.files.state, "--output", copied); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("without a database: %v", err)
	}
	stop := w.start()
	w.carry(1)
	if _, err := w.command("backup", "--state", w.files.state, "--output", copied); err != nil {
		t.Fatal(err)
	}
	if _, err := w.command("backup", "--state", w.files.state, "--output", copied); err == nil {
		t.Error("over a file that is there: no error")
	}
	stream, err := w.command("backup", "--state", w.files.state, "--output", "-")
	if err != nil || !strings.HasPrefix(stream, "SQLite format 3\x00") {
		t.Errorf("to standard output: %v, %d bytes", err, len(stream))
	}
	if left, err := filepath.Glob(filepath.Join(w.files.state, "backup-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	w.carry(2)
	restore := []string{"restore", "--state", w.files.state, "--input", copied, "--replace"}
	if _, err := w.command(restore...); err == nil || !strings.Contains(err.Error(), "stop it") {
		t.Errorf("under a bot that runs: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.command(restore[:5]...); err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("over a database: %v", err)
	}
	if _, err := w.command(restore...); err != nil {
		t.Fatal(err)
	}
	list := decoded[store.TicketList](w, "tickets", "--state", w.files.state, "-o", "json")
	if list.Total != 1 || list.Tickets[0].ID != "ticket_site_1" {
		t.Errorf("restored: %+v", list)
	}
	if aside, err := filepath.Glob(filepath.Join(w.files.state, "*.replaced-*")); err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v %v", aside, err)
	}
	for name, text := range map[string]string{"nothing": "", "no database": strings.Repeat("text ", 1000)} {
		broken := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.command("restore", "--state", w.files.state, "--input", broken, "--replace"); err == nil || !strings.Contains(err.Error(), "no backup") {
			t.Errorf("%s: %v", name, err)
		}
	}
	stop = w.start() // and the bot goes on from there
	w.carry(3)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestWhatTelegramRefusedIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{{"retry", "--state", w.files.state}, {"retry", "--state", w.files.state, "--all", "ticket_site_1"}} {
		if _, err := w.command(args...); err == nil || !strings.Contains(err.Error(), "either") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := w.command("retry", "--state", w.files.state, "--all"); err == nil {
		t.Error("without a bot that runs: no error")
	}
	stop := w.start()
	w.carry(1)
	if result := decoded[retryResult](w, "retry", "--state", w.files.state, "--all", "-o", "json"); result.Retried != 0 {
		t.Errorf("nothing was refused: %+v", result)
	}
	if _, err := w.command("retry", "--state", w.files.state, "ticket_site_1"); err == nil || !strings.Contains(err.Error(), "ticket_site_1") {
		t.Errorf("one that was posted: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
