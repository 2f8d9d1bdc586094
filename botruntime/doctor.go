// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/site"
	"github.com/feedbackbridge/feedbackbridge/botruntime/telegram"
)

func doctorCommand() *cobra.Command {
	var f files
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the token, the chat, the bot's rights in it and the site's handshake, and say what to mend",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bridge, err := loadManifest(f.bridge)
			if err != nil {
				return err
			}
			s, err := newSettings(bridge)
			if err != nil {
				return err
			}
			creds, err := openCredentials(f.credentials, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			s.telegram.Token = creds.current().telegramToken
			s.site.Credentials = func() site.Credentials { return creds.current().site }
			return examine(cmd, s)
		},
	}
	inputFlags(cmd, &f)
	return cmd
}

// errSick is the verdict on a bridge that does not work; what is wrong was said before.
var errSick = errors.New("something has to be mended, see above")

func examine(cmd *cobra.Command, s settings) error {
	d := diagnosis{out: cmd.OutOrStdout()}
	for _, f := range telegram.Check(cmd.Context(), s.telegram) {
		d.report(f.OK, "telegram", f.What+": "+f.Message)
	}
	passed, err := site.Check(cmd.Context(), s.site)
	for _, message := range passed {
		d.report(true, "site", message)
	}
	if err != nil {
		d.report(false, "site", err.Error())
	}
	return d.verdict()
}

// diagnosis prints findings as they come, and remembers whether anything is wrong.
type diagnosis struct {
	out  io.Writer
	sick bool
	err  error
}

func (d *diagnosis) report(ok bool, peer, message string) {
	mark := "ok  "
	if !ok {
		mark, d.sick = "MEND", true
	}
	if _, err := fmt.Fprintf(d.out, "%s  %-9s %s\n", mark, peer, message); err != nil && d.err == nil {
		d.err = err
	}
}

func (d *diagnosis) verdict() error {
	if d.sick && d.err == nil {
		return errSick
	}
	return d.err
}
