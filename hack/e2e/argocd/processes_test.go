// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package argocd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// The network namespace that Argo CD runs in: its controller listens on all addresses and cannot be told otherwise, and
// here these are loopback and one end of a cable to this machine. No port has to be looked for.
const (
	netns     = "fbb-argocd"
	hostEnd   = "fbb-argocd"
	innerEnd  = "eth0"
	hostAddr  = "169.254.77.1"
	innerAddr = "169.254.77.2"
)

// makeNetwork makes the network namespace, and removes it after the test.
func makeNetwork(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { removeNetwork(context.Background()) })
	for _, command := range []string{
		"netns add " + netns,
		"link add " + hostEnd + " type veth peer name " + innerEnd + " netns " + netns,
		"address add " + hostAddr + "/30 dev " + hostEnd,
		"link set " + hostEnd + " up",
		"-n " + netns + " address add " + innerAddr + "/30 dev " + innerEnd,
		"-n " + netns + " link set " + innerEnd + " up",
		"-n " + netns + " link set lo up",
		"-n " + netns + " route add default via " + hostAddr,
	} {
		if _, err := world.Output(t.Context(), "ip", strings.Fields(command)...); err != nil {
			t.Fatal(err)
		}
	}
}

// removeNetwork removes the network namespace, with the processes that a run which was killed left in it; the cable goes with
// them. Where there is none, there is nothing to remove.
func removeNetwork(ctx context.Context) {
	left, _ := world.Output(ctx, "ip", "netns", "pids", netns)
	for _, text := range strings.Fields(left) {
		if pid, err := strconv.Atoi(text); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_, _ = world.Output(ctx, "ip", "netns", "delete", netns)
	_, _ = world.Output(ctx, "ip", "link", "delete", hostEnd)
}

// command is a program in the network namespace; ip replaces itself by it, so that its pid is the program's.
func (a *argoCD) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", netns, program}, args...)...)
	cmd.Dir, cmd.Env = a.dir, a.env
	return cmd
}

// start starts a component of Argo CD, which is one program that goes by many names.
func (a *argoCD) start(component string, args ...string) {
	a.t.Helper()
	a.run(component, a.program, append(args, "--redis", "127.0.0.1:6379", "--loglevel", "info", "--logformat", "text")...)
}

// run runs a program until the test ends, its output in a file that is shown when the test fails.
func (a *argoCD) run(name, program string, args ...string) {
	a.t.Helper()
	path := filepath.Join(a.dir, name+".log")
	log, err := os.Create(path)
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := a.command(context.Background(), program, args...)
	cmd.Env = append(cmd.Env, "ARGOCD_BINARY_NAME="+name)
	cmd.Stdout, cmd.Stderr = log, log
	p := &process{Cmd: cmd, name: name, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		a.t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	a.t.Cleanup(func() {
		p.stop(a.t)
		log.Close()
		if a.t.Failed() {
			a.t.Logf("%s\n%s", name, tail(a.t, path, 40))
		}
	})
}

// process is a program that runs until it is stopped.
type process struct {
	*exec.Cmd
	name  string
	ended chan struct{}
	err   error // once ended
}

func (p *process) stop(t *testing.T) {
	select {
	case <-p.ended:
		t.Errorf("%s ended by itself: %v", p.name, p.err)
		return
	default:
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop %s: %v", p.name, err)
	}
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		if err := p.Process.Kill(); err != nil {
			t.Errorf("kill %s: %v", p.name, err)
		}
		<-p.ended
	}
}

func tail(t *testing.T, path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("read a log: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
