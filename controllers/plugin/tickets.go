// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listPatience bounds the wait for a list of tickets.
const listPatience = time.Minute

type ticketsOptions struct {
	limit           int
	pending, failed bool
	format          string
}

func ticketsCommand(connect connector) *cobra.Command {
	var flags connectFlags
	o := ticketsOptions{limit: 20}
	cmd := &cobra.Command{
		Use:   "tickets NAME",
		Short: "List the newest tickets of a bridge, without what people wrote",
		Long: "List the newest tickets in the bot's store: numbers, states and times, and nothing of what people wrote or who they are.\n\n" +
			"-o json prints {tickets, total}; total counts all that --pending or --failed let pass.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := connect(&flags, cmd)
			if err != nil {
				return err
			}
			return s.tickets(cmd.Context(), args[0], o)
		},
	}
	flags.register(cmd)
	cmd.Flags().IntVar(&o.limit, "limit", o.limit, "how many to list, at most 1000")
	cmd.Flags().BoolVar(&o.pending, "pending", false, "those that wait to be posted")
	cmd.Flags().BoolVar(&o.failed, "failed", false, "those that Telegram refused for good")
	cmd.MarkFlagsMutuallyExclusive("pending", "failed")
	formatFlag(cmd, &o.format, formatJSON)
	return cmd
}

// ticketList is what the bot's tickets command prints.
type ticketList struct {
	Tickets []ticketInfo `json:"tickets"`
	Total   int64        `json:"total"`
}

type ticketInfo struct {
	ID         string       `json:"id"`
	FeedbackID int64        `json:"feedbackID,omitempty"`
	State      string       `json:"state"`
	Status     string       `json:"status"`
	Category   string       `json:"category"`
	ReceivedAt metav1.Time  `json:"receivedAt"`
	SettledAt  *metav1.Time `json:"settledAt,omitempty"`
	ChatID     int64        `json:"chatID,omitempty"`
	MessageID  int64        `json:"messageID,omitempty"`
	Failure    string       `json:"failure,omitempty"`
}

// args are the arguments of the bot's tickets command.
func (o ticketsOptions) args() []string {
	args := []string{"-o", formatJSON, "--limit", strconv.Itoa(o.limit)}
	if o.pending {
		args = append(args, "--pending")
	}
	if o.failed {
		args = append(args, "--failed")
	}
	return args
}

func (s *session) tickets(ctx context.Context, name string, o ticketsOptions) error {
	list, _, err := askActive[ticketList](ctx, s, name, listPatience, "tickets", o.args(), "")
	if err != nil {
		return err
	}
	if o.format == formatJSON {
		return printJSON(s.out, list)
	}
	return printTicketList(s.out, list, o, s.now())
}

func printTicketList(out io.Writer, list ticketList, o ticketsOptions, now time.Time) error {
	if len(list.Tickets) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		fmt.Fprintln(w, "TICKET\tSTATE\tSTATUS\tCATEGORY\tRECEIVED\tPOSTED\tMESSAGE\tWHY")
		for _, t := range list.Tickets {
			posted, message := none, none
			if t.MessageID != 0 {
				posted, message = ago(now, t.SettledAt), strconv.FormatInt(t.MessageID, 10)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", line(t.ID), line(t.State), line(t.Status), cmp.Or(line(t.Category), none),
				ago(now, &t.ReceivedAt), posted, message, cmp.Or(line(t.Failure), none))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	_, err := fmt.Fprintln(out, ticketsVerdict(list, o))
	return err
}

// ticketsVerdict is one line about a list of tickets.
func ticketsVerdict(list ticketList, o ticketsOptions) string {
	kind := ""
	switch {
	case o.pending:
		kind = " waiting to be posted"
	case o.failed:
		kind = " refused by Telegram"
	}
	switch shown := int64(len(list.Tickets)); {
	case list.Total == 0:
		return "There are no tickets" + kind + "."
	case shown < list.Total:
		return fmt.Sprintf("The newest %d of %d tickets%s.", shown, list.Total, kind)
	case list.Total == 1:
		return "One ticket" + kind + "."
	default:
		return fmt.Sprintf("All %d tickets%s.", list.Total, kind)
	}
}
