// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the drivers of the bot's databases
	_ "modernc.org/sqlite"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// kept is what the bot keeps for the site, read from its database when no bot runs.
type kept struct {
	kind, ticket, actor, status, text string
}

// openStore opens the bot's database.
func (w *world) openStore() (*sql.DB, error) {
	if w.dsn == "" {
		return sql.Open("sqlite", "file:"+filepath.Join(w.state(), "feedbackbridge.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	}
	db, err := sql.Open("pgx", w.dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the search path is a connection's
	var schema string
	if err := db.QueryRow(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'fbb\_%soak%'`).Scan(&schema); err != nil {
		return nil, fmt.Errorf("find the bot's schema: %w", err)
	}
	_, err = db.Exec(`SET search_path TO "` + schema + `"`)
	return db, err
}

// idle tells whether nothing waits in the bot's store; it may be asked while the bot works.
func (w *world) idle() bool {
	db, err := w.openStore()
	if err != nil {
		return false
	}
	defer db.Close()
	var waiting int
	waits := "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM updates) + (SELECT count(*) FROM results)"
	if w.v2 {
		waits += " + (SELECT count(*) FROM events)"
	}
	err = db.QueryRow(waits).Scan(&waiting)
	return err == nil && waiting == 0
}

// judgeStore wants the store to be done with everything, to have no ticket too many, and to keep for the site what happened, in
// order and once; a site of version 2 wants to have heard of it.
func (j *judge) judgeStore() {
	db, err := j.w.openStore()
	if err != nil {
		j.w.fail("open the bot's database: %v", err)
		return
	}
	defer db.Close()
	for table, want := range map[string]int{"outbox": 0, "updates": 0, "results": 0, "tickets": len(j.site.all) + len(j.book.conversations)} {
		var got int
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&got); err != nil || got != want {
			j.w.fail("the store has %d rows in %s, not %d: %v", got, table, want, err)
		}
	}
	events, err := readEvents(db)
	if err != nil {
		j.w.fail("read the events: %v", err)
		return
	}
	if j.w.v2 {
		if len(events) > 0 {
			j.w.fail("%d events wait for the site", len(events))
		}
		events = j.told()
	}
	j.judgeEvents(events)
}

func readEvents(db *sql.DB) (events []kept, err error) {
	rows, err := db.Query("SELECT kind, ticket, actor, status, text FROM events ORDER BY seq")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e kept
		if err := rows.Scan(&e.kind, &e.ticket, &e.actor, &e.status, &e.text); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

func (j *judge) judgeEvents(events []kept) {
	marks, statuses := map[string]int{}, map[string][]change{}
	for _, e := range events {
		if e.kind == "status" {
			statuses[e.ticket] = append(statuses[e.ticket], change{ticket.Status(e.status), e.actor})
			continue
		}
		marks[e.kind+" "+anyMark.FindString(e.text)]++
	}
	count := func(kind, mark string) {
		if n := marks[kind+" "+mark]; n != 1 {
			j.w.fail("%d events for the site of the kind %s with %s, not 1", n, kind, mark)
		}
	}
	for _, c := range j.book.conversations {
		count("created", mark('C', c.number, 'a'))
	}
	for _, r := range j.book.replies {
		count("reply", mark('R', r.number, 'a'))
	}
	private := j.private()
	for _, a := range j.book.additions {
		if j.isLastOfPerson(private, a) {
			count("message", mark(a.kind, a.number, 'a'))
		}
	}
	for name, h := range j.book.histories {
		if got := statuses[name]; !h.vague && !reflect.DeepEqual(got, h.changes) {
			j.w.fail("the site would hear of %s: %v, and not %v", name, got, h.changes)
		}
	}
}

// judgeLog wants no secret in the bot's log, and nothing of what people write.
func (j *judge) judgeLog() {
	text, err := os.ReadFile(j.w.logFile())
	if err != nil {
		j.w.fail("read the log: %v", err)
		return
	}
	for _, secret := range append(j.w.secrets, "soakS", "soakC", "soakA", "soakR", "soakE", "soakB") {
		if at := strings.Index(string(text), secret); at >= 0 {
			j.w.fail("%q is in the bot's log: ...%s", secret, text[max(0, at-200):min(len(text), at+100)])
		}
	}
	for _, bad := range []string{"panic:", "DATA RACE", "fatal error:"} {
		if at := strings.Index(string(text), bad); at >= 0 {
			j.w.fail("the bot's log: %s", text[at:min(len(text), at+6000)])
		}
	}
}
