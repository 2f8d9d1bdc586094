// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// outputJSON is the value of --output that asks for JSON.
const outputJSON = "json"

// outputFlag adds --output, which is empty or outputJSON.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "", "json, or empty for text")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *output != "" && *output != outputJSON {
			return fmt.Errorf("--output %q: json is all there is", *output)
		}
		return nil
	}
}

// maxListed bounds what the tickets command lists.
const maxListed = 1000

func ticketsCommand() *cobra.Command {
	var state, output string
	var pending, failed bool
	limit := 20
	cmd := &cobra.Command{
		Use:   "tickets",
		Short: "List the newest tickets in the bot's store, without what people wrote",
		Long: "List the newest tickets in the bot's store: their numbers, states and times, and nothing of what people wrote or who they are.\n\n" +
			"The bot that runs in the state directory is asked. Where none runs, the database in the directory is opened for reading only.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := store.Filter{Limit: min(max(limit, 1), maxListed)}
			switch {
			case pending:
				filter.State = store.StatePending
			case failed:
				filter.State = store.StateFailed
			}
			list, err := listTickets(cmd.Context(), state, filter)
			if err != nil {
				return err
			}
			if output == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(list)
			}
			return printTickets(cmd.OutOrStdout(), list)
		},
	}
	stateFlag(cmd, &state)
	outputFlag(cmd, &output)
	cmd.Flags().IntVar(&limit, "limit", limit, fmt.Sprintf("how many to list, at most %d", maxListed))
	cmd.Flags().BoolVar(&pending, "pending", false, "those that wait to be posted")
	cmd.Flags().BoolVar(&failed, "failed", false, "those that Telegram refused for good")
	cmd.MarkFlagsMutuallyExclusive("pending", "failed")
	return cmd
}

// listTickets asks the running bot, whose store may be anywhere; without one it reads the database in the directory.
func listTickets(ctx context.Context, state string, filter store.Filter) (list store.TicketList, err error) {
	err = health.Call(ctx, state, callTickets, filter, &list)
	if errors.Is(err, health.ErrNoBot) {
		return store.ListTickets(ctx, state, filter)
	}
	return list, err
}

// maxCategory bounds a category of the site's own in the list, in UTF-16 units.
const maxCategory = 40

func printTickets(out io.Writer, list store.TicketList) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "TICKET\tSTATE\tSTATUS\tCATEGORY\tRECEIVED\tPOSTED\tMESSAGE")
	for _, t := range list.Tickets {
		posted, message := "-", "-"
		if t.State == store.StatePosted {
			posted, message = t.SettledAt.Format(time.RFC3339), fmt.Sprint(t.MessageID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.State, t.Status, cmp.Or(ticket.Line(t.Category, maxCategory), "-"),
			t.ReceivedAt.Format(time.RFC3339), posted, message)
	}
	return w.Flush()
}
