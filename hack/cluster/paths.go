// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// shimSockets is the one folder of ours outside of the state folder.
const shimSockets = "/run/feedbackbridge-cluster"

const modulePath = "github.com/feedbackbridge/feedbackbridge"

// layout is where everything is. All of the cluster's own state is under state; nothing else of the machine's is used
// except what Kubernetes hard-codes (see sweep).
type layout struct {
	repository string // root of this repository
	cache      string // the user's cache folder for this project
	state      string // state of the cluster
}

// findLayout looks for the repository from the working directory upwards.
func findLayout() (layout, error) {
	dir, err := os.Getwd()
	if err != nil {
		return layout{}, fmt.Errorf("find the repository: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "cluster", "modules")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return layout{}, errors.New("run this inside the repository of " + modulePath)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return layout{}, fmt.Errorf("find the cache folder: %w", err)
	}
	cache = filepath.Join(cache, "feedbackbridge")
	state := os.Getenv("FEEDBACKBRIDGE_CLUSTER_DIR")
	if state == "" {
		state = filepath.Join(cache, "cluster")
	}
	if state, err = filepath.Abs(state); err != nil {
		return layout{}, fmt.Errorf("FEEDBACKBRIDGE_CLUSTER_DIR: %w", err)
	}
	return layout{repository: dir, cache: cache, state: state}, nil
}

// in is a path in the cluster's state folder.
func (l layout) in(elem ...string) string {
	return filepath.Join(append([]string{l.state}, elem...)...)
}

func (l layout) modules() string    { return filepath.Join(l.repository, "hack", "cluster", "modules") }
func (l layout) kubeconfig() string { return l.in("kubeconfig") }
func (l layout) auditLog() string   { return l.in("audit.log") }
func (l layout) log(component string) string {
	return l.in("log", component+".log")
}

// isCluster says whether the state folder is one of ours: the file is written first and holds the provider's name.
func (l layout) isCluster() bool {
	_, err := os.Stat(l.providerFile())
	return err == nil
}
func (l layout) providerFile() string { return l.in("provider") }

// claim makes the state folder, for a provider. It refuses a folder in which something else is: purge removes it whole.
func (l layout) claim(provider string) error {
	if err := os.MkdirAll(l.state, 0o755); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	entries, err := os.ReadDir(l.state)
	if err != nil {
		return fmt.Errorf("read the state folder: %w", err)
	}
	if len(entries) > 0 && !l.isCluster() {
		return fmt.Errorf("%s holds something else: choose an empty folder for the cluster's state", l.state)
	}
	if err := os.WriteFile(l.providerFile(), []byte(provider), 0o600); err != nil {
		return fmt.Errorf("record the provider: %w", err)
	}
	return nil
}

// run holds what a reboot would lose; it is removed whenever the cluster goes down.
func (l layout) run(elem ...string) string {
	return l.in(append([]string{"run"}, elem...)...)
}
func (l layout) containerdSocket() string { return l.run("containerd.sock") }
