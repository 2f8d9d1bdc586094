// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
)

func retryCommand() *cobra.Command {
	var state, output string
	var all bool
	cmd := &cobra.Command{
		Use:   "retry [TICKET]",
		Short: "Have the running bot post tickets again that Telegram refused",
		Long: "Have the running bot post a ticket again that Telegram refused, such as ticket_site_123, or all of them. " +
			"The site is told how it ended this time.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return errors.New("name either one ticket or --all")
			}
			request := retryRequest{All: all}
			if !all {
				request.Ticket = args[0]
			}
			var result retryResult
			if err := health.Call(cmd.Context(), state, callRetry, request, &result); err != nil {
				return err
			}
			if output == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
			}
			if result.Retried == 0 && !all {
				return fmt.Errorf("%s is no ticket that Telegram refused", request.Ticket)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d to be posted again\n", result.Retried)
			return err
		},
	}
	stateFlag(cmd, &state)
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&all, "all", false, "all that Telegram refused")
	return cmd
}
