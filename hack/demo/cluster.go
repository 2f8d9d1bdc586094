// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// forwardsFile keeps the pids of the port-forwards that outlive this program.
const forwardsFile = "bin/demo.pids"

// cluster is the local cluster.
type cluster struct {
	binaries, kubeconfig string
}

func findCluster(ctx context.Context) (*cluster, error) {
	k := &cluster{}
	for into, args := range map[*string][]string{&k.kubeconfig: {"kubeconfig"}, &k.binaries: {"binaries", "kubectl"}} {
		out, err := exec.CommandContext(ctx, "bin/cluster", args...).Output()
		if err != nil {
			return nil, fmt.Errorf("find the cluster: %w", err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		*into = lines[len(lines)-1]
	}
	return k, nil
}

func (k *cluster) program() string { return filepath.Join(k.binaries, "kubectl") }

func (k *cluster) kubectl(ctx context.Context, args ...string) error {
	return run(ctx, k.program(), append([]string{"--kubeconfig", k.kubeconfig}, args...)...)
}

// forward makes a Service reachable on loopback, by a process that stays until stopForwards, and returns its address.
func forward(ctx context.Context, k *cluster, service string, port int) (address string, err error) {
	// A file rather than a pipe: the process outlives this one, and goes on writing.
	log, err := os.Create(fmt.Sprintf("bin/demo-%s.log", service))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd := exec.Command(k.program(), "--kubeconfig", k.kubeconfig, "-n", namespace, "port-forward", "service/"+service, strconv.Itoa(port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("forward a port to %s: %w", service, err)
	}
	if err := remember(cmd.Process.Pid); err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		cancel(fmt.Errorf("forward port %d to %s: %w (is the port in use? see %s)", port, service, cmd.Wait(), log.Name()))
	}()
	address = fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := waitFor(ctx, address+"/sim/faults"); err != nil {
		return "", errors.Join(err, context.Cause(ctx))
	}
	return address, nil
}

func remember(pid int) error {
	f, err := os.OpenFile(forwardsFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, pid)
	return errors.Join(err, f.Close())
}

// stopForwards ends the port-forwards of an earlier run. A pid that has gone to another program is left alone.
func stopForwards() {
	data, err := os.ReadFile(forwardsFile)
	if err != nil {
		return
	}
	for _, field := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || !strings.Contains(string(args), "port-forward\x00") {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			fmt.Println("stop a port-forward:", err)
		}
	}
	if err := os.Remove(forwardsFile); err != nil {
		fmt.Println("forget the port-forwards:", err)
	}
}
