// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// clockTick is the unit of CPU times in /proc on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// process is a running bot, or the bare client.
type process struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

func start(ctx context.Context, program string, args ...string) (*process, error) {
	b := &process{}
	b.cmd = exec.CommandContext(ctx, program, args...)
	b.cmd.Stderr = &b.log
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return b, nil
}

// botArgs are the arguments of a bot that keeps its state in a directory.
func (p *peers) botArgs(state string) []string {
	return []string{"run", "--bridge", filepath.Join(p.dir, "bridge.yaml"), "--credentials", filepath.Join(p.dir, "credentials"),
		"--state", state}
}

// bareArgs are the arguments of the bare client.
func (p *peers) bareArgs() []string {
	return []string{"bare", "--site", p.siteURL + "?token=bench", "--telegram", p.apiURL + "/bot" + telegram.TestToken}
}

func (b *process) stop() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", b.cmd.Path, err)
	}
	if err := b.cmd.Wait(); err != nil {
		return fmt.Errorf("%s ended badly: %w\n%s", b.cmd.Path, err, b.log.String())
	}
	return nil
}

// usage is what a process has used: bytes, and time on a CPU.
type usage struct {
	rss, anon, peak int64
	cpu             time.Duration
}

func (b *process) usage() (u usage, err error) {
	proc := filepath.Join("/proc", strconv.Itoa(b.cmd.Process.Pid))
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return u, fmt.Errorf("read the bot's memory: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		into := map[string]*int64{"VmRSS": &u.rss, "RssAnon": &u.anon, "VmHWM": &u.peak}[name]
		if into == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return u, fmt.Errorf("read the bot's %s: %w", name, err)
		}
		*into = kib << 10
	}
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return u, fmt.Errorf("read the bot's CPU time: %w", err)
	}
	// Behind the name in parentheses, utime and stime are the 12th and 13th fields.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, fmt.Errorf("read the bot's CPU time: %w", err)
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	return u, nil
}
