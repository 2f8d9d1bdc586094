// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	monthDays = 30
	// monthRetention is for how long tickets and events are kept: less than a month, so that a month shows what is taken away.
	monthRetention = 7 * 24 * time.Hour
	hour           = time.Hour
	oneDay         = 24 * time.Hour
)

// monthOrder tells the bot of TestMonth, a process of its own, what to do.
type monthOrder struct {
	Dir, Site, API string
	Clock          fastClock
}

// fastClock is a clock that goes faster than the machine's.
type fastClock struct {
	Began time.Time
	Speed float64
}

func (c fastClock) now() time.Time {
	return c.Began.Add(time.Duration(float64(time.Since(c.Began)) * c.Speed))
}

// sample is what the bot took at a moment.
type sample struct {
	day           int
	rss, private  int64
	database, wal int64
	tickets       int
}

// TestMonth gives the bot a month of traffic. What the store keeps is bounded by its retention, and memory by nothing that grows.
func TestMonth(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes more memory and time than the bot")
	}
	tickets, lasts := 3_000, 20*time.Second
	if os.Getenv("SOAK") != "" {
		tickets, lasts = 60_000, 5*time.Minute
	}
	m := newMonth(t, tickets, fastClock{Began: time.Now().Round(0), Speed: float64(monthDays*oneDay) / float64(lasts)})
	var samples []sample
	for day := 1; day <= monthDays; day++ {
		m.live(day)
		samples = append(samples, m.measure(day))
	}
	if err := m.site.WaitResults(t.Context(), int64(tickets)); err != nil {
		t.Fatalf("results: %v", err)
	}
	must(t, m.bot.stop(syscall.SIGTERM))
	if m.bot.err != nil {
		t.Fatalf("the bot: %v\n%s", m.bot.err, tail(m.log))
	}
	judgeMonth(t, m, samples)
}

// judgeMonth prints the figures as docs/performance.md has them. From the day on which the first tickets are taken away, nothing may grow
// but by what varies.
func judgeMonth(t *testing.T, m *month, samples []sample) {
	var table strings.Builder
	table.WriteString("| day | tickets sent | tickets in the store | database | its log | RSS | of it private |\n|---|---|---|---|---|---|---|\n")
	for _, s := range samples {
		if s.day == 1 || s.day%5 == 0 || s.day == 8 {
			fmt.Fprintf(&table, "| %d | %d | %d | %s | %s | %s | %s |\n", s.day, s.day*m.tickets/monthDays, s.tickets, mib(s.database), mib(s.wal), mib(s.rss), mib(s.private))
		}
	}
	t.Logf("%d tickets, a quarter with a status, a tenth with a reply, in %s, each day in %s, kept for %s:\n%s", m.tickets,
		time.Since(m.clock.Began).Round(time.Second), (time.Duration(float64(oneDay) / m.clock.Speed)).Round(time.Millisecond), monthRetention, table.String())
	settled, last := samples[9], samples[len(samples)-1]
	// Three seconds of the machine's time may be many hours of the fast clock.
	late := 2 + int(3*m.clock.Speed/oneDay.Seconds())
	keeps := m.tickets * (int(monthRetention/oneDay) + 1 + late) / monthDays
	for _, s := range samples[9:] {
		if s.tickets > keeps {
			t.Errorf("day %d: %d tickets in the store, which should keep %d", s.day, s.tickets, keeps)
		}
	}
	if last.database > settled.database*5/4+1<<20 {
		t.Errorf("the database grew from %s on day %d to %s", mib(settled.database), settled.day, mib(last.database))
	}
	if last.rss > settled.rss*5/4+8<<20 {
		t.Errorf("RSS grew from %s on day %d to %s", mib(settled.rss), settled.day, mib(last.rss))
	}
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// month is a bot with a fast clock, and its peers.
type month struct {
	t         *testing.T
	tickets   int
	clock     fastClock
	dir, log  string
	site      *simsite.Server
	telegram  *telegram.Server
	bot       *process
	sent      int
	lastWrite int
}

func newMonth(t *testing.T, tickets int, clock fastClock) *month {
	t.Helper()
	dir, err := os.MkdirTemp("", "month")
	must(t, err)
	key, err := wire.NewKey([]byte("month"))
	must(t, err)
	m := &month{t: t, tickets: tickets, clock: clock, dir: dir, log: filepath.Join(dir, "bot.log"),
		site:     simsite.New(simsite.Config{Key: key, Form: wire.FormUTF8}),
		telegram: telegram.New(telegram.Config{Clock: clock.now, MaxMessages: 10_000})}
	must(t, m.telegram.AddChat(telegram.Chat{ID: group, Type: telegram.Supergroup, Title: "Month", BotStatus: telegram.Administrator}))
	site, api := httptest.NewServer(m.site), httptest.NewServer(m.telegram)
	order, err := json.Marshal(monthOrder{Dir: filepath.Join(dir, "state"), API: api.URL, Clock: clock,
		Site: strings.Replace(site.URL, "http", "ws", 1) + simsite.DefaultPath})
	must(t, err)
	t.Setenv(envMonth, string(order))
	m.bot, err = launch(m.log, "/proc/self/exe")
	must(t, err)
	t.Cleanup(func() {
		if err := m.bot.stop(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		m.site.Close()
		site.Close()
		m.telegram.Close()
		api.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return m
}

// live sends a day's tickets, hour by hour, while the staff works on those that are there.
func (m *month) live(day int) {
	for h := range 24 {
		due := m.clock.Began.Add(time.Duration(float64(time.Duration((day-1)*24+h)*hour) / m.clock.Speed))
		wait(m.t.Context().Done(), time.Until(due))
		for want := ((day-1)*24 + h + 1) * m.tickets / (monthDays * 24); m.sent < want; m.sent++ {
			_, err := m.site.Send(map[string]any{"feedback_id": m.sent + 1, "telegram_id": 999, "telegram_username": "user",
				"telegram_first_name": "Имя", "nickname": "PlayerNick", "category": "bug", "created_at": "2025-10-17T12:00:00",
				"message": strings.Repeat("Не открывается страница с заказами, уже второй день. ", 1+m.sent%8), "source": "website"})
			must(m.t, err)
		}
		m.staff()
		if m.bot.ended() {
			m.t.Fatalf("the bot ended: %v\n%s", m.bot.err, tail(m.log))
		}
	}
}

// staff presses a button under every fourth post since it last looked, and answers every tenth.
func (m *month) staff() {
	who := telegram.User{ID: 1001, FirstName: "Support", Username: "support_desk"}
	for {
		p, ok := m.telegram.Message(group, m.lastWrite+1)
		if !ok {
			return
		}
		m.lastWrite++
		name := ticketName.FindString(p.Text)
		if !p.From.IsBot || len(p.Buttons) == 0 || name == "" {
			continue
		}
		if p.ID%4 == 0 {
			_, err := m.telegram.Press(group, p.ID, ticket.CallbackData(name, ticket.StatusClosed), who)
			must(m.t, err)
		}
		if p.ID%10 == 0 {
			_, err := m.telegram.Reply(group, p.ID, "We look into it.", who)
			must(m.t, err)
		}
	}
}

func (m *month) measure(day int) (s sample) {
	rss, private, err := m.bot.memory()
	must(m.t, err)
	s = sample{day: day, rss: rss, private: private}
	for name, into := range map[string]*int64{"feedbackbridge.db": &s.database, "feedbackbridge.db-wal": &s.wal} {
		info, err := os.Stat(filepath.Join(m.dir, "state", name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		must(m.t, err)
		*into = info.Size()
	}
	s.tickets = m.inStore()
	return s
}
