// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/telegram"
)

// tester posts test messages through the bot's Telegram side, once there is one: a standby has none.
type tester struct{ chat atomic.Pointer[telegram.Bot] }

func (t *tester) send(ctx context.Context, r health.TestRequest) health.TestResult {
	chat := t.chat.Load()
	if chat == nil {
		return health.TestResult{Reason: v1alpha1.ReasonConnecting, Message: "this bot is not the active one: it waits for its lease"}
	}
	posted, err := chat.SendTest(ctx, r.Text)
	if err != nil {
		result := health.TestResult{Message: err.Error()}
		if refused := (*telegram.TestError)(nil); errors.As(err, &refused) {
			result.Reason = refused.Reason
		}
		return result
	}
	return health.TestResult{ChatID: posted.ChatID, MessageID: posted.MessageID, At: posted.At.UTC()}
}

func sendTestCommand() *cobra.Command {
	var state, text, output string
	cmd := &cobra.Command{
		Use:   "send-test",
		Short: "Have the running bot post a test message to the chat, and say what Telegram made of it",
		Long: "Have the bot that runs in the state directory post a test message to the chat, and say what Telegram made of it.\n\n" +
			"The message is no ticket, and the site does not hear of it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if text == "-" {
				line, err := readLine(cmd.InOrStdin())
				if err != nil {
					return fmt.Errorf("read the text: %w", err)
				}
				text = line
			}
			result, err := health.SendTest(cmd.Context(), state, health.TestRequest{Text: text})
			if err != nil {
				return err
			}
			if output == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
			}
			if result.MessageID == 0 {
				return errors.New(cmp.Or(result.Message, "the message was not posted"))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "posted to chat %d as message %d\n", result.ChatID, result.MessageID)
			return err
		},
	}
	stateFlag(cmd, &state)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&text, "text", "", "words of your own to add to the message; - reads a line from standard input")
	return cmd
}

// maxLine bounds a line of standard input.
const maxLine = 8 << 10

// readLine reads up to the first end of a line, or the end of the input.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(line, "\n"), nil
}
