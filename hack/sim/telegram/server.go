// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"embed"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
)

// pageFiles are the page and its parts.
//
//go:embed page/index.html page/style.css page/page.js page/format.js page/icon.svg
var pageFiles embed.FS

// Config is what a Server starts with. The zero value works: a bot @feedback_sim_bot with the token TestToken, the
// real clock and no limits.
type Config struct {
	// Token is the bot's token, "<bot id>:<secret>".
	Token string
	// BotName and BotUsername are what getMe says.
	BotName, BotUsername string
	// People are those in whose name the page may write. See DefaultPeople.
	People []User
	// Clock gives dates, ages of callback queries and rate limits their time. Waits use real time.
	Clock func() time.Time
	// Limits are Telegram's rate limits; see RealLimits.
	Limits Limits
	// MaxMessages bounds what is kept of each chat, oldest dropped first; 0 means 100,000.
	MaxMessages int
}

// TestToken is the token of a Server whose Config names none.
const TestToken = "123456:TEST-TOKEN"

// DefaultPeople returns the people of a Server whose Config names none. They are roles rather than persons.
func DefaultPeople() []User {
	return []User{
		{ID: 1001, FirstName: "Support", Username: "support_desk", LanguageCode: "ru"},
		{ID: 1002, FirstName: "Colleague", Username: "second_line", LanguageCode: "ru"},
		{ID: 1003, FirstName: "Visitor", LanguageCode: "ru"},
	}
}

// Server is a simulated Telegram with one bot. All methods are safe for concurrent use.
type Server struct {
	mux         *http.ServeMux
	clock       func() time.Time
	maxMessages int
	done        chan struct{}
	closeOnce   sync.Once

	mu        sync.Mutex
	token     string
	bot       User
	people    []User
	owner     int64 // the creator of groups, until somebody else is made it
	readsAll  bool  // privacy mode is off
	commands  map[commandSet][]models.BotCommand
	chats     map[int64]*chat
	order     []int64 // chats in the order they came
	nextID    int     // message ids of private chats and basic groups come from one sequence
	nextFile  int
	nextAlbum int64
	overall   window
	limits    Limits
	updates   updateQueue
	presses   map[string]*press
	pressed   []string // ids of presses, oldest first
	faults    []*activeFault
	stats     Stats
	log       requestLog
	rev       *control.Revision // of everything a person can see
}

// New returns a Server with no chats.
func New(cfg Config) *Server {
	if cfg.Token == "" {
		cfg.Token = TestToken
	}
	if cfg.BotName == "" {
		cfg.BotName = "Feedback"
	}
	if cfg.BotUsername == "" {
		cfg.BotUsername = "feedback_sim_bot"
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.MaxMessages <= 0 {
		cfg.MaxMessages = 100_000
	}
	if cfg.People == nil {
		cfg.People = DefaultPeople()
	}
	s := &Server{
		clock: cfg.Clock, maxMessages: cfg.MaxMessages, done: make(chan struct{}),
		token: cfg.Token, limits: cfg.Limits, people: slices.Clone(cfg.People),
		bot:      User{ID: botID(cfg.Token), IsBot: true, FirstName: cfg.BotName, Username: cfg.BotUsername},
		commands: map[commandSet][]models.BotCommand{},
		chats:    map[int64]*chat{}, presses: map[string]*press{},
		updates: newUpdateQueue(),
		stats:   Stats{Methods: map[string]int64{}, Errors: map[int]int64{}, Faults: map[string]int64{}},
	}
	if len(cfg.People) > 0 {
		s.owner = cfg.People[0].ID
	}
	s.rev = control.NewRevision(&s.mu, s.done)
	s.mux = http.NewServeMux()
	s.routeControl()
	control.RoutePage(s.mux, pageFiles)
	return s
}

// botID reads the bot's id, which is the first part of its token.
func botID(token string) int64 {
	first, _, _ := strings.Cut(token, ":")
	if id, err := strconv.ParseInt(first, 10, 64); err == nil && id > 0 {
		return id
	}
	return 1
}

// Bot returns the bot as people see it.
func (s *Server) Bot() User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bot
}

// SetToken replaces the bot's token, as a person does who revokes it: requests with the old one are unauthorized.
func (s *Server) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// ServeHTTP serves the Bot API, the control API and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/bot") {
		s.serveBotAPI(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Close ends long polls, waits and hanging requests; the Server must not be used after. An httptest.Server needs it
// before its own Close, which waits for requests that are under way.
func (s *Server) Close() { s.closeOnce.Do(func() { close(s.done) }) }
