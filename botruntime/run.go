// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

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
			v1alpha1.FileHMACNext + ", " + v1alpha1.FileHMACPrevious + ", " + v1alpha1.FileSiteCA + " and " + v1alpha1.FilePostgresDSN + ". The directory is watched: changed files are used without a restart.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for {
				err := run(cmd.Context(), f, lease)
				switch {
				case cmd.Context().Err() != nil && (errors.Is(err, errAnew) || errors.Is(err, context.Canceled)):
					return nil // it was told to stop before it had begun
				case !errors.Is(err, errAnew):
					return err
				}
				slog.Warn("the bot begins anew", "why", err)
			}
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

// errAnew ends a bot that has to begin anew: its database is elsewhere by now, or another's.
var errAnew = errors.New("the bot has to begin anew")

// bot is a bot's life, from one beginning to its end.
type bot struct {
	files    files
	settings settings
	creds    *credentialsDir
	tracker  *health.Tracker
	log      *slog.Logger
	parts    *group

	tests tester
	// store is nil until the bot may work with it, standby true while another bot does.
	store   atomic.Pointer[store.Store]
	standby atomic.Bool
	dsn     string // that the store was opened with; set before store
}

// run is the bot's life: the store and the lease first, then the peers. The store of a directory comes before the lease, for
// its lock protects all that is in the directory; that of a database comes after, for the lease says whose turn it is.
func run(ctx context.Context, f files, lease health.LeaseName) (err error) {
	b, err := newBot(f)
	if err != nil {
		return err
	}
	b.parts = newGroup(ctx)
	defer func() {
		if err != nil {
			b.parts.cancel()
		}
		err = errors.Join(err, b.parts.wait())
	}()
	if err := os.MkdirAll(f.state, 0o750); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	if b.settings.schema == "" {
		err := b.openStore(b.parts.ctx)                   //nolint:contextcheck // the group's context is made of ctx
		if err != nil && !errors.Is(err, store.ErrFull) { // room may be made
			return err
		}
	}
	// The probes are answered from the start: a bot that waits is alive.
	b.parts.start("health", func(ctx context.Context) error { return health.Serve(ctx, f.state, b.tracker, b.calls(), b.log) })
	b.parts.start("credentials", b.creds.watch)
	if lease.Name != "" {
		if err := b.acquireLease(b.parts.ctx, lease); err != nil { //nolint:contextcheck // as above
			return err
		}
	}
	if b.store.Load() == nil {
		if err := b.awaitStore(b.parts.ctx); err != nil { //nolint:contextcheck // as above
			return err
		}
	}
	b.keepStore()
	return b.startPeers()
}

func newBot(f files) (*bot, error) {
	bridge, err := loadManifest(f.bridge)
	if err != nil {
		return nil, err
	}
	b := &bot{files: f, log: newLogger(bridge.Spec.Runtime.LogLevel)}
	if b.creds, err = openCredentials(f.credentials, b.log); err != nil {
		return nil, err
	}
	if b.settings, err = newSettings(bridge); err != nil {
		return nil, err
	}
	if err := b.settings.check(b.creds.current()); err != nil {
		return nil, err
	}
	b.creds.onLoad = b.useCredentials
	b.tracker = health.NewTracker(version, time.Now, nil)
	b.tracker.Keys(b.creds.current().site.Keys.IDs())
	return b, nil
}

// startPeers connects the store with Telegram and the site.
func (b *bot) startPeers() error {
	s, st := b.settings, b.store.Load()
	used := b.creds.current().telegramToken
	s.telegram.Token = used
	s.telegram.Logger = b.log.With("peer", "telegram")
	chat, err := telegram.New(s.telegram, st, b.tracker)
	if err != nil {
		return err
	}
	b.tests.chat.Store(chat)
	if now := b.creds.current().telegramToken; now != used { // it changed before chat could hear of it
		b.setToken(chat, now)
	}
	s.site.Credentials = func() site.Credentials { return b.creds.current().site }
	s.site.CredentialsChanged = b.creds.changed
	s.site.Logger = b.log.With("peer", "site")
	b.parts.start("telegram", func(ctx context.Context) error { chat.Run(ctx); return nil })
	b.parts.start("site", site.New(s.site, st, b.tracker).Run)
	return nil
}

// useCredentials has a bot that runs go on with other credentials.
func (b *bot) useCredentials(c credentials) {
	b.tracker.Keys(c.site.Keys.IDs())
	if chat := b.tests.chat.Load(); chat != nil {
		b.setToken(chat, c.telegramToken)
	}
	if b.store.Load() != nil && b.settings.schema != "" && c.dsn != b.dsn {
		b.parts.end(errMoved)
	}
}

func (b *bot) setToken(chat *telegram.Bot, token string) {
	if err := chat.SetToken(token); err != nil {
		b.log.Error("the new Telegram token cannot be used; the one before stays", "error", err)
	}
}

// acquireLease waits until the bot is the active one.
func (b *bot) acquireLease(ctx context.Context, name health.LeaseName) error {
	name.Identity, name.Namespace = os.Getenv(envPod), os.Getenv("POD_NAMESPACE")
	if name.Identity == "" || name.Namespace == "" {
		return errors.New("--lease needs the environment variables " + envPod + " and POD_NAMESPACE")
	}
	name.Pace = health.Calm
	if b.settings.schema != "" {
		name.Pace = health.Brisk
	}
	lease, err := health.NewLease(name, b.tracker, time.Now, b.log)
	if err != nil {
		return err
	}
	b.standby.Store(true)
	if err := lease.Acquire(ctx); err != nil {
		return fmt.Errorf("acquire the lease: %w", err)
	}
	b.standby.Store(false)
	b.parts.startLast("lease", lease.Keep)
	return nil
}

func newLogger(level v1alpha1.LogLevel) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // a checked manifest has a level that slog knows
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
}
