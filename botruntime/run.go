// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/site"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/telegram"
)

// files are where the bot finds what it runs by.
type files struct {
	bridge, credentials, state string
}

func runCommand() *cobra.Command {
	var f files
	var lease health.LeaseName
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the bot until it is told to stop",
		Long: "Run the bot by a FeedbackBridge manifest and a directory of credentials.\n\n" +
			"The secret refs of the manifest are taken from the directory, whose files are " + v1alpha1.FileTelegramToken + ", " +
			v1alpha1.FileJWT + ", " + v1alpha1.FileHMACCurrent + " and, as needed, " + v1alpha1.FileJWTPrevious + ", " +
			v1alpha1.FileHMACNext + ", " + v1alpha1.FileHMACPrevious + " and " + v1alpha1.FileSiteCA + ". The directory is watched: changed files are used without a restart.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := run(cmd.Context(), f, lease)
			if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil // it was told to stop before it had begun
			}
			return err
		},
	}
	inputFlags(cmd, &f)
	stateFlag(cmd, &f.state)
	cmd.Flags().StringVar(&lease.Name, "lease", "", "in Kubernetes: name of the Lease to hold and report in")
	cmd.Flags().StringVar(&lease.ServiceAccount, "service-account", health.ServiceAccountDir,
		"in Kubernetes: directory with the token and the API server's certificate for the Lease")
	return cmd
}

func inputFlags(cmd *cobra.Command, f *files) {
	cmd.Flags().StringVar(&f.bridge, "bridge", "", "file with the FeedbackBridge manifest")
	cmd.Flags().StringVar(&f.credentials, "credentials", "", "directory with the credentials")
	for _, name := range []string{"bridge", "credentials"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
}

// run is the bot's life: the store first, then the lease, then the peers.
func run(ctx context.Context, f files, leaseName health.LeaseName) (err error) {
	bridge, err := loadManifest(f.bridge)
	if err != nil {
		return err
	}
	log := newLogger(bridge.Spec.Runtime.LogLevel)
	creds, err := openCredentials(f.credentials, log)
	if err != nil {
		return err
	}
	settings, err := newSettings(bridge)
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, f.state, store.Options{ChatID: settings.telegram.ChatID})
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	tracker := health.NewTracker(version, time.Now, func() v1alpha1.TicketsStatus { return ticketsStatus(st.Counts()) })
	tracker.Keys(creds.current().site.Keys.IDs())

	parts := newGroup(ctx)
	defer func() {
		if err != nil {
			parts.cancel()
		}
		err = errors.Join(err, parts.wait())
	}()
	// The probes are answered from the start: a bot that waits for its lease is alive.
	var tests tester
	calls := health.Calls{Alive: st.Alive, Test: tests.send}
	parts.start("health", func(ctx context.Context) error { return health.Serve(ctx, f.state, tracker, calls, log) })
	if leaseName.Name != "" {
		lease, err := acquireLease(parts.ctx, leaseName, tracker, log) //nolint:contextcheck // the group's context is made of ctx
		if err != nil {
			return err
		}
		parts.startLast("lease", lease.Keep)
	}
	return startPeers(parts, settings, creds, st, tracker, &tests, log)
}

// startPeers connects the store with Telegram and the site.
func startPeers(parts *group, s settings, creds *credentialsDir, st *store.Store, tracker *health.Tracker, tests *tester, log *slog.Logger) error {
	s.telegram.Token = creds.current().telegramToken
	s.telegram.Logger = log.With("peer", "telegram")
	chat, err := telegram.New(s.telegram, st, tracker)
	if err != nil {
		return err
	}
	tests.chat.Store(chat)
	s.site.Credentials = func() site.Credentials { return creds.current().site }
	s.site.CredentialsChanged = creds.changed
	s.site.Logger = log.With("peer", "site")
	creds.onLoad = func(c credentials) {
		tracker.Keys(c.site.Keys.IDs())
		if err := chat.SetToken(c.telegramToken); err != nil {
			log.Error("the new Telegram token cannot be used; the one before stays", "error", err)
		}
	}
	parts.start("credentials", creds.watch)
	parts.start("telegram", func(ctx context.Context) error { chat.Run(ctx); return nil })
	parts.start("site", site.New(s.site, st, tracker).Run)
	return nil
}

func acquireLease(ctx context.Context, name health.LeaseName, tracker *health.Tracker, log *slog.Logger) (*health.Lease, error) {
	name.Identity, name.Namespace = os.Getenv(envPod), os.Getenv("POD_NAMESPACE")
	if name.Identity == "" || name.Namespace == "" {
		return nil, errors.New("--lease needs the environment variables " + envPod + " and POD_NAMESPACE")
	}
	lease, err := health.NewLease(name, tracker, time.Now, log)
	if err != nil {
		return nil, err
	}
	if err := lease.Acquire(ctx); err != nil {
		return nil, fmt.Errorf("acquire the lease: %w", err)
	}
	return lease, nil
}

// settings are the parts of a manifest in the forms that the bot's parts take.
type settings struct {
	site     site.Config
	telegram telegram.Config
}

// newSettings reads a checked manifest.
func newSettings(bridge *v1alpha1.FeedbackBridge) (settings, error) {
	spec := bridge.Spec
	ping, err1 := spec.Site.PingInterval.Value()
	ttl, err2 := spec.Credentials.HMAC.MessageTTL.Value()
	chatID, err3 := strconv.ParseInt(spec.Telegram.ChatID, 10, 64)
	location, err4 := time.LoadLocation(spec.Telegram.TimeZone)
	perChat, err5 := limit(spec.Telegram.Limits.PerChat)
	overall, err6 := limit(spec.Telegram.Limits.Overall)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return settings{}, fmt.Errorf("read the manifest: %w", err)
	}
	s := settings{
		site: site.Config{
			URL: spec.Site.URL, TokenIn: spec.Site.TokenIn, PingInterval: ping, MessageTTL: ttl,
			UserAgent: "feedbackbridge-bot/" + version,
		},
		telegram: telegram.Config{
			APIURL: spec.Telegram.APIURL, ChatID: chatID, Limits: telegram.Limits{PerChat: perChat, Overall: overall},
			Language: string(spec.Telegram.Language), Location: location, AdminURL: spec.Site.AdminURL,
		},
	}
	if spec.Site.TLS != nil {
		s.site.ServerName = spec.Site.TLS.ServerName
	}
	return s, nil
}

func limit(l v1alpha1.RateLimit) (telegram.Limit, error) {
	window, err := l.Window.Value()
	return telegram.Limit{Messages: int(*l.Messages), Window: window}, err
}

func ticketsStatus(c store.Counts) v1alpha1.TicketsStatus {
	status := v1alpha1.TicketsStatus{Received: c.Received, Posted: c.Posted, Pending: c.Pending, Failed: c.Failed}
	if !c.LastPosted.IsZero() {
		status.LastPostedTime = new(metav1.NewTime(c.LastPosted))
	}
	return status
}

func newLogger(level v1alpha1.LogLevel) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // a checked manifest has a level that slog knows
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
}
