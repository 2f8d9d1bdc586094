// SPDX-License-Identifier: Apache-2.0

// Command load measures the operator with thousands of bridges: the real program on a real API server and etcd, beside a
// bare client that writes the same objects to another API server, by turns with it. It prints the table of
// docs/performance.md. It is run in the repository's root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/feedbackbridge/feedbackbridge/hack/cli"
)

type options struct {
	bridges    int
	namespaces int
	others     int
	inFlight   int
	changes    int
	settled    time.Duration
	patience   time.Duration
	operator   string
}

func main() { cli.Main(command()) }

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Measure the operator with thousands of bridges",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), o.patience)
			defer cancel()
			return run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.bridges, "bridges", 2000, "how many bridges")
	f.IntVar(&o.namespaces, "namespaces", 100, "over how many namespaces they are spread")
	f.IntVar(&o.others, "other-secrets", 2000, "how many Secrets there are that no bridge refers to, half of them Helm's")
	f.IntVar(&o.inFlight, "in-flight", 8, "how many requests the bare client has under way, and how many bridges the operator works on at a time")
	f.IntVar(&o.changes, "changes", 300, "how many Secrets are changed, one after the other")
	f.DurationVar(&o.settled, "settled", 10*time.Minute, "how long settled bridges are watched for writes")
	f.DurationVar(&o.patience, "patience", 30*time.Minute, "how long everything may take")
	f.StringVar(&o.operator, "operator", "", "the operator's program; built from this repository unless given")
	return cmd
}

func run(ctx context.Context, o options) (err error) {
	if err := findBinaries(ctx); err != nil {
		return err
	}
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "fbb-load-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.operator == "" {
		o.operator = filepath.Join(dir, "feedbackbridge-operator")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", o.operator, ".")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build the operator: %w", err)
		}
	}
	r := newReport(o)
	recorded, err := record(ctx, o, filepath.Join(dir, "record"), r)
	if err != nil {
		return fmt.Errorf("record what the operator applies: %w", err)
	}
	if err := measureOperator(ctx, o, dir, recorded, r); err != nil {
		return fmt.Errorf("measure the operator: %w", err)
	}
	return r.print(os.Stdout)
}

// findBinaries sees that KUBEBUILDER_ASSETS names a folder with kube-apiserver and etcd: what hack/cluster builds, unless given.
func findBinaries(ctx context.Context) error {
	const variable = "KUBEBUILDER_ASSETS"
	if os.Getenv(variable) != "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./hack/cluster", "binaries", "kube-apiserver", "etcd", "kubectl")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("no kube-apiserver to measure with: set %s, or mend `%s`: %w", variable, strings.Join(cmd.Args, " "), err)
	}
	return os.Setenv(variable, strings.TrimSpace(string(out)))
}

// progress tells a person who waits what is being done.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
