// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
)

// probeCommand asks the bot that runs in a state directory how it is. The kubelet runs it: the bot has no port to ask.
func probeCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:       "probe live|ready",
		Short:     "Ask the running bot whether it makes progress (live), or is connected to the site or stands by for the one that is (ready)",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"live", "ready"},
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := health.Ask(cmd.Context(), state)
			switch {
			case err != nil:
				return err
			case answer.Stuck != "":
				return fmt.Errorf("the bot makes no progress: %s", answer.Stuck)
			case args[0] == "ready" && !answer.Standby && !answer.Report.Site.OK:
				return errors.New(answer.Report.Site.Message)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return err
		},
	}
	stateFlag(cmd, &state)
	return cmd
}

func stateFlag(cmd *cobra.Command, state *string) {
	cmd.Flags().StringVar(state, "state", "", "the bot's state directory")
	if err := cmd.MarkFlagRequired("state"); err != nil {
		panic(err) // the flag was defined a line above
	}
}
