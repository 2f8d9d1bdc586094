// SPDX-License-Identifier: Apache-2.0

// Command feedbackbridge-bot is the bot that carries a site's feedback to a Telegram chat. The operator runs it in a pod;
// it runs the same way, by the same files, without Kubernetes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // posts carry dates in the spec's time zone; the image has no zone files

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "feedbackbridge-bot:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "feedbackbridge-bot",
		Short:         "Carries a web site's feedback to a Telegram chat",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), probeCommand(), doctorCommand(), ticketsCommand(), sendTestCommand(),
		retryCommand(), importCommand(), backupCommand(), restoreCommand())
	return root
}
