// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// operator is the operator's own program, running.
type operator struct {
	cmd     *exec.Cmd
	log     *os.File
	metrics string
	profile string
	started time.Time
}

func startOperator(o options, p *plane, log string) (*operator, error) {
	metrics, err1 := freePort()
	profile, err2 := freePort()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	op := &operator{metrics: "http://" + metrics + "/metrics", profile: "http://" + profile + "/debug/pprof/heap?gc=1&debug=1"}
	var err error
	if op.log, err = os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	// Not killed with a context: it is stopped when the measurements end, and its end is part of them.
	op.cmd = exec.Command(o.operator, "--leader-elect=false",
		"--concurrency", strconv.Itoa(o.inFlight),
		"--metrics-bind-address", metrics, "--metrics-secure=false", "--health-probe-bind-address", "0", "--pprof-bind-address", profile)
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

// signal stops and continues the operator as one process.
func (op *operator) signal(s syscall.Signal) error {
	if err := op.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("send the operator %s: %w", s, err)
	}
	return nil
}

// stop ends the operator. A second stop does nothing.
func (op *operator) stop() error {
	if op.cmd.ProcessState != nil {
		return nil
	}
	if err := errors.Join(op.signal(syscall.SIGTERM), op.signal(syscall.SIGCONT)); err != nil {
		return err
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

// memory is what a process has: the heap after a collection, and what is resident before it.
type memory struct{ heap, rss float64 }

// memory waits for an operator that still starts.
func (op *operator) memory(ctx context.Context) (memory, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		m, err := op.measureMemory(ctx)
		if err == nil || time.Since(op.started) > time.Minute {
			return m, err
		}
		select {
		case <-ctx.Done():
			return memory{}, fmt.Errorf("wait for the operator's memory: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

var heapAfterCollection = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

// measureMemory has the operator collect its garbage. Nothing scrapes it meanwhile: what a scrape makes is alive as long
// as it lasts.
func (op *operator) measureMemory(ctx context.Context) (m memory, err error) {
	if m.rss, err = residentMemory(op.cmd.Process.Pid); err != nil {
		return m, err
	}
	text, err := fetch(ctx, http.DefaultClient, op.profile)
	if err != nil {
		return m, err
	}
	found := heapAfterCollection.FindSubmatch(text)
	if found == nil {
		return m, fmt.Errorf("%s says nothing of the heap", op.profile)
	}
	m.heap, err = strconv.ParseFloat(string(found[1]), 64)
	return m, err
}

// residentMemory is the memory that a process occupies, in bytes.
func residentMemory(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("read a process' memory: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("read a process' memory: %q", text)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err
}

func fetch(ctx context.Context, client *http.Client, url string) (body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
