// SPDX-License-Identifier: Apache-2.0

// Command sim runs the project's simulators, which stand in for the world around the bot in tests and demonstrations:
//
//	go run ./hack/sim telegram --listen 127.0.0.1:8081 --chat -1001234567890:Support
//
// They are test equipment and no part of the product.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "sim", Short: "Simulators for tests and demonstrations",
		SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(telegramCommand(), siteCommand())
	return root.ExecuteContext(ctx)
}
