// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// native runs Kubernetes's own programs as processes of this machine.
type native struct {
	layout   layout
	progress *progress
}

func (n native) settings() (settings, error) {
	folder, err := n.layout.binariesFolder()
	if err != nil {
		return settings{}, err
	}
	return newSettings(n.layout, folder), nil
}

func (n native) pidFile(component string) string { return n.layout.run(component + ".pid") }

// up builds what is missing and starts what does not run. A healthy cluster is left as it is.
func (n native) up(ctx context.Context) error {
	s, err := n.settings()
	if err != nil {
		return err
	}
	if n.healthy(ctx, s) == nil {
		n.progress.say("the cluster is up: kubeconfig %s", n.layout.kubeconfig())
		return nil
	}
	if err := n.prepare(ctx, s); err != nil {
		return err
	}
	client, err := s.healthClient()
	if err != nil {
		return err
	}
	for _, group := range s.components(n.layout) {
		if err := n.startGroup(ctx, s, client, group); err != nil {
			return err
		}
	}
	err = n.progress.step("waiting for the node", 10*time.Second, func() error {
		return poll(ctx, 2*time.Minute, func(ctx context.Context) error { return n.healthy(ctx, s) })
	})
	if err != nil {
		return err
	}
	n.progress.say("the cluster is up: kubeconfig %s, pods reach this machine at %s", n.layout.kubeconfig(), s.BridgeAddress)
	return nil
}

// prepare does everything that comes before the first process.
func (n native) prepare(ctx context.Context, s settings) error {
	if err := nativeCapable(ctx, n.progress); err != nil {
		return err
	}
	if err := n.clearWreck(ctx, s); err != nil {
		return err
	}
	if _, err := buildBinaries(ctx, n.layout, n.progress, binaries); err != nil {
		return err
	}
	if err := n.buildPauseImage(ctx, s); err != nil {
		return err
	}
	for _, folder := range []string{n.layout.run(), n.layout.in("log"), n.layout.in("volumes"), n.layout.in("pods-log")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("make the state folder: %w", err)
		}
	}
	if err := s.writeConfigs(); err != nil {
		return err
	}
	if err := s.ensurePKI(time.Now()); err != nil {
		return err
	}
	admin, err := os.ReadFile(filepath.Join(s.PKI, "admin.kubeconfig"))
	if err != nil {
		return fmt.Errorf("read the administrator's kubeconfig: %w", err)
	}
	if err := os.WriteFile(n.layout.kubeconfig(), admin, 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return s.raiseNetwork(ctx, n.layout)
}

// clearWreck cleans up after a cluster that ended without down, with the machine for instance. Where another
// Kubernetes runs it refuses: the two would take each other's network rules.
func (n native) clearWreck(ctx context.Context, s settings) error {
	ours := make(map[int]bool)
	for _, c := range slices.Concat(s.components(n.layout)...) {
		if p, err := readProcess(n.pidFile(c.name)); err == nil && p.alive() {
			ours[p.PID] = true
		}
	}
	processes, err := listProcesses()
	if err != nil {
		return err
	}
	for _, p := range processes {
		if slices.Contains([]string{"kubelet", "kube-proxy", "k3s-server", "k3s-agent"}, p.name) && !ours[p.pid] {
			return &incapable{fmt.Sprintf("another Kubernetes runs on it: %s, pid %d", p.name, p.pid)}
		}
	}
	if len(ours) > 0 {
		return nil
	}
	return cleanUp(ctx, n.layout)
}

func (n native) buildPauseImage(ctx context.Context, s settings) error {
	output := filepath.Join(s.Binaries, "pause.tar")
	if _, err := os.Stat(output); err == nil {
		return nil
	}
	return n.progress.step("making the image of the pods' first process", 10*time.Second, func() error {
		return run(ctx, "go", "-C", filepath.Join(n.layout.repository, "hack", "tools"), "run", "./image",
			"--binary="+filepath.Join(s.Binaries, "pause"), "--name="+s.PauseImage, "--entrypoint=/pause", "--output="+output)
	})
}

// startGroup starts those that do not run, all at once, and waits until every one is well.
func (n native) startGroup(ctx context.Context, s settings, client *http.Client, group []component) error {
	starts, ctx := errgroup.WithContext(ctx)
	for _, c := range group {
		starts.Go(func() error {
			p, err := readProcess(n.pidFile(c.name))
			if err == nil && p.alive() && c.healthy(ctx, client) == nil {
				return n.started(ctx, s, c)
			}
			return n.progress.step("starting "+c.name, 0, func() error { return n.start(ctx, s, client, c) })
		})
	}
	return starts.Wait()
}

func (n native) start(ctx context.Context, s settings, client *http.Client, c component) error {
	program := filepath.Join(s.Binaries, c.name)
	if c.name == "volumes" {
		var err error
		if program, err = n.ownProgram(); err != nil {
			return err
		}
	}
	p, err := readProcess(n.pidFile(c.name))
	if err != nil || !p.alive() {
		if p, err = startProcess(c.name, n.pidFile(c.name), n.layout.log(c.name), c.env, program, c.args...); err != nil {
			return err
		}
	}
	healthy := func(ctx context.Context) error {
		switch {
		case !p.alive():
			return fmt.Errorf("%s: %w", c.name, errEnded)
		case c.name == "containerd":
			return n.ctr(ctx, s, "version")
		}
		return c.healthy(ctx, client)
	}
	err = poll(ctx, time.Minute, healthy)
	if err != nil {
		return fmt.Errorf("%w (its log: %s)", err, n.layout.log(c.name))
	}
	return n.started(ctx, s, c)
}

// started does what the components after this one need of it.
func (n native) started(ctx context.Context, s settings, c component) error {
	switch c.name {
	case "containerd":
		return n.ctr(ctx, s, "images", "import", filepath.Join(s.Binaries, "pause.tar"))
	case "kube-apiserver":
		// It makes the namespace kube-system a moment after it is ready.
		return poll(ctx, time.Minute, func(ctx context.Context) error {
			addons := n.layout.in("config", "addons.yaml")
			return runQuietly(n.kubectl(ctx, s, "apply", "--server-side", "--force-conflicts", "--filename="+addons))
		})
	}
	return nil
}

// ownProgram copies this program to a place that stays: `go run` removes the one that it made.
func (n native) ownProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	path := n.layout.run("cluster")
	return path, os.WriteFile(path, content, 0o700) //nolint:gosec // it is a program
}

// healthy says what is wrong with the cluster, if anything.
func (n native) healthy(ctx context.Context, s settings) error {
	client, err := s.healthClient()
	if err != nil {
		return err
	}
	for _, c := range slices.Concat(s.components(n.layout)...) {
		p, err := readProcess(n.pidFile(c.name))
		if err != nil {
			return err
		}
		if !p.alive() {
			return fmt.Errorf("%s: %w", c.name, errEnded)
		}
		if err := c.healthy(ctx, client); err != nil {
			return err
		}
	}
	return n.nodeReady(ctx, s)
}

// nodeReady wants a word of the kubelet that runs now: the API server remembers that of the one before.
func (n native) nodeReady(ctx context.Context, s settings) error {
	pidFile, err := os.Stat(n.pidFile("kubelet"))
	if err != nil {
		return fmt.Errorf("find the kubelet: %w", err)
	}
	const ready = "{.status.conditions[?(@.type=='Ready')]['status','lastHeartbeatTime']}"
	output, err := n.kubectl(ctx, s, "get", "node", s.Node, "--output=jsonpath="+ready).Output()
	if err != nil {
		return fmt.Errorf("read the node: %w", err)
	}
	status, heartbeat, _ := strings.Cut(string(output), " ")
	at, err := time.Parse(time.RFC3339, heartbeat)
	if err != nil {
		return fmt.Errorf("read the node's heartbeat: %w", err)
	}
	if status != "True" || at.Before(pidFile.ModTime().Truncate(time.Second)) {
		return errors.New("the node is not ready")
	}
	return nil
}

func (n native) kubectl(ctx context.Context, s settings, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, filepath.Join(s.Binaries, "kubectl"), append([]string{"--kubeconfig=" + n.layout.kubeconfig()}, args...)...)
}

func (n native) ctr(ctx context.Context, s settings, args ...string) error {
	return run(ctx, filepath.Join(s.Binaries, "ctr"), append([]string{"--address=" + n.layout.containerdSocket(), "--namespace=k8s.io"}, args...)...)
}

// load imports image tarballs.
func (n native) load(ctx context.Context, tarballs []string) error {
	s, err := n.settings()
	if err != nil {
		return err
	}
	for _, tarball := range tarballs {
		if err := n.progress.step("loading "+tarball, 0, func() error { return n.ctr(ctx, s, "images", "import", tarball) }); err != nil {
			return err
		}
	}
	return nil
}

// down stops what up started, group by group in reverse, and takes back what it did to the machine. Objects, images and
// volumes stay unless purge is asked for. It can be repeated, and is no error for a cluster that is down.
func (n native) down(ctx context.Context, purge bool) error {
	s, err := n.settings()
	if err != nil {
		return err
	}
	groups := s.components(n.layout)
	slices.Reverse(groups)
	err = n.progress.step("stopping the cluster", 5*time.Second, func() error {
		for _, group := range groups {
			if err := n.stopGroup(ctx, group); err != nil {
				return err
			}
		}
		return cleanUp(ctx, n.layout)
	})
	if err != nil || !purge || !n.layout.isCluster() {
		return err
	}
	return os.RemoveAll(n.layout.state)
}

func (n native) stopGroup(ctx context.Context, group []component) error {
	var stops errgroup.Group
	for _, c := range group {
		stops.Go(func() error {
			p, err := readProcess(n.pidFile(c.name))
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			return p.stop(ctx, 5*time.Second)
		})
	}
	return stops.Wait()
}

func (n native) hostAddress(context.Context) (string, error) {
	s, err := n.settings()
	return s.BridgeAddress, err
}
