// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

func backupCommand() *cobra.Command {
	var state, output string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Copy the database in the state directory, as of one moment",
		Long: "Copy the database in the state directory, as of one moment, while the bot works or not.\n\n" +
			"The copy holds what people wrote. A bot with a PostgreSQL database is backed up with pg_dump.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output == "-" {
				return backupTo(cmd, state)
			}
			if err := explainBackup(store.Backup(cmd.Context(), state, output)); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.ErrOrStderr(), "written to %s\n", output)
			return err
		},
	}
	stateFlag(cmd, &state)
	cmd.Flags().StringVar(&output, "output", "", "file to write, which must not be there yet; - writes to standard output")
	if err := cmd.MarkFlagRequired("output"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

// backupTo writes the copy to standard output. It is made in the state directory, which has room for a database.
func backupTo(cmd *cobra.Command, state string) (err error) {
	dir, err := os.MkdirTemp(state, "backup-")
	if err != nil {
		return fmt.Errorf("make room for the copy: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, "copy")
	if err := explainBackup(store.Backup(cmd.Context(), state, copied)); err != nil {
		return err
	}
	f, err := os.Open(copied) // #nosec G304 -- made above
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(cmd.OutOrStdout(), f)
	return err
}

// explainBackup says what to do where there is no database to copy.
func explainBackup(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; a bot with a PostgreSQL database is backed up with pg_dump", err)
	}
	return err
}

func restoreCommand() *cobra.Command {
	var state, input string
	var replace bool
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Put a backup into the state directory of a bot that does not run",
		Long: "Put a backup into the state directory of a bot that does not run.\n\n" +
			"Tickets that waited to be posted when the backup was made say that they may be a repeat, and tickets are numbered with a gap, " +
			"so that no name is given twice. A bot with a PostgreSQL database is restored with pg_restore.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			from := cmd.InOrStdin()
			if input != "-" {
				f, err := os.Open(input) // #nosec G304 -- the person's own choice
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				from = f
			}
			err = store.Restore(cmd.Context(), state, from, replace)
			switch {
			case errors.Is(err, store.ErrOccupied):
				return fmt.Errorf("%w: --replace sets it aside", err)
			case errors.Is(err, store.ErrInUse):
				return fmt.Errorf("%w: stop it first", err)
			case err != nil:
				return err
			}
			_, err = fmt.Fprintln(cmd.ErrOrStderr(), "restored")
			return err
		},
	}
	stateFlag(cmd, &state)
	cmd.Flags().StringVar(&input, "input", "", "file to read; - reads standard input")
	cmd.Flags().BoolVar(&replace, "replace", false, "set a database aside that is there")
	if err := cmd.MarkFlagRequired("input"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}
