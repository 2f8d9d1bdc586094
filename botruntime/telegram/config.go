// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Store is what the package keeps its state in: *store.Store, whose methods say more.
type Store interface {
	// Advance records how the claimed job of a chat ended (done may be nil) and, if claim, claims the next one, in one
	// commit. A nil job means that nothing waits there.
	Advance(ctx context.Context, chatID int64, done *store.Outcome, claim bool) (*store.Job, error)
	// WaitingChats returns the chats that jobs wait for.
	WaitingChats(ctx context.Context) ([]int64, error)
	// OutboxReady is signalled (capacity 1) when a job was added.
	OutboxReady() <-chan struct{}
	// SaveUpdates makes updates durable; those that it has already are left as they are.
	SaveUpdates(ctx context.Context, updates []store.Update) error
	// PendingUpdates returns updates that are not finished, by their ids, from behind after.
	PendingUpdates(ctx context.Context, after int64, limit int) ([]store.Update, error)
	// NextOffset is the offset that confirms the saved updates, or 0.
	NextOffset(ctx context.Context) (int64, error)
	// Handle ends an update and commits, in one transaction, all that follows from it. One that ended before is not
	// handled again.
	Handle(ctx context.Context, id int64, handle func(store.Tx) error) error
	// TicketStats counts the tickets received since a time.
	TicketStats(ctx context.Context, since time.Time) (store.TicketStats, error)
	// EffectiveChat is the chat that a chat of the spec has become: the same, unless its group became a supergroup.
	EffectiveChat(id int64) int64
}

// Health is told how the bot stands with Telegram. Its methods are called from several goroutines.
type Health interface {
	// Telegram says whether Telegram can be worked with; reason is one of v1alpha1's.
	Telegram(ok bool, reason, message string)
	// Bot says what Telegram calls the bot and the chat.
	Bot(username, chatTitle string)
}

// Limit is a number of messages in any window of time. 0 messages mean no limit.
type Limit struct {
	Messages int
	Window   time.Duration
}

// Limits are how fast the bot may send.
type Limits struct {
	// PerChat is for each chat of the staff's. Private chats take one message a second, or any number where this is no limit.
	PerChat Limit
	// Overall is for all chats together.
	Overall Limit
}

// Route sends the tickets of a category to a chat other than the staff's, or to a topic that is there.
type Route struct {
	Category         string
	ChatID, ThreadID int64
}

// What spec.telegram.topics can be: no topics, one for each category, one for each ticket.
const (
	TopicsNone        = "None"
	TopicsPerCategory = "PerCategory"
	TopicsPerTicket   = "PerTicket"
)

// Intake is how feedback is taken in direct messages.
type Intake struct {
	// Enabled is whether it is.
	Enabled bool
	// Limit is how much one person may write.
	Limit store.Limit
	// MinLength and MaxLength are those of a text, in characters.
	MinLength, MaxLength int
	// Categories are what a person chooses from.
	Categories []Category
}

// Category is what feedback can be about.
type Category = ticket.Category

// Config is what a Bot runs by.
type Config struct {
	// Token is the bot's token, as BotFather gave it.
	Token string
	// APIURL is the Bot API server, such as https://api.telegram.org.
	APIURL string
	// ChatID is the staff's chat.
	ChatID int64
	// Routes are where tickets of some categories go instead.
	Routes []Route
	// Topics is TopicsNone (also if empty), TopicsPerCategory or TopicsPerTicket; chats without topics have none.
	Topics string
	// Intake is how feedback is taken in direct messages.
	Intake Intake
	// Limits are how fast the bot may send.
	Limits Limits
	// Language is that of posts, and of answers to those who speak neither Russian nor English.
	Language string
	// Location is the time zone of dates; UTC unless given.
	Location *time.Location
	// AdminURL is the site's page that posts link to, if any.
	AdminURL string
	// HTTPClient makes the calls; NewHTTPClient's unless given. Calls have deadlines of their own.
	HTTPClient *http.Client
	// Rand is the source of jitter, in [0, 1); math/rand's unless given.
	Rand func() float64
	// Logger takes what is worth knowing; slog.Default unless given.
	Logger *slog.Logger
}

// tokenPattern is BotFather's form. Nothing else may become part of an address.
var tokenPattern = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{1,128}$`)

var errTokenForm = errors.New("the bot's token is not in BotFather's form, <number>:<letters>")

// complete fills what was not given and checks the rest.
func (c *Config) complete() error {
	u, err := url.Parse(c.APIURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("the Bot API server's address is not an http or https address")
	case !tokenPattern.MatchString(c.Token):
		return errTokenForm
	case c.ChatID == 0:
		return errors.New("the chat's id is missing")
	}
	for _, r := range c.Routes {
		if r.Category == "" || r.ChatID == 0 {
			return errors.New("a route needs a category and a chat")
		}
	}
	for name, l := range map[string]Limit{"per chat": c.Limits.PerChat, "overall": c.Limits.Overall} {
		if l.Messages < 0 || l.Messages > 0 && l.Window <= 0 {
			return fmt.Errorf("the limit %s needs a window and a number of messages that is not negative", name)
		}
	}
	c.APIURL = strings.TrimRight(c.APIURL, "/")
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.HTTPClient == nil {
		c.HTTPClient = NewHTTPClient()
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// show is how tickets are shown.
func (c *Config) show() ticket.Options {
	return ticket.Options{Texts: ticket.Texts(c.Language), Location: c.Location, AdminURL: c.AdminURL,
		Categories: c.Intake.Categories}
}

// Route is where tickets of a category are posted: a chat, and a topic in it or 0. It is the store's Options.Route.
func (c *Config) Route(category string) (chatID, threadID int64) {
	for _, r := range c.Routes {
		if r.Category == category {
			return r.ChatID, r.ThreadID
		}
	}
	return c.ChatID, 0
}

// Chats are the staff's chats, by the settings: the one of the spec and those of the routes. They are the store's
// Options.Chats.
func (c *Config) Chats() []int64 {
	chats := []int64{c.ChatID}
	for _, r := range c.Routes {
		if r.ChatID != 0 && !slices.Contains(chats, r.ChatID) {
			chats = append(chats, r.ChatID)
		}
	}
	return chats
}

// chatLimit is how fast the bot may send to a chat.
func (c *Config) chatLimit(id int64) Limit {
	if id > 0 && c.Limits.PerChat.Messages > 0 {
		return privateLimit
	}
	return c.Limits.PerChat
}
