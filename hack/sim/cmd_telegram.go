// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
	"github.com/spf13/cobra"
)

// telegramOptions are the flags of "sim telegram".
type telegramOptions struct {
	listen, token, tokenFile, limits string
	username, name                   string
	chats, people                    []string
}

func telegramCommand() *cobra.Command {
	var o telegramOptions
	cmd := &cobra.Command{
		Use:   "telegram",
		Short: "Simulate the Telegram Bot API, with a page that shows the chats",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := o.server()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), o.listen, server)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8081", "address to listen on; port 0 takes a free one")
	f.StringVar(&o.token, "token", telegram.TestToken, "the bot's token")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the bot's token, instead of --token")
	f.StringVar(&o.username, "username", "feedback_sim_bot", "the bot's username")
	f.StringVar(&o.name, "name", "Feedback", "the bot's name")
	f.StringArrayVar(&o.chats, "chat", []string{"-1001234567890:Feedback"},
		"chat as ID:TITLE, negative for groups and channels, positive for private chats; repeatable")
	f.StringArrayVar(&o.people, "person", nil, "person of the page as ID:NAME[:USERNAME]; repeatable")
	f.StringVar(&o.limits, "limits", "real", "rate limits: real, none, or a factor for the windows of the real ones")
	return cmd
}

// server makes a simulator of the flags.
func (o telegramOptions) server() (*telegram.Server, error) {
	cfg := telegram.Config{Token: o.token, BotUsername: o.username, BotName: o.name}
	if o.tokenFile != "" {
		raw, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		cfg.Token = strings.TrimSuffix(string(raw), "\n")
	}
	switch o.limits {
	case "real":
		cfg.Limits = telegram.RealLimits()
	case "none":
	default:
		factor, err := strconv.ParseFloat(o.limits, 64)
		if err != nil || factor <= 0 {
			return nil, fmt.Errorf("limits: %q is none of real, none, or a positive factor", o.limits)
		}
		cfg.Limits = telegram.RealLimits().Scaled(factor)
	}
	for _, raw := range o.people {
		id, name, err := splitID(raw)
		if err != nil {
			return nil, fmt.Errorf("person %q: %w", raw, err)
		}
		name, username, _ := strings.Cut(name, ":")
		cfg.People = append(cfg.People, telegram.User{ID: id, FirstName: name, Username: username})
	}
	server := telegram.New(cfg)
	for _, raw := range o.chats {
		id, title, err := splitID(raw)
		if err != nil {
			return nil, fmt.Errorf("chat %q: %w", raw, err)
		}
		if err := server.AddChat(telegram.Chat{ID: id, Title: title}); err != nil {
			return nil, fmt.Errorf("chat %q: %w", raw, err)
		}
	}
	return server, nil
}

// splitID splits "ID:REST".
func splitID(raw string) (id int64, rest string, err error) {
	first, rest, found := strings.Cut(raw, ":")
	if id, err = strconv.ParseInt(first, 10, 64); err != nil || !found || rest == "" {
		return 0, "", errors.New("want a number, a colon and a name")
	}
	return id, rest, nil
}

// simulator is what serve runs: a handler with requests that Close lets go.
type simulator interface {
	http.Handler
	Close()
}

// serve runs a simulator until ctx ends. It says where it listens, on standard output, once it does.
func serve(ctx context.Context, address string, handler simulator) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)}
	fmt.Printf("listening on http://%s/\n", listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	handler.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
