// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// Store is where requests become durable and results come from.
type Store interface {
	// Admit makes requests durable, in order and in one commit, and says what became of each.
	Admit(ctx context.Context, requests []store.Request) ([]store.Verdict, error)
	// DueResults returns at most limit results that are due, by ascending Seq, from behind after.
	DueResults(ctx context.Context, after int64, limit int) ([]store.Result, error)
	// ConfirmResults ends the wait of all due results with a Seq up to upTo: they are at the site.
	ConfirmResults(ctx context.Context, upTo int64) error
	// ResultsReady has a capacity of 1 and is signalled when a result becomes due.
	ResultsReady() <-chan struct{}
	// ConfirmEachResult ends the wait of single results.
	ConfirmEachResult(ctx context.Context, seqs []int64) error
	// Receive makes the effects of frames durable, in order and in one commit, and says what became of each.
	Receive(ctx context.Context, frames []store.Incoming) ([]store.Received, error)
	// DueEvents, ConfirmEvents and EventsReady are for events of some kinds what their like are for results.
	DueEvents(ctx context.Context, after int64, kinds []store.EventKind, limit int) ([]store.DueEvent, error)
	ConfirmEvents(ctx context.Context, seqs []int64) error
	EventsReady() <-chan struct{}
}

// Health is told how things stand. Its methods must not block.
type Health interface {
	// Site says whether the WebSocket is open, and why not: one of the Reason constants of api/v1alpha1, and words.
	Site(ok bool, reason, message string)
	// Protocol says which version of the protocol an open connection speaks: v1 or v2.
	Protocol(version string)
	// Token names the key of the token that the site accepted, by the token's kid; empty where it has none.
	Token(keyID string)
	// SiteKey names the key that a frame is signed with, and when it was read. It is called for every frame whose
	// signature and time are good.
	SiteKey(keyID string, at time.Time)
	// FrameAccepted says that a feedback was taken. It is called for every one.
	FrameAccepted()
	// FrameRefused counts a frame of the site's that was refused, by one of the Refused constants. For RefusedExpired,
	// clockOffset is how far the frame's time was ahead of the bot's clock, in seconds.
	FrameRefused(reason string, clockOffset int64)
	// AnswerDropped counts the answer to a refused frame that was dropped because the site leaves its answers unread.
	AnswerDropped()
	// Reconnected counts a connection that was made again.
	Reconnected()
}

// Credentials are what the bot and the site know each other by.
type Credentials struct {
	// JWT is the token of the next dial.
	JWT string
	// JWTPrevious, if there is one, is tried at once where the site refuses JWT.
	JWTPrevious string
	// Keys verify requests and sign results.
	Keys wire.KeyRing
	// CA holds PEM certificates to trust instead of the system's; nil for the system's.
	CA []byte
}

// Config is how to reach the site.
type Config struct {
	// URL is the site's WebSocket, wss:// or ws://, without the token.
	URL string
	// TokenIn is where the token goes; in the query unless it says TokenInHeader.
	TokenIn v1alpha1.TokenPlacement
	// ServerName is the name that the site's certificate must carry; the URL's host unless given.
	ServerName string
	// Protocol is which versions may be spoken; unset offers version 2 to the site.
	Protocol v1alpha1.SiteProtocol
	// Desk is where what a site of version 2 sends goes, besides feedback; nil takes feedback alone.
	Desk Desk
	// PingInterval is how often the connection is probed; it is dead after two and a half of them in silence.
	PingInterval time.Duration
	// MessageTTL is how far a frame's time may be from the bot's clock, either way.
	MessageTTL time.Duration
	// Limits bound a frame; zero fields stand for the protocol's.
	Limits wire.Limits
	// Credentials returns the credentials as they are now. It is called often and must be cheap.
	Credentials func() Credentials
	// CredentialsChanged, of capacity 1, is signalled when Credentials returns something new: a client that waits to dial
	// again then dials at once. It may be nil, and is never closed.
	CredentialsChanged <-chan struct{}
	// UserAgent is the User-Agent of the handshake.
	UserAgent string
	// Logger is slog.Default() unless given.
	Logger *slog.Logger
	// Rand returns jitter in [0, 1); math/rand/v2 unless given.
	Rand func() float64
	// DialContext opens connections; a net.Dialer's unless given.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

func (c *Config) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if c.DialContext != nil {
		return c.DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// patience is how long the site may be silent: two and a half ping intervals.
func (c *Config) patience() time.Duration { return c.PingInterval * 5 / 2 }

func (c *Config) maxFrame() int {
	if c.Limits.MaxBytes > 0 {
		return c.Limits.MaxBytes
	}
	return wire.DefaultLimits().MaxBytes
}

func (c *Config) validate() error {
	if c.PingInterval <= 0 || c.MessageTTL <= 0 || c.Credentials == nil {
		return errors.New("the site's client needs a ping interval, a message TTL and credentials")
	}
	_, _, err := handshake(c, "")
	return err
}

// Client keeps the bot connected to the site.
type Client struct {
	cfg    Config
	host   string
	store  Store
	health Health
	log    *slog.Logger

	connections int
	// refused is whether the site did not accept the last connection's token.
	refused bool
	// spoke is the version of the protocol that the last session spoke.
	spoke int
	// renewed is whether the last session took a signal of CredentialsChanged.
	renewed bool
}

// New makes a client; Run runs it.
func New(cfg Config, st Store, health Health) *Client {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	c := &Client{cfg: cfg, store: st, health: health, log: cfg.Logger}
	if target, err := url.Parse(cfg.URL); err == nil {
		c.host = target.Host
	}
	return c
}

// Run connects, and connects again whenever the connection ends, until ctx is done; then it says goodbye to the site and
// returns nil, within 2 s. Any error is about the Config. It must not be called twice.
func (c *Client) Run(ctx context.Context) error {
	if err := c.cfg.validate(); err != nil {
		return err
	}
	c.health.Site(false, v1alpha1.ReasonConnecting, "connecting to "+c.host)
	for failures := 0; ; {
		drain(c.cfg.CredentialsChanged) // the dial uses what is there now
		lived, err := c.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		failures++
		if lived >= healthyAfter {
			failures = 0
		}
		why := asError(err)
		c.refused = why.unaccepted
		wait := delay(failures, why.unaccepted, c.cfg.Rand())
		level := slog.LevelInfo
		// Servers end connections that are old: routine, unless the next dial, which comes at once, fails.
		if failures > 0 || !why.goodbye {
			level = slog.LevelWarn
			c.health.Site(false, why.Reason, why.Message)
		}
		c.log.Log(ctx, level, "no connection to the site", "reason", why.Reason, "message", why.Message,
			"lived", lived.Round(time.Millisecond), "retryIn", wait.Round(time.Millisecond))
		if !c.pause(ctx, wait) {
			return nil
		}
	}
}

// connect holds one connection from its dial to its end. Where the site does not accept the token it is asked with the
// previous one: it may not know yet what the new one is signed with.
func (c *Client) connect(ctx context.Context) (lived time.Duration, err error) {
	credentials := c.cfg.Credentials()
	lived, err = c.hold(ctx, credentials)
	first := asError(err)
	if !first.unaccepted || credentials.JWTPrevious == "" || ctx.Err() != nil {
		return lived, err
	}
	c.log.Info("the site does not accept the new token; trying the previous one", "message", first.Message)
	credentials.JWT = credentials.JWTPrevious
	if lived, err = c.hold(ctx, credentials); asError(err).unaccepted {
		err = first // the token to be mended is the new one
	}
	return lived, err
}

// hold dials with the JWT of credentials, and holds the connection until it ends.
func (c *Client) hold(ctx context.Context, credentials Credentials) (lived time.Duration, err error) {
	l, err := dial(ctx, &c.cfg, credentials)
	if err != nil {
		return 0, err
	}
	since := time.Now()
	c.connections++
	if c.connections > 1 {
		c.health.Reconnected()
	}
	c.log.Info("connected to the site", "host", c.host, "protocol", l.protocol())
	if c.health.Protocol(l.protocol()); l.version < c.spoke {
		c.log.Warn("the site selects an older version of the protocol than before", "protocol", l.protocol())
	}
	c.spoke = l.version
	s := newSession(c, l)
	connected := func() { c.health.Site(true, v1alpha1.ReasonConnected, "connected to "+c.host) }
	if c.refused {
		// It may refuse by closing, as it did before: the state would go to and fro with every dial.
		s.onAccept = connected
	} else {
		connected()
	}
	err = s.run(ctx)
	c.renewed = s.renewed
	return time.Since(since), err
}

// pause waits, or until the credentials change, or not where they changed during the session; false when ctx is done.
func (c *Client) pause(ctx context.Context, wait time.Duration) bool {
	if c.renewed {
		c.renewed = false
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-c.cfg.CredentialsChanged:
	case <-timer.C:
	}
	return true
}

// drain takes a signal that is pending.
func drain(signal <-chan struct{}) {
	select {
	case <-signal:
	default:
	}
}

// asError gives an error of any kind a Reason.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Reason: v1alpha1.ReasonConnectionLost, Message: printable(err.Error()), err: err}
}
