// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killContainers ends every container of the cluster: all below the containerd shims that serve its socket, and then
// the shims. They outlive containerd by design, so no pid file knows them.
func killContainers(ctx context.Context, l layout) error {
	var left []process
	killed := func(ctx context.Context) error {
		processes, err := listProcesses()
		if err != nil {
			return err
		}
		left = left[:0]
		for _, p := range descendants(processes, func(s processStat) bool { return isShim(s.pid, l.containerdSocket()) }) {
			left = append(left, process{PID: p.pid, Started: p.started})
		}
		for _, p := range left {
			if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d of a container: %w", p.PID, err)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("%d processes of containers are still there", len(left))
		}
		return nil
	}
	return poll(ctx, 10*time.Second, killed)
}

// isShim says whether a process is a containerd shim that serves this socket.
func isShim(pid int, socket string) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false // it has ended
	}
	args := strings.Split(string(cmdline), "\x00")
	address := slices.Index(args, "-address")
	return filepath.Base(args[0]) == "containerd-shim-runc-v2" && address >= 0 && address+1 < len(args) && args[address+1] == socket
}

func listProcesses() ([]processStat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []processStat
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue // not a process
		}
		if stat, err := readStat(pid); err == nil && stat.state != "Z" {
			all = append(all, stat)
		}
	}
	return all, nil
}

// descendants gives the processes that root picks and all below them, children after their parents.
func descendants(all []processStat, root func(processStat) bool) []processStat {
	var found []processStat
	picked := make(map[int]bool)
	for _, p := range all {
		if root(p) {
			found, picked[p.pid] = append(found, p), true
		}
	}
	for i := 0; i < len(found); i++ {
		for _, p := range all {
			if p.parent == found[i].pid && !picked[p.pid] {
				found, picked[p.pid] = append(found, p), true
			}
		}
	}
	return found
}

// unmountAll unmounts everything below the state folder, the last mounted first.
func unmountAll(ctx context.Context, l layout) error {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	defer file.Close()
	var points []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if point := mountPoint(scanner.Text()); strings.HasPrefix(point, l.state+"/") {
			points = append(points, point)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	slices.Reverse(points)
	var errs []error
	for _, point := range points {
		errs = append(errs, run(ctx, "umount", "--lazy", point))
	}
	return errors.Join(errs...)
}

// mountPoint reads the mount point of a line of /proc/self/mountinfo, in which blanks are written in octal.
func mountPoint(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return ""
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
}

// cleanUp takes back what a running cluster leaves on the machine besides its state: containers, mounts, network, and
// the little that is written outside of the state folder. The run folder goes last: it says that something is left, and
// without it nothing is touched, since it would be another cluster's.
func cleanUp(ctx context.Context, l layout) error {
	if _, err := os.Stat(l.run()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := errors.Join(killContainers(ctx, l), unmountAll(ctx, l), removeNetwork(ctx, l), sweep(l)); err != nil {
		return err
	}
	return os.RemoveAll(l.run())
}

// sweep removes files and control groups. Kubernetes and CNI have some of the places built in.
func sweep(l layout) error {
	errs := []error{os.RemoveAll(shimSockets), removeIfThere("/var/lib/kubelet/device-plugins/kubelet.sock")}
	links, err := filepath.Glob("/var/log/containers/*.log")
	errs = append(errs, err)
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, l.state+"/") {
			errs = append(errs, os.Remove(link))
		}
	}
	results, err := filepath.Glob("/var/lib/cni/results/feedbackbridge-cluster-*")
	errs = append(errs, err)
	for _, result := range results {
		errs = append(errs, os.Remove(result))
	}
	for _, folder := range []string{
		"/var/log/containers", "/var/lib/cni/results", "/var/lib/cni", "/var/lib/kubelet/device-plugins", "/var/lib/kubelet",
	} {
		errs = append(errs, removeIfThere(folder)) // when nothing else is in it
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/kubepods")
	errs = append(errs, err)
	for _, group := range append(groups, "/sys/fs/cgroup/kubepods") {
		errs = append(errs, removeCgroup(group))
	}
	return errors.Join(errs...)
}

// removeIfThere removes a file, or a folder that is empty.
func removeIfThere(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return err
}

// removeCgroup removes a control group and those below it; one that is still in use (by another cluster) stays.
func removeCgroup(group string) error {
	var folders []string
	err := filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list control groups: %w", err)
	}
	slices.Reverse(folders)
	for _, folder := range folders {
		if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.ENOTEMPTY) {
			return fmt.Errorf("remove control group %s: %w", folder, err)
		}
	}
	return nil
}
