// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// testPatience bounds the wait for a test message: the bot waits for a place within Telegram's limits.
const testPatience = 2 * time.Minute

type sendTestOptions struct{ text, format string }

func sendTestCommand(connect connector) *cobra.Command {
	var flags connectFlags
	var o sendTestOptions
	cmd := &cobra.Command{
		Use:   "send-test NAME",
		Short: "Have the running bot post a test message to the chat",
		Long: "Have the running bot post a test message to the chat: that proves its token, its rights, Telegram's limits and the way there.\n\n" +
			"The message is no ticket, and the site does not hear of it.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := connect(&flags, cmd)
			if err != nil {
				return err
			}
			return s.sendTest(cmd.Context(), args[0], o)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&o.text, "text", "", "words of your own to add to the message")
	formatFlag(cmd, &o.format, formatJSON)
	return cmd
}

// testResult is what the bot says of a test message: it was posted where messageID is not 0.
type testResult struct {
	ChatID    int64     `json:"chatID,omitempty"`
	MessageID int64     `json:"messageID,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Reason    string    `json:"reason,omitempty"`
	Message   string    `json:"message,omitempty"`
}

func (s *session) sendTest(ctx context.Context, name string, o sendTestOptions) error {
	args := []string{"-o", formatJSON}
	var stdin string
	if text := line(o.text); text != "" {
		// By standard input: a command's arguments stand in the API server's audit log.
		args, stdin = append(args, "--text", "-"), text+"\n"
	}
	result, b, err := askActive[testResult](ctx, s, name, testPatience, "send-test", args, stdin)
	if err != nil {
		return err
	}
	if o.format == formatJSON {
		err = printJSON(s.out, result)
	} else if result.MessageID != 0 {
		chat := fmt.Sprint("chat ", result.ChatID)
		if title := telegramOf(b).ChatTitle; title != "" {
			chat = fmt.Sprintf("%q (%d)", line(title), result.ChatID)
		}
		_, err = fmt.Fprintf(s.out, "Posted to %s as message %d.\n", chat, result.MessageID)
	}
	if err == nil && result.MessageID == 0 {
		err = errors.New("not posted: " + cmp.Or(line(result.Message), line(result.Reason), "the bot does not say why"))
	}
	return err
}
