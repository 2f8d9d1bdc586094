// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that goes on after this command ends. Its start time tells it from a later process that was
// given the same number.
type process struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Started uint64 `json:"started"` // clock ticks after boot
}

// keepDescriptors keeps to this process what it was given by its parent: a lock that `flock FILE cluster up` holds, or the
// pipe of a caller who waits for its end, would stay with programs that run for days.
func keepDescriptors() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the open files: %w", err)
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// startProcess starts a program in a session of its own, with its output in a log file, and records it in pidFile.
func startProcess(name, pidFile, logFile string, env []string, program string, args ...string) (process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return process{}, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close()
	if err := keepDescriptors(); err != nil {
		return process{}, fmt.Errorf("start %s: %w", name, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Dir(pidFile)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return process{}, fmt.Errorf("start %s: %w", name, err)
	}
	p := process{Name: name, PID: cmd.Process.Pid}
	stat, err := readStat(p.PID)
	if err != nil {
		return process{}, fmt.Errorf("start %s: %w", name, err)
	}
	p.Started = stat.started
	go func() { _ = cmd.Wait() }() // reaps it when it ends before this command does; its end is seen by alive
	content, err := json.Marshal(p)
	if err != nil {
		return process{}, fmt.Errorf("record %s: %w", name, err)
	}
	return p, os.WriteFile(pidFile, content, 0o600)
}

// readProcess reads what startProcess recorded. A missing file gives fs.ErrNotExist.
func readProcess(pidFile string) (process, error) {
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return process{}, fmt.Errorf("read pid file: %w", err)
	}
	var p process
	if err := json.Unmarshal(content, &p); err != nil {
		return process{}, fmt.Errorf("read %s: %w", pidFile, err)
	}
	return p, nil
}

// alive says whether it is this very process that runs.
func (p process) alive() bool {
	stat, err := readStat(p.PID)
	return err == nil && stat.started == p.Started && stat.state != "Z"
}

// stop ends it: politely, and after grace by force. Stopping what has ended already is no error.
func (p process) stop(ctx context.Context, grace time.Duration) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	gone := func(context.Context) error {
		if p.alive() {
			return fmt.Errorf("%s (pid %d) still runs", p.Name, p.PID)
		}
		return nil
	}
	if poll(ctx, grace, gone) == nil {
		return nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", p.Name, err)
	}
	return poll(ctx, grace, gone)
}

// errEnded is why a process that should run is not waited for.
var errEnded = errors.New("process ended")

// poll calls check, often, until it gives nil, or errEnded, or the time is over; then it returns check's last error.
func poll(ctx context.Context, timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check(ctx)
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// processStat is what the kernel tells of a process.
type processStat struct {
	pid, parent int
	name        string // at most 15 bytes
	state       string // one letter; Z is a zombie
	started     uint64 // clock ticks after boot
}

func readStat(pid int) (processStat, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processStat{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	return parseStat(string(content))
}

// parseStat reads a line of /proc/PID/stat, whose second field, the name, may hold anything, blanks and brackets too.
func parseStat(line string) (processStat, error) {
	head, tail := strings.Index(line, " ("), strings.LastIndexByte(line, ')')
	if head < 0 || tail < head+2 {
		return processStat{}, fmt.Errorf("not a process's stat line: %q", line)
	}
	fields := strings.Fields(line[tail+1:])
	const parent, started = 1, 19 // counted from the third field, the state
	if len(fields) <= started {
		return processStat{}, fmt.Errorf("short stat line: %q", line)
	}
	s := processStat{name: line[head+2 : tail], state: fields[0]}
	var errs [3]error
	s.pid, errs[0] = strconv.Atoi(line[:head])
	s.parent, errs[1] = strconv.Atoi(fields[parent])
	s.started, errs[2] = strconv.ParseUint(fields[started], 10, 64)
	return s, errors.Join(errs[:]...)
}
