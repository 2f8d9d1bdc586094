// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// callImport is the name of what the command asks of the running bot; importedAtOnce is how many uses go into one call.
const (
	callImport     = "import"
	importedAtOnce = 100
)

// importLegacy is the running bot's part.
func importLegacy(ctx context.Context, st *store.Store, l store.Legacy) (any, error) {
	return st.Import(ctx, l)
}

// importResult is what the command tells.
type importResult struct {
	store.Imported
	// Skipped is how many entries could not be read.
	Skipped int `json:"skipped"`
}

func importCommand() *cobra.Command {
	var state, logs, output string
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Take over the ticket numbers and the limits of users from the Python bot",
		Long: "Take over what the Python bot kept in its directory of logs: " + legacyCounters + ", from which tickets are numbered on, and " +
			legacyUses + ", by which users are limited.\n\n" +
			"The bot that runs in the state directory takes them over at once. Where none runs, they go to the database in the directory; " +
			"a bot with a PostgreSQL database has to run. To import twice does no harm.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := runImport(cmd.Context(), state, logs, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if output == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
			}
			return printImported(cmd.OutOrStdout(), result)
		},
	}
	stateFlag(cmd, &state)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&logs, "logs", "", "directory with the files; - reads a tar archive of it from standard input")
	if err := cmd.MarkFlagRequired("logs"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

func runImport(ctx context.Context, state, logs string, stdin io.Reader) (result importResult, err error) {
	var files legacyFiles
	if logs == "-" {
		files, err = readLegacyTar(stdin)
	} else {
		files, err = readLegacyDir(logs)
	}
	if err != nil {
		return result, err
	}
	legacy, skipped, err := files.parse(time.Now())
	if err != nil {
		return result, fmt.Errorf("nothing was imported:\n%w", err)
	}
	result.Skipped = skipped
	for first := true; first || len(legacy.Uses) > 0; first = false {
		part := store.Legacy{Counters: legacy.Counters, Uses: legacy.Uses[:min(len(legacy.Uses), importedAtOnce)]}
		legacy.Uses = legacy.Uses[len(part.Uses):]
		imported, err := importPart(ctx, state, part)
		if err != nil {
			return result, err
		}
		result.Counters = imported.Counters
		result.Uses += imported.Uses
	}
	return result, nil
}

// importPart gives a part to the running bot, or to the database where none runs.
func importPart(ctx context.Context, state string, part store.Legacy) (imported store.Imported, err error) {
	err = health.Call(ctx, state, callImport, part, &imported)
	if errors.Is(err, health.ErrNoBot) {
		return store.ImportDir(ctx, state, part)
	}
	return imported, err
}

func printImported(out io.Writer, r importResult) error {
	var errs []error
	for _, source := range []ticket.Source{ticket.SourceSite, ticket.SourceTelegram} {
		if number, found := r.Counters[source]; found {
			_, err := fmt.Fprintf(out, "the next ticket without a number is %s\n", ticket.ID(source, number+1))
			errs = append(errs, err)
		}
	}
	_, err := fmt.Fprintf(out, "%d uses of the last day were taken over, %d entries could not be read\n", r.Uses, r.Skipped)
	return errors.Join(slices.Concat(errs, []error{err})...)
}
