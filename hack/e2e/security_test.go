// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// listenState is TCP_LISTEN in /proc/net/tcp.
const listenState = "0A"

// TestTheBotListensOnNothing looks from inside the pod's network namespace. That the pod runs at all shows that it is
// admitted under Pod Security "restricted", which every namespace of these tests enforces; that no log shows a secret
// is checked at the end of every test.
func TestTheBotListensOnNothing(t *testing.T) {
	w := world.New(t)
	w.Apply()
	w.Result(w.Send(1, "for the log"), 15*time.Second)
	pid := w.BotProcess()
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
	pod := w.Pod()
	if uid := processUID(t, pid); uid != "65532" {
		t.Errorf("the bot runs as %s", uid)
	}
	if len(pod.Spec.Containers[0].Ports) != 0 {
		t.Errorf("the pod declares ports: %v", pod.Spec.Containers[0].Ports)
	}
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
