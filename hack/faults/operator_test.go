// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// operators is how many run side by side.
	operators = 2
	// electionLease names the Lease of the leader, in electionNamespace.
	electionLease     = "operator.feedbackbridge.dev"
	electionNamespace = "default"
	// The leader's times, scaled: 15 s, 10 s and 2 s unless given. A renewal may take half the deadline, which the race
	// detector on a busy machine does not leave to 3 s.
	leaseDuration = 4 * time.Second * slowness
	renewDeadline = 3 * time.Second * slowness
	retryPeriod   = 500 * time.Millisecond * slowness
)

func operatorUser(i int) string  { return fmt.Sprintf("operator-%d", i) }
func operatorToken(i int) string { return operatorUser(i) + "-token" }

// operator is one replica: a process that is started again whenever it ends, as a kubelet would.
type operator struct {
	index  int
	binary string
	args   []string
	env    []string
	log    string
	proxy  *proxy

	mu      sync.Mutex
	process *process
	// starts counts the processes; ends are how those ended that the test did not stop.
	starts int
	ends   []string
}

// buildOperator builds the operator of this source tree, with the race detector where the test has it.
func buildOperator(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "feedbackbridge-operator")
	args := []string{"build", "-o", binary}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the operator: %v\n%s", err, out)
	}
	return binary
}

func newOperator(t *testing.T, index int, binary, dir string, p *proxy) *operator {
	t.Helper()
	kubeconfig := filepath.Join(dir, operatorUser(index)+".kubeconfig")
	must(t, os.WriteFile(kubeconfig, []byte(strings.ReplaceAll(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "URL"}}]
contexts: [{name: c, context: {cluster: c, user: ""}}]
current-context: c
`, "URL", p.url)), 0o600))
	return &operator{
		index: index, binary: binary, proxy: p, log: filepath.Join(dir, operatorUser(index)+".log"),
		env: []string{"KUBECONFIG=" + kubeconfig},
		args: []string{
			"--leader-elect", "--leader-elect-resource-namespace", electionNamespace,
			"--leader-elect-lease-duration", leaseDuration.String(), "--leader-elect-renew-deadline", renewDeadline.String(),
			"--leader-elect-retry-period", retryPeriod.String(), "--health-probe-bind-address", "0",
			"--bot-image", "example.test/bot:1",
		},
	}
}

// keep runs the operator until the context ends. It returns what makes it impossible to run.
func (o *operator) keep(ctx context.Context) error {
	for ctx.Err() == nil {
		p, err := launch(o.log, o.env, o.binary, o.args...)
		if err != nil {
			return err
		}
		o.mu.Lock()
		o.process = p
		o.starts++
		o.mu.Unlock()
		select {
		case <-p.done:
		case <-ctx.Done():
			return p.stop(syscall.SIGKILL)
		}
		o.mu.Lock()
		if !p.told {
			o.ends = append(o.ends, p.err.Error())
		}
		o.mu.Unlock()
		wait(ctx, retryPeriod)
	}
	return nil
}

// signal stops the process that runs now, and waits for its end; another follows.
func (o *operator) signal(signal syscall.Signal) (*process, error) {
	o.mu.Lock()
	p := o.process
	p.told = true
	o.mu.Unlock()
	return p, p.stop(signal)
}

// running is the process that runs now.
func (o *operator) running() *process {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.process
}
