// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// process is a child of the test. It dies with the test, however that ends.
type process struct {
	cmd     *exec.Cmd
	log     string
	started time.Time
	done    chan struct{}
	// err is how it ended; set when done is closed.
	err error
	// told is whether the test ended it.
	told bool
}

// launch starts a program whose output is appended to a log.
func launch(log string, env []string, binary string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, log: log, started: time.Now(), done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// startProcess launches a program, and kills it when the test ends.
func startProcess(t *testing.T, log string, binary string, args ...string) *process {
	t.Helper()
	p, err := launch(log, nil, binary, args...)
	must(t, err)
	t.Cleanup(func() {
		if err := p.stop(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	return p
}

// stop sends a signal and waits for the end.
func (p *process) stop(signal syscall.Signal) error {
	err := p.cmd.Process.Signal(signal)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	<-p.done
	return nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail is the end of the log.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}
