// SPDX-License-Identifier: Apache-2.0

// Command try runs the whole way on this machine, without Kubernetes: a Django site, a simulated Telegram, and the bot, as it is told by a
// manifest. Everything is gone when it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/hack/cli"
	"github.com/feedbackbridge/feedbackbridge/hack/django"
	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	chat      = int64(-1001234567890)
	jwtSecret = "example-only-secret-for-the-token"
	hmacKey   = "example-only-key-for-the-signature"
	startTime = time.Minute
)

func main() {
	var o options
	cmd := &cobra.Command{Use: "try", Short: "Run a Django site, a simulated Telegram and the bot on this machine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) }}
	cmd.Flags().StringVar(&o.bot, "bot", "bin/feedbackbridge-bot", "the bot's program")
	cmd.Flags().StringVar(&o.language, "language", "ru", "what the group speaks: ru or en")
	cli.Main(cmd)
}

type options struct {
	bot, language string
}

// trial is what runs.
type trial struct {
	dir      string
	telegram net.Listener
	redis    *django.Redis
	site     *django.Site
	bot      *django.Bot
}

func (o options) run(ctx context.Context) (err error) {
	t := &trial{}
	if t.dir, err = os.MkdirTemp("", "feedbackbridge-try"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.end()) }()
	serving, err := t.startTelegram(ctx)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := t.startSite(starting); err != nil {
		return err
	}
	if err := t.startBot(starting, o); err != nil {
		return err
	}
	fmt.Printf(`
Open these:
  the site     http://%s/         write feedback, see its status and the answers
  the chat     http://%s/         press buttons, reply to a ticket, write to the bot
  the admin    http://%s/admin/   name "admin", password "admin"
The bot's manifest is %s, its log %s.
Stop it all: Ctrl-C
`, t.site.Address(), t.telegram.Addr(), t.site.Address(), t.bot.Manifest(), t.bot.Log())
	return t.watch(ctx, serving)
}

// startTelegram serves the simulated Telegram until ctx ends.
func (t *trial) startTelegram(ctx context.Context) (serving <-chan error, err error) {
	address, err := process.FreeAddress(8081)
	if err != nil {
		return nil, err
	}
	sim := telegram.New(telegram.Config{})
	if err := sim.AddChat(telegram.Chat{ID: chat, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Administrator}); err != nil {
		return nil, err
	}
	if t.telegram, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
		return nil, err
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(t.telegram) }()
	context.AfterFunc(ctx, func() {
		sim.Close()
		_ = server.Close() // its only listener is closed, whatever it says
	})
	return ended, nil
}

func (t *trial) startSite(ctx context.Context) (err error) {
	if t.redis, err = django.StartRedis(ctx, t.dir); err != nil {
		return err
	}
	address, err := process.FreeAddress(8000)
	if err != nil {
		return err
	}
	t.site, err = django.Portal(".", t.dir, django.Settings{Redis: t.redis.URL(), Database: filepath.Join(t.dir, "site.sqlite3"), Address: address,
		JWTSecret: jwtSecret, HMACKey: hmacKey, Hosts: "127.0.0.1,localhost", More: []string{"DJANGO_SUPERUSER_PASSWORD=admin"}})
	if err != nil {
		return err
	}
	fmt.Println("the Django site's database (seconds)")
	for _, args := range [][]string{
		{"migrate", "--verbosity", "0"},
		{"createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org"},
	} {
		if _, err := t.site.Manage(ctx, args...); err != nil {
			return err
		}
	}
	fmt.Println("daphne, Redis, the simulated Telegram and the bot")
	return t.site.Start(ctx)
}

// startBot starts it and waits until it is connected.
func (t *trial) startBot(ctx context.Context, o options) error {
	token, err := django.Token(jwtSecret, nil)
	if err != nil {
		return err
	}
	site := "http://" + t.site.Address()
	t.bot, err = django.NewBot(o.bot, t.dir, django.BotConfig{Site: site + "/ws/feedback-bot", Admin: site + "/admin/feedback_bridge/feedback/",
		Telegram: "http://" + t.telegram.Addr().String(), Chat: chat, Language: o.language, PingInterval: 20 * time.Second,
		JWT: token, HMACKey: hmacKey, Token: telegram.TestToken})
	if err != nil {
		return err
	}
	if err := t.bot.Start(); err != nil {
		return err
	}
	for {
		answer, err := health.Ask(ctx, t.bot.State())
		if err == nil && answer.Report.Site.OK && answer.Report.Telegram.OK {
			return nil
		}
		select {
		case <-t.bot.Done():
			return fmt.Errorf("the bot ended:\n%s", process.Tail(t.bot.Log()))
		case <-ctx.Done():
			return fmt.Errorf("the bot does not connect:\n%s", process.Tail(t.bot.Log()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// watch waits until the person has seen enough, or something ends that should not.
func (t *trial) watch(ctx context.Context, serving <-chan error) error {
	ended := func(what, log string) error {
		if ctx.Err() != nil { // Ctrl-C reaches the children as well
			return nil
		}
		return fmt.Errorf("%s ended:\n%s", what, process.Tail(log))
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-serving:
		return fmt.Errorf("the simulated Telegram ended: %w", err)
	case <-t.redis.Done():
		return ended("Redis", filepath.Join(t.dir, "redis.log"))
	case <-t.site.Done():
		return ended("the site", t.site.Log())
	case <-t.bot.Done():
		return ended("the bot", t.bot.Log())
	}
}

// end ends what runs, and takes its files away.
func (t *trial) end() error {
	var errs []error
	if t.bot != nil && t.bot.Process != nil {
		errs = append(errs, t.bot.End(syscall.SIGTERM))
	}
	if t.site != nil && t.site.Process != nil {
		errs = append(errs, t.site.End(syscall.SIGTERM))
	}
	if t.redis != nil && t.redis.Process != nil {
		errs = append(errs, t.redis.End(syscall.SIGTERM))
	}
	return errors.Join(append(errs, os.RemoveAll(t.dir))...)
}
