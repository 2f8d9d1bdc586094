// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// envVictim has the test binary be the process that is killed: its value is where it works, as JSON.
const envVictim = "STORE_TEST_VICTIM"

// victim works with a store until it is killed, and writes what it did to its standard output: "admitted ID" after a
// request was admitted, "sent NAME" when Telegram would have taken a ticket, "result ID" when the site would have got one.
func victim() error {
	opts := options()
	if err := json.Unmarshal([]byte(os.Getenv(envVictim)), &struct{ Dir, DSN, Schema *string }{&opts.Dir, &opts.DSN, &opts.Schema}); err != nil {
		return err
	}
	ctx := context.Background()
	var s *Store
	for { // a server needs a moment to notice that the last one was killed
		var err error
		if s, err = Open(ctx, opts); err == nil {
			break
		}
		if !errors.Is(err, ErrInUse) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	for round := 0; ; round++ {
		var batch []Request
		for i := range 5 {
			batch = append(batch, request(fmt.Sprintf("%d-%d-%d", os.Getpid(), round, i), 0))
		}
		if _, err := s.Admit(ctx, batch); err != nil {
			return err
		}
		for _, r := range batch {
			fmt.Println("admitted", r.ID)
		}
		var done *Outcome
		for {
			job, err := s.Advance(ctx, group, done, true)
			if err != nil {
				return err
			}
			if job == nil {
				break
			}
			fmt.Println("sent", job.Ticket.ID)
			done = sent(job, job.Seq)
		}
		results, err := s.DueResults(ctx, 0, 100)
		if err != nil {
			return err
		}
		for _, r := range results {
			fmt.Println("result", r.RequestID)
		}
		if err := s.ConfirmResults(ctx, results[len(results)-1].Seq); err != nil {
			return err
		}
	}
}

// kill lets a victim work for a while, kills it, and returns the lines that it wrote.
func kill(t *testing.T, opts Options, lines int) (wrote []string) {
	t.Helper()
	where, err := json.Marshal(struct{ Dir, DSN, Schema string }{opts.Dir, opts.DSN, opts.Schema})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0]) // #nosec G204 -- this test
	cmd.Env = append(os.Environ(), envVictim+"="+string(where))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if wrote = append(wrote, scan.Text()); len(wrote) == lines {
			if err := cmd.Process.Kill(); err != nil { // and read on: what it did until it died counts
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); len(wrote) < lines {
		t.Fatalf("the victim ended by itself: %v", err)
	}
	return wrote
}

func TestKills(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- it has to be repeatable
		kills := 6
		if testing.Short() {
			kills = 3
		}
		for range kills {
			wrote := kill(t, l.opts, 1+rng.IntN(60))
			var s *Store
			eventually(t, func() (err error) {
				s, err = Open(t.Context(), l.opts)
				return err
			})
			checkSurvivor(t, s, wrote)
			mustClose(t, s)
		}
	})
}

// checkSurvivor looks that nothing is lost of what a victim wrote, and that it repeats one post at most, marked.
func checkSurvivor(t *testing.T, s *Store, wrote []string) {
	t.Helper()
	sentNames, given := map[string]bool{}, map[string]bool{}
	for _, line := range wrote {
		switch what, which, _ := strings.Cut(line, " "); what {
		case "admitted":
			again := request(which, 0)
			again.Nonce += " again"
			if got := admit(t, s, again); got[0] != Repeated {
				t.Errorf("%s was admitted, and is lost", which)
			}
		case "sent":
			sentNames[which] = true
		case "result":
			given[which] = true
		}
	}
	repeats, marked := 0, 0
	for job := advance(t, s, group, nil, true); job != nil; job = advance(t, s, group, sent(job, 1), true) {
		if job.MaybeSent {
			marked++
		}
		if sentNames[job.Ticket.ID] {
			if repeats++; !job.MaybeSent {
				t.Errorf("%s was sent, and is sent again without a word", job.Ticket.ID)
			}
		}
	}
	if repeats > 1 || marked > 1 {
		t.Errorf("%d posts are repeated, %d are marked", repeats, marked)
	}
	// Everything that was admitted has its result by now, given before or due.
	due, err := s.DueResults(t.Context(), 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range due {
		given[r.RequestID] = true
	}
	for _, line := range wrote {
		if id, admitted := strings.CutPrefix(line, "admitted "); admitted && !given[id] {
			t.Errorf("the result of %s is lost", id)
		}
	}
	if len(due) > 0 {
		if err := s.ConfirmResults(t.Context(), due[len(due)-1].Seq); err != nil {
			t.Fatal(err)
		}
	}
}
