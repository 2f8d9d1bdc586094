// SPDX-License-Identifier: Apache-2.0

package django

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// guideStep is a block of docs/site-django.md, and what the comment before it says to do with it: "run" or "start" in a directory, "write" or
// "append" to a file.
var guideStep = regexp.MustCompile("(?s)<!-- (run|start|write|append): (?:in )?([^\n]+) -->\n```[a-z]+\n(.*?\n)```\n")

// The first half of docs/site-django.md does what it says, step by step, in a clean directory.
func TestGuideForDjango(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join(root(), "docs", "site-django.md"))
	must(t, err)
	steps := guideStep.FindAllStringSubmatch(string(guide), -1)
	if len(steps) < 8 {
		t.Fatalf("the guide has %d steps that can be followed", len(steps))
	}
	r := newReader(t)
	for _, step := range steps {
		r.follow(step[1], step[2], step[3])
	}
	var messages []telegram.Message
	if !poll(patience, func() bool {
		messages = r.chat()
		return len(messages) > 0
	}) {
		t.Fatalf("nothing was posted\n%s", r.logs())
	}
	if m := messages[0]; !strings.Contains(m.Text, "The map does not open.") || !strings.Contains(m.Text, "Rider") {
		t.Errorf("posted: %s", m.Text)
	}
	r.follow("run", "shop", "python3 manage.py feedback_bridge_status --check\n")
}

// reader follows the guide in a directory of its own.
type reader struct {
	t              *testing.T
	dir            string
	site, telegram string // addresses
	elsewhere      *strings.Replacer
	environment    []string
	started        int
}

func newReader(t *testing.T) *reader {
	t.Helper()
	dir, err := os.MkdirTemp("", "guide")
	must(t, err)
	t.Cleanup(func() {
		if !t.Failed() {
			must(t, os.RemoveAll(dir))
		}
	})
	r := &reader{t: t, dir: dir}
	r.site, err = process.FreeAddress()
	must(t, err)
	r.telegram, err = process.FreeAddress()
	must(t, err)
	port := r.site[strings.LastIndex(r.site, ":")+1:]
	r.elsewhere = strings.NewReplacer("127.0.0.1:8000", r.site, "-p 8000", "-p "+port, "127.0.0.1:8081", r.telegram)

	binaries := filepath.Join(dir, "feedbackbridge", "bin")
	must(t, os.MkdirAll(binaries, 0o700))
	must(t, os.Symlink(filepath.Join(root(), "hack"), filepath.Join(dir, "feedbackbridge", "hack")))
	program, err := bot()
	must(t, err)
	must(t, os.Symlink(program, filepath.Join(binaries, "feedbackbridge-bot")))
	build := exec.Command("go", "build", "-o", filepath.Join(binaries, "sim"), "./hack/sim") // #nosec G204
	build.Dir = root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := filepath.Join(dir, "path")
	must(t, os.Mkdir(path, 0o700))
	must(t, os.Symlink(python(), filepath.Join(path, "python3")))
	r.environment = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1")
	return r
}

func (r *reader) follow(what, where, block string) {
	r.t.Helper()
	block = r.elsewhere.Replace(block)
	if where == "the directory with the repository" {
		where = "."
	}
	where = filepath.Join(r.dir, where)
	switch what {
	case "run":
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", block) // #nosec G204 -- the guide is this repository's own
		cmd.Dir, cmd.Env = where, r.environment
		if out, err := cmd.CombinedOutput(); err != nil {
			r.t.Fatalf("%s%v\n%s\n%s", block, err, out, r.logs())
		}
	case "start":
		r.start(where, block)
	case "write":
		must(r.t, os.WriteFile(where, []byte(block), 0o600))
	case "append":
		text, err := os.ReadFile(where)
		must(r.t, err)
		must(r.t, os.WriteFile(where, append(text, "\n"+block...), 0o600))
	}
}

// start runs a program for as long as the test takes, and waits until it listens, where it does.
func (r *reader) start(where, block string) {
	r.t.Helper()
	r.started++
	log := filepath.Join(r.dir, fmt.Sprintf("%d.log", r.started))
	cmd := exec.Command("bash", "-euc", "exec "+block) // #nosec G204
	cmd.Dir, cmd.Env = where, r.environment
	p, err := process.Launch(cmd, log)
	must(r.t, err)
	r.t.Cleanup(func() { must(r.t, p.End(syscall.SIGKILL)) })
	for program, address := range map[string]string{"daphne": r.site, "sim telegram": r.telegram} {
		if strings.Contains(block, program) {
			must(r.t, process.AwaitListening(r.t.Context(), address, p, log))
		}
	}
}

// chat is what the group has.
func (r *reader) chat() (messages []telegram.Message) {
	r.t.Helper()
	response, err := http.Get(fmt.Sprintf("http://%s/sim/messages?chat=%d", r.telegram, group))
	must(r.t, err)
	defer response.Body.Close()
	must(r.t, json.NewDecoder(response.Body).Decode(&messages))
	return messages
}

func (r *reader) logs() (all string) {
	for i := range r.started {
		log := filepath.Join(r.dir, fmt.Sprintf("%d.log", i+1))
		all += log + ":\n" + process.Tail(log) + "\n"
	}
	return all
}
