// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	const rest = " 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
	for name, tc := range map[string]struct {
		line string
		want processStat
		ok   bool
	}{
		"plain":                 {"7 (etcd) S" + rest + "4711 9 9", processStat{pid: 7, parent: 1, name: "etcd", state: "S", started: 4711}, true},
		"a name like a stat":    {"7 (a) R 2 (b) S" + rest + "4711 9", processStat{pid: 7, parent: 1, name: "a) R 2 (b", state: "S", started: 4711}, true},
		"too short":             {"7 (etcd) S 1 2 3", processStat{}, false},
		"empty":                 {"", processStat{}, false},
		"not a number":          {"x (etcd) S" + rest + "4711", processStat{}, false},
		"brackets out of order": {") 7 (", processStat{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat(tc.line)
			if (err == nil) != tc.ok {
				t.Fatalf("error: %v", err)
			}
			if tc.ok && got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// What this process was given to keep open does not go on to a program that outlives it.
func TestProcessesInheritNoFiles(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, lock.Fd(), syscall.F_SETFD, 0); errno != 0 {
		t.Fatal(errno)
	}
	p, err := startProcess("sleep", filepath.Join(dir, "pid"), filepath.Join(dir, "log"), nil, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(context.Background(), time.Second); err != nil {
			t.Error(err)
		}
	}()
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID))
	if err != nil || len(open) < 3 {
		t.Fatalf("its open files: %v %v", open, err)
	}
	for _, fd := range open {
		if target, err := os.Readlink(fd); err == nil && target == lock.Name() {
			t.Error("the program holds the file that was locked")
		}
	}
}

func TestProcessIsRecordedAndStopped(t *testing.T) {
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "sleep.pid")
	started, err := startProcess("sleep", pidFile, filepath.Join(dir, "log"), nil, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := readProcess(pidFile)
	if err != nil || recorded != started {
		t.Fatalf("recorded %+v, started %+v (%v)", recorded, started, err)
	}
	// A number that was given to another process meanwhile is not ours to stop.
	reused := recorded
	reused.Started++
	if reused.alive() {
		t.Error("another process is taken for ours")
	}
	if err := reused.stop(t.Context(), time.Second); err != nil || !recorded.alive() {
		t.Errorf("another process was stopped (%v)", err)
	}
	if err := recorded.stop(t.Context(), 5*time.Second); err != nil || recorded.alive() {
		t.Errorf("still alive (%v)", err)
	}
	if err := recorded.stop(t.Context(), time.Second); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestStubbornProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	script := "trap '' TERM; touch " + ready + "; while :; do sleep 1; done"
	p, err := startProcess("stubborn", filepath.Join(dir, "pid"), filepath.Join(dir, "log"), nil, "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	err = poll(t.Context(), 10*time.Second, func(context.Context) error { _, err := os.Stat(ready); return err })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.stop(t.Context(), 200*time.Millisecond); err != nil || p.alive() {
		t.Errorf("still alive (%v)", err)
	}
}

func TestPollEndsWithItsProcess(t *testing.T) {
	calls := 0
	err := poll(t.Context(), time.Hour, func(context.Context) error {
		calls++
		if calls < 3 {
			return errors.New("not yet")
		}
		return errEnded
	})
	if !errors.Is(err, errEnded) || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestDescendants(t *testing.T) {
	tree := []processStat{
		{pid: 30, parent: 20}, {pid: 1}, {pid: 20, parent: 10}, {pid: 10, parent: 1}, {pid: 11, parent: 1}, {pid: 21, parent: 10},
	}
	var got []int
	for _, p := range descendants(tree, func(p processStat) bool { return p.pid == 10 }) {
		got = append(got, p.pid)
	}
	if diff := cmp.Diff([]int{10, 20, 21, 30}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMountPoint(t *testing.T) {
	for line, want := range map[string]string{
		"36 35 98:0 /mnt1 /mnt/two rw,noatime master:1 - ext3 /dev/root rw": "/mnt/two",
		`36 35 98:0 / /my\040folder rw - tmpfs tmpfs rw`:                    "/my folder",
		"36 35": "",
	} {
		if got := mountPoint(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestParseNftTables(t *testing.T) {
	got, err := parseNftTables([]byte(`{"nftables": [{"metainfo": {"version": "1.0.6"}},
		{"table": {"family": "ip", "name": "kube-proxy", "handle": 1}}, {"table": {"family": "inet", "name": "filter", "handle": 2}}]}`))
	if diff := cmp.Diff([]nftTable{{"ip", "kube-proxy"}, {"inet", "filter"}}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := parseNftTables([]byte("Error: no such file")); err == nil {
		t.Error("no error for what is no JSON")
	}
}
