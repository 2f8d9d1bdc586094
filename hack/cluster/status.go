// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// status prints one screen about the cluster and returns an error when it is not well.
func (n native) status(ctx context.Context, w io.Writer) error {
	s, err := n.settings()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	client, clientErr := s.healthClient()
	fmt.Fprintln(table, "COMPONENT\tPID\tHEALTH")
	for _, c := range slices.Concat(s.components(n.layout)...) {
		p, err := readProcess(n.pidFile(c.name))
		switch {
		case err != nil || !p.alive():
			fmt.Fprintf(table, "%s\t-\tdown\n", c.name)
			continue
		case clientErr != nil:
			err = clientErr
		default:
			err = c.healthy(ctx, client)
		}
		health := "ok"
		if err != nil {
			health = err.Error()
		}
		fmt.Fprintf(table, "%s\t%d\t%s\n", c.name, p.PID, health)
	}
	node := "Ready"
	unwell := n.healthy(ctx, s)
	if err := n.nodeReady(ctx, s); err != nil {
		node = "not ready"
	}
	for _, line := range [][2]string{
		{"", ""},
		{"node " + s.Node, node},
		{"API server", fmt.Sprintf("https://%s:%d, for pods https://%s", s.BridgeAddress, s.Ports.API, s.APIService)},
		{"this machine, for pods", s.BridgeAddress + " (" + s.Bridge + ")"},
		{"DNS, for pods", s.DNSService},
		{"storage class", s.StorageClass + " (default), in " + n.layout.in("volumes")},
		{"kubeconfig", n.layout.kubeconfig()},
		{"audit log", n.layout.auditLog()},
		{"logs", n.layout.in("log")},
		{"programs", s.Binaries},
		{"versions", strings.Join(versions(s.Binaries), ", ")},
	} {
		fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the status: %w", err)
	}
	return unwell
}

// versions reads, from the programs themselves, which modules they were built from.
func versions(folder string) []string {
	var found []string
	for _, program := range [][2]string{
		{"kube-apiserver", "k8s.io/kubernetes"}, {"etcd", "go.etcd.io/etcd/server/v3"}, {"coredns", "github.com/coredns/coredns"},
		{"containerd", "github.com/containerd/containerd/v2"}, {"runc", "github.com/opencontainers/runc"},
	} {
		info, err := buildinfo.ReadFile(filepath.Join(folder, program[0]))
		if err != nil {
			continue // not built yet
		}
		for _, dependency := range append(info.Deps, &info.Main) {
			if dependency.Path == program[1] {
				found = append(found, program[0]+" "+dependency.Version)
			}
		}
	}
	return found
}
