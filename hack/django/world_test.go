// SPDX-License-Identifier: Apache-2.0

package django

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	// group is the staff's chat.
	group = int64(-1001234567890)
	// jwtSecret and hmacKey are as long as the site's checks want them.
	jwtSecret = "a-secret-for-tokens-in-tests-only"
	hmacKey   = "a-key-for-frames-in-tests-only-32"
	patience  = 40 * time.Second * slowness
)

var support = telegram.User{ID: 1001, FirstName: "Support", Username: "support_desk", LanguageCode: "en"}

// world is a site with all that it needs, the network, the bot, and a simulated Telegram.
type world struct {
	t        testing.TB
	dir      string // a short path
	redis    *Redis
	site     *Site
	proxy    *Proxy
	bot      *Bot
	telegram *telegram.Server
	// settings are the site's, botConfig is what the bot was last told.
	settings  Settings
	botConfig BotConfig
	botKills  int
}

// plan is what is particular about a world.
type plan struct {
	kind     func(root, dir string, settings Settings) (*Site, error)
	settings Settings
	flags    []string // daphne's
	jwt      string   // instead of a good one
	protocol string
	language string // the group's; English where it is empty
	ping     time.Duration
}

// newWorld starts everything but the bot.
func newWorld(t testing.TB, p plan) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "django")
	must(t, err)
	w := &world{t: t, dir: dir}
	t.Cleanup(w.tidy)
	w.redis, err = StartRedis(t.Context(), dir)
	must(t, err)
	w.makeSite(p)
	w.proxy, err = StartProxy(w.site.Address())
	must(t, err)
	t.Cleanup(func() { must(t, w.proxy.Close()) })
	w.telegram = telegram.New(telegram.Config{})
	must(t, w.telegram.AddChat(telegram.Chat{ID: group, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Administrator}))
	api := httptest.NewServer(w.telegram)
	t.Cleanup(func() {
		w.telegram.Close()
		api.Close()
	})
	w.makeBot(p, api.URL)
	t.Cleanup(w.end)
	return w
}

func (w *world) makeSite(p plan) {
	w.t.Helper()
	s := p.settings
	s.Redis, s.JWTSecret, s.HMACKey = w.redis.URL(), jwtSecret, hmacKey
	if s.Hosts == "" {
		s.Hosts = "127.0.0.1"
	}
	if s.Database == "" {
		s.Database = filepath.Join(w.dir, "site.sqlite3")
	}
	w.settings = s
	var err error
	w.site, err = p.kind(root(), w.dir, s)
	must(w.t, err)
	w.site.Flags = p.flags
	_, err = w.site.Manage(w.t.Context(), "migrate", "--verbosity", "0")
	must(w.t, err)
	w.startSite()
}

func (w *world) makeBot(p plan, api string) {
	w.t.Helper()
	binary, err := bot()
	must(w.t, err)
	token, err := Token(jwtSecret, nil)
	must(w.t, err)
	if p.jwt != "" {
		token = p.jwt
	}
	if p.ping == 0 {
		p.ping = time.Second
	}
	if p.language == "" {
		p.language = "en"
	}
	w.botConfig = BotConfig{Site: "http://" + w.proxy.Address() + "/ws/feedback-bot", Telegram: api, Chat: group, Language: p.language,
		Protocol: p.protocol, PingInterval: p.ping, JWT: token, HMACKey: hmacKey, Token: telegram.TestToken}
	w.bot, err = NewBot(binary, w.dir, w.botConfig)
	must(w.t, err)
}

func (w *world) startSite() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	must(w.t, w.site.Start(ctx))
}

func (w *world) startRedis() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	must(w.t, w.redis.Start(ctx))
}

func (w *world) killBot() {
	w.t.Helper()
	w.botKills++
	must(w.t, w.bot.Kill())
}

// end ends the children that run.
func (w *world) end() {
	for what, p := range map[string]*process.Process{"bot": w.bot.Process, "site": w.site.Process, "redis": w.redis.Process} {
		if p == nil {
			continue
		}
		if ended, err := p.Ended(); ended && what == "bot" && !strings.Contains(fmt.Sprint(err), "killed") {
			w.t.Errorf("the bot ended by itself: %v\n%s", err, process.Tail(w.bot.Log()))
		}
		if err := p.End(syscall.SIGKILL); err != nil {
			w.t.Error(err)
		}
	}
}

// tidy takes the files away, or keeps them where the test failed.
func (w *world) tidy() {
	if w.t.Failed() {
		w.t.Logf("the logs are kept in %s", w.dir)
		return
	}
	must(w.t, os.RemoveAll(w.dir))
}

// report is what the bot says of itself.
func (w *world) report() (v1alpha1.BotReport, bool) {
	answer, err := health.Ask(w.t.Context(), w.bot.State())
	return answer.Report, err == nil
}

// until waits for something to be so.
func (w *world) until(what string, met func() bool) {
	w.t.Helper()
	if !poll(patience, met) {
		w.t.Fatalf("in vain: %s\nthe bot:\n%s\nthe site:\n%s", what, process.Tail(w.bot.Log()), process.Tail(w.site.Log()))
	}
}

// connected starts the bot and waits until it is.
func (w *world) connected() {
	w.t.Helper()
	must(w.t, w.bot.Start())
	w.until("the bot connects", func() bool {
		if ended, err := w.bot.Ended(); ended {
			w.t.Fatalf("the bot ended: %v\n%s", err, process.Tail(w.bot.Log()))
		}
		return w.isConnected()
	})
}

func (w *world) isConnected() bool {
	r, ok := w.report()
	return ok && r.Site.OK
}

// post waits for the post with a text.
func (w *world) post(text string) telegram.Message {
	w.t.Helper()
	var found telegram.Message
	w.until("a post with "+text, func() bool {
		posts := w.posts(text)
		if len(posts) > 0 {
			found = posts[0]
		}
		return len(posts) > 0
	})
	return found
}

// posts are the group's posts with a text.
func (w *world) posts(text string) (found []telegram.Message) {
	for _, m := range w.telegram.Messages(group) {
		if m.From.IsBot && strings.Contains(m.Text, text) {
			found = append(found, m)
		}
	}
	return found
}

func poll(most time.Duration, met func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(most); ; <-tick.C {
		if met() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
