// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// operator is the operator's own program, running.
type operator struct {
	cmd     *exec.Cmd
	log     *os.File
	metrics string
	started time.Time
}

func startOperator(o options, p *plane, log string) (*operator, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	op := &operator{metrics: "http://" + port + "/metrics"}
	if op.log, err = os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	// Not killed with a context: it is stopped when the measurements end, and its end is part of them.
	op.cmd = exec.Command(o.operator, "--leader-elect=false",
		"--concurrency", strconv.Itoa(o.inFlight),
		"--metrics-bind-address", port, "--metrics-secure=false", "--health-probe-bind-address", "0")
	op.cmd.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig)
	op.cmd.Stderr = op.log
	op.started = time.Now()
	if err := op.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the operator: %w", err), op.log.Close())
	}
	return op, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port for metrics: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// stop ends the operator. A second stop does nothing.
func (op *operator) stop() error {
	if op.cmd.ProcessState != nil {
		return nil
	}
	if err := op.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the operator: %w", err)
	}
	err := op.cmd.Wait()
	if err != nil {
		text, _ := os.ReadFile(op.log.Name())
		err = fmt.Errorf("the operator ended badly: %w\n%s", err, text[max(0, len(text)-4096):])
	}
	return errors.Join(err, op.log.Close())
}

// scrape reads the operator's metrics.
func (op *operator) scrape(ctx context.Context) (scrape, error) {
	return scrapeMetrics(ctx, http.DefaultClient, op.metrics)
}

// memory is what a process has: the live heap as the garbage collector last found it, and what is resident.
type memory struct{ heap, rss float64 }

// memory waits for two collections that began after the call, which its own scrapes bring about.
func (op *operator) memory(ctx context.Context) (memory, error) {
	const collections = "go_gc_cycles_total_gc_cycles_total"
	var first float64
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for seen := false; ; {
		s, err := op.scrape(ctx)
		switch {
		case err != nil && time.Since(op.started) > time.Minute:
			return memory{}, err
		case err != nil: // it still starts
		case !seen:
			first, seen = s.values[collections], true
		case s.values[collections] >= first+2:
			return memory{heap: s.values["go_gc_heap_live_bytes"], rss: s.values["process_resident_memory_bytes"]}, nil
		}
		select {
		case <-ctx.Done():
			return memory{}, fmt.Errorf("wait for the operator's memory: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
