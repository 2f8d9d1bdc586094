// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/spf13/cobra"
	"golang.org/x/time/rate"
)

// siteOptions are the flags of "sim site".
type siteOptions struct {
	listen, path, form, from, protocol         string
	jwtSecretFile, jwtPublicKeyFile, tokenFile string
	jwksFile, hmacKeyFile, secretDir           string
	rate                                       float64
	pingInterval, resendAfter, clockAhead      time.Duration
	anyOrigin, untilAnswered, quiet, anyToken  bool
}

func siteCommand() *cobra.Command {
	var o siteOptions
	cmd := &cobra.Command{
		Use:   "site",
		Short: "Simulate a web site that sends feedback, with a page that has the form",
		Long: "Simulate a web site that sends feedback. Files with keys and tokens may end in one newline, which is ignored.\n" +
			"Results are printed as they come; the texts of feedbacks are not.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8082", "address to listen on; port 0 takes a free one")
	f.StringVar(&o.path, "path", site.DefaultPath, "path of the WebSocket")
	f.StringVar(&o.jwtSecretFile, "jwt-secret-file", "", "file with the secret that the bot's token is signed with (HS256)")
	f.StringVar(&o.jwtPublicKeyFile, "jwt-public-key-file", "", "file with the PEM public key that the token is checked with")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the one token that is accepted")
	f.StringVar(&o.jwksFile, "jwks-file", "", "file with the JSON Web Key Set that the token is checked with")
	f.StringVar(&o.secretDir, "secret-dir", "", "directory with the site's Secret, as the operator writes it; followed as it changes")
	f.BoolVar(&o.anyToken, "any-token", false, "accept every token")
	f.BoolVar(&o.anyOrigin, "any-origin", false, "accept handshakes without the site's Origin")
	f.StringVar(&o.hmacKeyFile, "hmac-key-file", "", "file with the HMAC key that feedback is signed with")
	f.StringVar(&o.form, "form", wire.FormUTF8.String(), "canonical JSON to sign: utf8 or ascii")
	f.StringVar(&o.protocol, "protocol", site.ProtocolV1, "version of the protocol: v1, or v2 where the bot offers it")
	f.StringVar(&o.from, "from", "", "file with feedbacks to send, JSON lines or an array; - is the standard input")
	f.Float64Var(&o.rate, "rate", 0, "feedbacks a second to send from the file; 0 is as fast as possible")
	f.DurationVar(&o.pingInterval, "ping-interval", 20*time.Second, "time between the site's own pings; 0 sends none")
	f.DurationVar(&o.resendAfter, "resend-after", 0, "send again what has no answer after this time; 0 never does")
	f.DurationVar(&o.clockAhead, "clock-ahead", 0, "how far the site's clock is ahead; behind with a minus")
	f.BoolVar(&o.untilAnswered, "until-answered", false, "end when everything from the file has been answered")
	f.BoolVar(&o.quiet, "quiet", false, "do not print results")
	cmd.MarkFlagsOneRequired("hmac-key-file", "secret-dir")
	cmd.MarkFlagsOneRequired("jwt-secret-file", "jwt-public-key-file", "jwks-file", "token-file", "any-token", "secret-dir")
	cmd.MarkFlagsMutuallyExclusive("jwt-secret-file", "jwt-public-key-file", "jwks-file", "token-file", "any-token")
	return cmd
}

// run serves until ctx ends, or everything has been answered.
func (o siteOptions) run(ctx context.Context, stdin io.Reader, out io.Writer) error {
	cfg, err := o.config(out)
	if err != nil {
		return err
	}
	feedbacks, err := o.open(stdin)
	if err != nil {
		return err
	}
	defer func() { _ = feedbacks.Close() }() // it was only read
	server := site.New(cfg)
	server.SetClock(o.clockAhead)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.secretDir != "" {
		followed, err := followSecret(ctx, o.secretDir, server)
		if err != nil {
			return err
		}
		defer func() { cancel(); followed() }()
	}
	sent := make(chan error, 1)
	go func() {
		err := o.feed(ctx, server, feedbacks)
		sent <- err
		if err != nil || o.untilAnswered {
			cancel()
		}
	}()
	if err := serve(ctx, o.listen, server); err != nil {
		return err
	}
	stats := server.Stats()
	_, _ = fmt.Fprintf(out, "%d feedbacks: %d posted, %d refused, %d without an answer; p50 %v, p99 %v\n", stats.Feedback,
		stats.OK, stats.Failed, stats.Feedback-stats.Answered, time.Duration(stats.P50), time.Duration(stats.P99))
	select {
	case err := <-sent:
		return err
	default: // it waits for its input, and ends with the process
		return nil
	}
}

func (o siteOptions) config(out io.Writer) (cfg site.Config, err error) {
	cfg = site.Config{Path: o.path, AnyOrigin: o.anyOrigin, PingInterval: o.pingInterval, ResendAfter: o.resendAfter}
	if cfg.Form, err = wire.ParseForm(o.form); err != nil {
		return cfg, err
	}
	if cfg.Protocol = o.protocol; o.protocol != site.ProtocolV1 && o.protocol != site.ProtocolV2 {
		return cfg, fmt.Errorf("protocol %q: want %s or %s", o.protocol, site.ProtocolV1, site.ProtocolV2)
	}
	if o.hmacKeyFile != "" {
		secret, err := readSecret(o.hmacKeyFile)
		if err != nil {
			return cfg, fmt.Errorf("HMAC key: %w", err)
		}
		if cfg.Key, err = wire.NewKey(secret); err != nil {
			return cfg, err
		}
	}
	if !o.quiet {
		cfg.OnResult = func(s site.Sent) { printResult(out, s) }
	}
	cfg.Accept, err = o.accept()
	return cfg, err
}

// accept is how tokens are judged; nil for any token.
func (o siteOptions) accept() (site.Accept, error) {
	file := o.tokenFile + o.jwtSecretFile + o.jwtPublicKeyFile + o.jwksFile // the one that was given
	if file == "" {
		return nil, nil
	}
	secret, err := readSecret(file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("what tokens are checked with: %w", err)
	case o.tokenFile != "":
		return site.AcceptToken(string(secret)), nil
	case o.jwksFile != "":
		return site.AcceptJWKS(secret)
	default:
		return site.AcceptJWT(secret)
	}
}

// readSecret reads a file without the newline at its end.
func readSecret(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	return []byte(strings.TrimSuffix(string(raw), "\n")), err
}

// printResult says what became of a feedback; its text stays out.
func printResult(out io.Writer, s site.Sent) {
	line := "not verified: " + s.Refused
	if r := s.Result; r != nil {
		line = fmt.Sprintf("%s: message %d, %v", r.TicketID, r.MessageID, time.Duration(r.Latency).Round(time.Millisecond))
		if !r.OK {
			line = "refused: " + r.Error
		}
		if s.Results > 1 {
			line += fmt.Sprintf(" (result %d)", s.Results)
		}
	}
	_, _ = fmt.Fprintf(out, "%s %s\n", s.ID, line) // a closed standard output is no reason to stop
}

// open opens the feedbacks.
func (o siteOptions) open(stdin io.Reader) (io.ReadCloser, error) {
	switch o.from {
	case "":
		return io.NopCloser(strings.NewReader("")), nil
	case "-":
		return io.NopCloser(stdin), nil
	default:
		file, err := os.Open(o.from)
		if err != nil {
			return nil, fmt.Errorf("feedbacks: %w", err)
		}
		return file, nil
	}
}

// feed sends the feedbacks of a file, and waits for their answers where that is wanted.
func (o siteOptions) feed(ctx context.Context, server *site.Server, in io.Reader) error {
	limit := rate.Inf
	if o.rate > 0 {
		limit = rate.Limit(o.rate)
	}
	pace := rate.NewLimiter(limit, 1)
	next, err := feedbackReader(in)
	if err != nil {
		return err
	}
	var count int64
	for {
		data, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = pace.Wait(ctx)
		}
		if err == nil {
			_, err = server.SendOut(site.Outgoing{Data: data})
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("feedback %d: %w", count+1, err)
		}
		count++
	}
	if !o.untilAnswered {
		return nil
	}
	err = server.WaitResults(ctx, count)
	if failed := server.Stats().Failed; err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d feedbacks were refused", failed, count)
	}
	return err
}

// feedbackReader reads JSON objects that follow each other or are the elements of an array, as they come.
func feedbackReader(in io.Reader) (next func() (json.RawMessage, error), err error) {
	buffered := bufio.NewReader(in)
	array := false
	for {
		c, err := buffered.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read feedbacks: %w", err)
		}
		if strings.IndexByte(" \t\r\n", c) >= 0 {
			continue
		}
		if err := buffered.UnreadByte(); err != nil {
			return nil, fmt.Errorf("read feedbacks: %w", err)
		}
		array = c == '['
		break
	}
	decoder := json.NewDecoder(buffered)
	if array {
		if _, err := decoder.Token(); err != nil {
			return nil, fmt.Errorf("read feedbacks: %w", err)
		}
	}
	return func() (data json.RawMessage, err error) {
		if array && !decoder.More() {
			if _, err := decoder.Token(); err != nil {
				return nil, io.ErrUnexpectedEOF // the array does not end
			}
			return nil, io.EOF
		}
		err = decoder.Decode(&data)
		return data, err
	}, nil
}
