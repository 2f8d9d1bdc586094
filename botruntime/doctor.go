// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/site"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/telegram"
)

func doctorCommand() *cobra.Command {
	var f files
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the token, the chats, the bot's rights in them, the database and the site's handshake, and say what to mend",
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
			if err := s.check(creds.current()); err != nil {
				return err
			}
			s.telegram.Token = creds.current().telegramToken
			s.site.Credentials = func() site.Credentials { return creds.current().site }
			return examine(cmd, s, f.state, creds.current().dsn, output)
		},
	}
	inputFlags(cmd, &f)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&f.state, "state", "", "the bot's state directory, where a bot may be running")
	return cmd
}

// errSick is the verdict on a bridge that does not work; what is wrong was said before.
var errSick = errors.New("something has to be mended, see above")

// examine looks at Telegram and the site. Of a bot that runs with these credentials it asks the bot itself: a second
// connection could be given feedback that nobody would handle.
func examine(cmd *cobra.Command, s settings, state, dsn, output string) error {
	d := diagnosis{out: cmd.OutOrStdout(), json: output == outputJSON}
	answer, running := askRunning(cmd.Context(), state)
	for _, f := range telegram.Check(cmd.Context(), s.telegram, running) {
		d.report(f.OK, "telegram", f.What+": "+f.Message)
	}
	if running && answer.Standby {
		d.report(true, "bot", "the bot that runs here stands by until the active one gives way: ask that one for the rest")
		return d.verdict()
	}
	if running {
		d.report(answer.Stuck == "", "bot", "the bot that runs here: "+cmp.Or(answer.Stuck, "makes progress"))
		d.report(answer.Report.Telegram.OK, "telegram", "the bot that runs here: "+cmp.Or(answer.Report.Telegram.Message, answer.Report.Telegram.Reason))
		d.report(answer.Report.Site.OK, "site", "the bot that runs here: "+answer.Report.Site.Message)
		d.frames(answer.Report)
		if s := answer.Report.Storage; s != nil {
			d.report(false, "storage", "the bot that runs here: "+s.Message)
		}
		return d.verdict()
	}
	d.storage(cmd.Context(), s.storeOptions(state, dsn))
	d.report(true, "keys", "accepted: the HMAC keys "+strings.Join(s.site.Credentials().Keys.IDs(), ", "))
	passed, err := site.Check(cmd.Context(), s.site)
	for _, message := range passed {
		d.report(true, "site", message)
	}
	if err != nil {
		d.report(false, "site", err.Error())
	}
	return d.verdict()
}

// storage looks at the database, where it is known.
func (d *diagnosis) storage(ctx context.Context, opts store.Options) {
	if opts.Dir == "" && opts.DSN == "" {
		return
	}
	switch found, err := store.Check(ctx, opts); {
	case errors.Is(err, fs.ErrNotExist):
		d.report(true, "storage", "no bot has begun a database in the state directory yet")
	case err != nil:
		d.report(false, "storage", strings.Join(strings.Fields(err.Error()), " "))
	default:
		d.report(true, "storage", found)
	}
}

// askRunning asks the bot that works in a state directory, if there is one.
func askRunning(ctx context.Context, state string) (answer health.Answer, running bool) {
	if state == "" {
		return answer, false
	}
	answer, err := health.Ask(ctx, state)
	return answer, err == nil
}

// finding is one line of a diagnosis, and in JSON one object a line.
type finding struct {
	OK      bool   `json:"ok"`
	Peer    string `json:"peer"`
	Message string `json:"message"`
}

// diagnosis prints findings as they come, and remembers whether anything is wrong.
type diagnosis struct {
	out  io.Writer
	json bool
	sick bool
	err  error
}

func (d *diagnosis) report(ok bool, peer, message string) {
	d.sick = d.sick || !ok
	if err := d.print(finding{ok, peer, message}); err != nil && d.err == nil {
		d.err = err
	}
}

func (d *diagnosis) print(f finding) error {
	if d.json {
		return json.NewEncoder(d.out).Encode(f)
	}
	mark := "ok  "
	if !f.OK {
		mark = "MEND"
	}
	_, err := fmt.Fprintf(d.out, "%s  %-9s %s\n", mark, f.Peer, f.Message)
	return err
}

func (d *diagnosis) verdict() error {
	if d.sick && d.err == nil {
		return errSick
	}
	return d.err
}
