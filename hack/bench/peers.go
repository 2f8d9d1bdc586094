// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const chatID = -1001234567890

const manifest = `apiVersion: feedbackbridge.dev/v1alpha1
kind: FeedbackBridge
metadata: {name: bench}
spec:
  site: {url: %s, allowInsecure: true}
  credentials:
    jwt: {tokenSecretRef: {name: bench, key: jwt}}
    hmac: {secretRef: {name: bench, key: hmac}}
  telegram:
    tokenSecretRef: {name: bench, key: telegram}
    chatID: "%d"
    apiURL: %s
    allowInsecure: true
    limits: {perChat: {messages: 0, window: 1s}, overall: {messages: 0, window: 1s}}
  runtime: {logLevel: warn}
`

// peers are the site and Telegram. The site is replaced for each measurement, behind one address.
type peers struct {
	dir      string
	key      wire.Key
	site     atomic.Pointer[simsite.Server]
	telegram *telegram.Server
	servers  []*httptest.Server
	sent     int
	// siteURL and apiURL are where they listen.
	siteURL, apiURL string
}

// newPeers starts the peers, and writes what the bot needs to find them.
func newPeers(dir string) (*peers, error) {
	key, err := wire.NewKey([]byte("bench"))
	if err != nil {
		return nil, err
	}
	p := &peers{dir: dir, key: key, telegram: telegram.New(telegram.Config{})}
	p.newSite()
	if err := p.telegram.AddChat(telegram.Chat{ID: chatID, Type: telegram.Supergroup, Title: "Bench", BotStatus: telegram.Administrator}); err != nil {
		return nil, err
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.site.Load().ServeHTTP(w, r) }))
	api := httptest.NewServer(p.telegram)
	p.servers = []*httptest.Server{site, api}
	p.siteURL, p.apiURL = strings.Replace(site.URL, "http", "ws", 1)+simsite.DefaultPath, api.URL
	files := map[string]string{
		"bridge.yaml": fmt.Sprintf(manifest, p.siteURL, chatID, p.apiURL),
		filepath.Join("credentials", v1alpha1.FileTelegramToken): telegram.TestToken,
		filepath.Join("credentials", v1alpha1.FileJWT):           "bench",
		filepath.Join("credentials", v1alpha1.FileHMACCurrent):   "bench",
	}
	if err := os.Mkdir(filepath.Join(dir, "credentials"), 0o700); err != nil {
		return nil, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *peers) newSite() {
	p.site.Store(simsite.New(simsite.Config{Key: p.key, Form: wire.FormUTF8}))
}

func (p *peers) close() {
	p.site.Load().Close()
	p.telegram.Close()
	for _, s := range p.servers {
		s.Close()
	}
}

// start starts a client and hands it over once it is connected; it returns how long that took.
func (p *peers) start(ctx context.Context, with func(*process) error, program string, args ...string) (time.Duration, error) {
	before := p.site.Load().Stats().Connections
	began := time.Now()
	b, err := start(ctx, program, args...)
	if err != nil {
		return 0, err
	}
	if err := p.site.Load().WaitConnection(ctx, before+1); err != nil {
		return 0, errors.Join(fmt.Errorf("it does not connect: %w\n%s", err, b.log.String()), b.stop())
	}
	return time.Since(began), with(b)
}

// steady sends n feedbacks at a rate and waits for their results.
func (p *peers) steady(ctx context.Context, rate, n int) error {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for range n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := p.send(); err != nil {
			return err
		}
	}
	return p.site.Load().WaitResults(ctx, int64(n))
}

func (p *peers) stats() simsite.Stats { return p.site.Load().Stats() }

func (p *peers) send() error {
	p.sent++
	_, err := p.site.Load().Send(map[string]any{
		"feedback_id": p.sent, "telegram_id": 999, "telegram_username": "user", "telegram_first_name": "Имя",
		"nickname": "PlayerNick", "category": "bug", "message": "Не открывается страница с заказами, уже второй день.",
		"created_at": "2025-10-17T12:00:00", "source": "website",
	})
	return err
}
