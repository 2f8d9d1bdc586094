// SPDX-License-Identifier: Apache-2.0

// Command sim runs the project's simulators, which stand in for the world around the bot in tests and demonstrations:
//
//	go run ./hack/sim telegram --listen 127.0.0.1:8081 --chat -1001234567890:Support
//
// They are test equipment and no part of the product.
package main

import (
	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/hack/cli"
)

func main() {
	root := &cobra.Command{Use: "sim", Short: "Simulators for tests and demonstrations"}
	root.AddCommand(telegramCommand(), siteCommand())
	cli.Main(root)
}
