// SPDX-License-Identifier: Apache-2.0

// Command cluster runs a real Kubernetes on one Linux machine, built from Go modules: no container engine, no registry.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// exitIncapable is the exit code that tells callers that the machine cannot run a cluster at all.
const exitIncapable = 3

// provider is a way to run the cluster.
type provider interface {
	up(ctx context.Context) error
	down(ctx context.Context, purge bool) error
	status(ctx context.Context, w io.Writer) error
	load(ctx context.Context, tarballs []string) error
	// hostAddress is where pods reach processes of this machine.
	hostAddress(ctx context.Context) (string, error)
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		if isIncapable(err) {
			os.Exit(exitIncapable)
		}
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A real Kubernetes on this machine, for demos and tests",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), downCommand(), statusCommand(), loadCommand(), kubeconfigCommand(), hostAddressCommand(),
		binariesCommand(), volumesCommand())
	return root
}

func upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Build what is missing and start the cluster; seconds when it is up",
		Long: "Build what is missing and start the cluster.\n\nExits with code 3 and one line on stderr where the machine cannot run one " +
			"(go run turns that into 1: build this program to tell them apart).",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return locked(func(l layout, p *progress) error {
				chosen, err := choose(cmd.Context(), l, p)
				if err != nil {
					return err
				}
				return chosen.up(cmd.Context())
			})
		},
	}
}

func downCommand() *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop what up started; objects, images and volumes stay for the next up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return locked(func(l layout, p *progress) error { return inUse(l, p).down(cmd.Context(), purge) })
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove objects, images and volumes too (the built programs stay)")
	return cmd
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the components, addresses and versions; fails when the cluster is not well", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := findLayout()
			if err != nil {
				return err
			}
			return inUse(l, newProgress(os.Stderr)).status(cmd.Context(), cmd.OutOrStdout())
		},
	}
}

func loadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "load IMAGE.tar...", Short: "Give the node images from docker-archive or OCI tarballs", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, tarballs []string) error {
			l, err := findLayout()
			if err != nil {
				return err
			}
			return inUse(l, newProgress(os.Stderr)).load(cmd.Context(), tarballs)
		},
	}
}

func kubeconfigCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig", Short: "Print the path of the cluster's own kubeconfig", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := findLayout()
			if err != nil {
				return err
			}
			if _, err := os.Stat(l.kubeconfig()); err != nil {
				return fmt.Errorf("there is no cluster yet, see `cluster up`: %w", err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), l.kubeconfig())
			return err
		},
	}
}

func hostAddressCommand() *cobra.Command {
	return &cobra.Command{
		Use: "host-address", Short: "Print the address at which pods reach processes of this machine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := findLayout()
			if err != nil {
				return err
			}
			address, err := inUse(l, newProgress(os.Stderr)).hostAddress(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), address)
			return err
		},
	}
}

func binariesCommand() *cobra.Command {
	var names []string
	for _, b := range binaries {
		names = append(names, b.name)
	}
	return &cobra.Command{
		Use:   "binaries [NAME...]",
		Short: "Build the programs, or the named ones, and print their folder (it serves as KUBEBUILDER_ASSETS)",
		Long:  "Build the programs, or the named ones, and print their folder. There are: " + strings.Join(names, ", "),
		RunE: func(cmd *cobra.Command, names []string) error {
			wanted, err := selectBinaries(names)
			if err != nil {
				return err
			}
			l, err := findLayout()
			if err != nil {
				return err
			}
			folder, err := buildBinaries(cmd.Context(), l, newProgress(os.Stderr), wanted)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), folder)
			return err
		},
	}
}

// volumesCommand is what up runs as one of the cluster's processes.
func volumesCommand() *cobra.Command {
	var kubeconfig, folder, class string
	cmd := &cobra.Command{
		Use: "provision-volumes", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("read kubeconfig: %w", err)
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return fmt.Errorf("make a client: %w", err)
			}
			return provisionVolumes(cmd.Context(), client, folder, class)
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig file")
	cmd.Flags().StringVar(&folder, "folder", "", "where the volumes' folders are made")
	cmd.Flags().StringVar(&class, "storage-class", "local", "storage class to serve")
	return cmd
}

// locked runs work while no other up or down of this user's runs.
func locked(work func(layout, *progress) error) error {
	l, err := findLayout()
	if err != nil {
		return err
	}
	p := newProgress(os.Stderr)
	unlock, err := lock(l.state+".lock", func() { p.say("waiting for another up or down ...") })
	if err != nil {
		return err
	}
	defer unlock()
	return work(l, p)
}

// choose takes the provider that is in use, or else native where the machine is up to it, or else kind.
func choose(ctx context.Context, l layout, p *progress) (provider, error) {
	if l.isCluster() {
		return inUse(l, p), nil
	}
	name, err := "native", nativeCapable(ctx, p)
	if isIncapable(err) && kindCapable(ctx) {
		p.say("%v: using kind", err)
		name, err = "kind", nil
	}
	if err != nil {
		return nil, err
	}
	if err := l.claim(name); err != nil {
		return nil, err
	}
	return inUse(l, p), nil
}

// inUse is the provider that up chose; native before any up.
func inUse(l layout, p *progress) provider {
	name, err := os.ReadFile(l.providerFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.say("the record of the provider cannot be read (%v): taking native", err)
	}
	if string(name) == "kind" {
		return kind{layout: l, progress: p}
	}
	return native{layout: l, progress: p}
}
