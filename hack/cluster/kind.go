// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// kind runs the cluster in a container of Docker's, for machines where native cannot. It has no audit log.
type kind struct {
	layout   layout
	progress *progress
}

const kindCluster = "feedbackbridge"

// kindCapable says whether kind and a running Docker are there.
func kindCapable(ctx context.Context) bool {
	return command("kind")(ctx) && run(ctx, "docker", "info") == nil
}

func (k kind) up(ctx context.Context) error {
	clusters, err := exec.CommandContext(ctx, "kind", "get", "clusters").Output()
	if err != nil {
		return fmt.Errorf("ask kind for its clusters: %w", err)
	}
	for name := range strings.FieldsSeq(string(clusters)) {
		if name == kindCluster {
			k.progress.say("the cluster is up (kind): kubeconfig %s", k.layout.kubeconfig())
			return run(ctx, "kind", "export", "kubeconfig", "--name="+kindCluster, "--kubeconfig="+k.layout.kubeconfig())
		}
	}
	return k.progress.step("creating a cluster with kind", 2*time.Minute, func() error {
		return run(ctx, "kind", "create", "cluster", "--name="+kindCluster, "--kubeconfig="+k.layout.kubeconfig(), "--wait=3m")
	})
}

// down deletes the cluster; kind keeps no state that could be left.
func (k kind) down(ctx context.Context, _ bool) error {
	if !k.layout.isCluster() {
		return nil
	}
	err := k.progress.step("deleting the cluster of kind", 10*time.Second, func() error {
		return run(ctx, "kind", "delete", "cluster", "--name="+kindCluster, "--kubeconfig="+k.layout.kubeconfig())
	})
	return errors.Join(err, os.RemoveAll(k.layout.state))
}

func (k kind) load(ctx context.Context, tarballs []string) error {
	for _, tarball := range tarballs {
		err := k.progress.step("loading "+tarball, 0, func() error {
			return run(ctx, "kind", "load", "image-archive", "--name="+kindCluster, tarball)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (k kind) status(ctx context.Context, w io.Writer) error {
	nodes, err := exec.CommandContext(ctx, "kind", "get", "nodes", "--name="+kindCluster).Output()
	if err != nil {
		return fmt.Errorf("ask kind for the nodes: %w", err)
	}
	_, err = fmt.Fprintf(w, "provider    kind\nkubeconfig  %s\nnodes       %s", k.layout.kubeconfig(), nodes)
	return err
}

// hostAddress is the gateway of kind's network, at which Docker's machine answers.
func (k kind) hostAddress(ctx context.Context) (string, error) {
	const format = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
	output, err := exec.CommandContext(ctx, "docker", "network", "inspect", "kind", "--format="+format).Output()
	if err != nil {
		return "", fmt.Errorf("ask Docker for kind's network: %w", err)
	}
	for address := range strings.FieldsSeq(string(output)) {
		if !strings.Contains(address, ":") {
			return address, nil
		}
	}
	return "", errors.New("kind's network has no IPv4 gateway")
}
