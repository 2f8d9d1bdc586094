// SPDX-License-Identifier: Apache-2.0

package django

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// The app's own tests, which need no site, on both databases, and with a model that is the site's.
func TestTheAppsOwnTests(t *testing.T) {
	for database, what := range map[string][]string{
		"SQLite":                   {"feedback_bridge", "--settings", "feedback_bridge.tests.settings"},
		"PostgreSQL":               {"feedback_bridge", "--settings", "feedback_bridge.tests.settings"},
		"SQLite, the site's model": {"feedback_bridge.tests.own", "--settings", "feedback_bridge.tests.settings_own"},
	} {
		t.Run(database, func(t *testing.T) {
			cmd := exec.Command(python(), append([]string{"-m", "django", "test"}, what...)...) // #nosec G204
			cmd.Dir = filepath.Join(root(), "hack", "django-site")
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			if database == "PostgreSQL" {
				config, err := pgx.ParseConfig(pgtest.DSN(t))
				must(t, err)
				cmd.Env = append(cmd.Env, "TEST_DATABASE=postgres", "PGHOST="+config.Host, "PGUSER="+config.User)
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "\nOK") {
				t.Fatalf("%v\n%s", err, out)
			}
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "Ran ") || strings.HasPrefix(line, "OK") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}
