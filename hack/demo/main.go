// SPDX-License-Identifier: Apache-2.0

// Command demo shows the whole system on this machine: a local cluster, the operator, a simulated site and a simulated
// Telegram, the sample bridge, and sample feedback on its way.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const (
	namespace         = "feedbackbridge-demo"
	operatorNamespace = "feedbackbridge-system"
	bridge            = "shop"
	// exitIncapable is the exit code of hack/cluster on a machine that cannot run one.
	exitIncapable = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := &cobra.Command{Use: "demo", Short: "Show the whole system on this machine", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(
		&cobra.Command{Use: "up", Short: "Start everything and carry sample feedback", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return up(cmd.Context()) }},
		&cobra.Command{Use: "down", Short: "Stop everything", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return down(cmd.Context()) }},
	)
	err := root.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

var began = time.Now()

// step tells what is being done, and how long it usually takes.
func step(format string, args ...any) {
	fmt.Printf("\n== [%4.0fs] %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}

func up(ctx context.Context) error {
	step("local cluster (20 seconds; 10 minutes the first time)")
	err := run(ctx, "bin/cluster", "up")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitIncapable {
		fmt.Println("\nLEFT OUT: Kubernetes and the operator, for the reason above. The bot runs without them.")
		return standalone(ctx)
	}
	if err != nil {
		return err
	}
	k, err := findCluster(ctx)
	if err != nil {
		return err
	}
	step("images, operator, simulated site and Telegram (20 seconds)")
	if err := install(ctx, k); err != nil {
		return err
	}
	step("the bridge becomes Ready (10 seconds)")
	if err := k.kubectl(ctx, "-n", namespace, "wait", "feedbackbridge/"+bridge, "--for=condition=Ready", "--timeout=90s"); err != nil {
		return err
	}
	stopForwards()
	site, err := forward(ctx, k, "site", 8082)
	if err != nil {
		return err
	}
	telegram, err := forward(ctx, k, "telegram", 8081)
	if err != nil {
		return err
	}
	if err := carry(ctx, site, telegram); err != nil {
		return err
	}
	step("kubectl get fbb")
	if err := k.kubectl(ctx, "-n", namespace, "get", "feedbackbridges"); err != nil {
		return err
	}
	fmt.Printf(`
Look around:
  the chat       %s        (press buttons, write to the bot)
  the site       %s        (a form to send feedback)
  the cluster    export KUBECONFIG=%s PATH=%s:$PATH
                 kubectl -n %s describe fbb %s
                 kubectl -n %s logs deployment/%s-bot
Stop it all:     make demo-down
`, telegram, site, k.kubeconfig, k.binaries, namespace, bridge, namespace, bridge)
	return nil
}

// install brings images and objects into the cluster. It can be repeated.
func install(ctx context.Context, k *cluster) error {
	if err := run(ctx, "bin/cluster", "load", "bin/images/operator.tar", "bin/images/bot.tar", "bin/images/sim.tar"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "--force-conflicts", "-k", "config/default"},
		{"apply", "--server-side", "--force-conflicts", "-k", "hack/demo"},
		{"-n", operatorNamespace, "rollout", "status", "deployment", "--timeout=120s"},
		{"-n", namespace, "rollout", "status", "deployment/site", "--timeout=60s"},
		{"-n", namespace, "rollout", "status", "deployment/telegram", "--timeout=60s"},
	} {
		if err := k.kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func down(ctx context.Context) error {
	stopForwards()
	k, err := findCluster(ctx)
	if err == nil {
		step("removing the demonstration's objects")
		err = k.kubectl(ctx, "delete", "--ignore-not-found", "-k", "hack/demo")
	}
	if err != nil {
		fmt.Println("the demonstration's objects were not removed:", err)
	}
	step("local cluster")
	return run(ctx, "bin/cluster", "down")
}

// run runs a program with its output in view.
func run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return nil
}
