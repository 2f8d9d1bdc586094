// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// listenState is TCP_LISTEN in /proc/net/tcp.
const listenState = "0A"

// TestTheBotListensOnNothing looks from inside the pod's network namespace. That the pod runs at all shows that it is
// admitted under Pod Security "restricted", which every namespace of these tests enforces; that no log shows a secret
// is checked at the end of every test.
func TestTheBotListensOnNothing(t *testing.T) {
	w := newWorld(t)
	w.apply()
	w.result(w.send(1, "for the log"), 15*time.Second)
	pid := w.botProcess()
	sockets := 0
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "net", table))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
			sockets++
			if fields := strings.Fields(line); fields[3] == listenState {
				t.Errorf("listens: %s", line)
			}
		}
	}
	if sockets == 0 {
		t.Error("no socket is seen, not even the bot's connections: not its namespace?")
	}
	pod := w.pod()
	if uid := processUID(t, pid); uid != "65532" {
		t.Errorf("the bot runs as %s", uid)
	}
	if len(pod.Spec.Containers[0].Ports) != 0 {
		t.Errorf("the pod declares ports: %v", pod.Spec.Containers[0].Ports)
	}
}

// botProcess finds the bot's process on this machine, which is the cluster's node.
func (w *world) botProcess() int {
	w.t.Helper()
	var pid int
	eventually(w.t, 30*time.Second, "the bot's process", func() (bool, string) {
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return false, err.Error()
		}
		for _, file := range files {
			// A process may end while it is looked at; then it is not the one.
			args, err := os.ReadFile(file)
			if err != nil || !strings.HasPrefix(string(args), "/feedbackbridge-bot\x00run\x00") ||
				!strings.Contains(string(args), "\x00"+v1alpha1.BotName(w.name)+"\x00") {
				continue
			}
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return err == nil, "its pid is not a number"
		}
		return false, "not found in /proc"
	})
	return pid
}

func processUID(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if rest, found := strings.CutPrefix(line, "Uid:"); found {
			return strings.Fields(rest)[0]
		}
	}
	return ""
}

func decodeReport(t *testing.T, annotation string) v1alpha1.BotReport {
	t.Helper()
	var report v1alpha1.BotReport
	if err := json.Unmarshal([]byte(annotation), &report); err != nil {
		t.Fatalf("decode the report %q: %v", annotation, err)
	}
	return report
}
