// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-telegram/bot/models"
)

// User is a person or the bot.
type User = models.User

// Types of chats.
const (
	Private    = "private"
	Group      = "group"
	Supergroup = "supergroup"
	Channel    = "channel"
)

// What the bot, or a person, may be in a chat.
const (
	Creator       = "creator"
	Administrator = "administrator"
	Member        = "member"
	Restricted    = "restricted"
	Left          = "left"
	Kicked        = "kicked"
)

// ErrNoChat means that a person acted in a chat that does not exist.
var ErrNoChat = errors.New("chat not found")

// Chat is a chat and the bot's standing in it.
type Chat struct {
	// ID is negative for everything but private chats; a private chat has its person's id.
	ID int64 `json:"id"`
	// Type is one of the types above; "" derives it from ID.
	Type string `json:"type"`
	// Title is the name of a group or channel; of a private chat, the person's first name.
	Title string `json:"title"`
	// Username is without the @, if any.
	Username string `json:"username,omitempty"`
	// BotStatus is what the bot is in the chat; "" means administrator, in a private chat member. Kicked from a private
	// chat is the bot blocked by its user.
	BotStatus string `json:"bot_status"`
	// Muted means that the bot may not write.
	Muted bool `json:"muted,omitempty"`
	// NoMedia means that it may write text only.
	NoMedia bool `json:"no_media,omitempty"`
	// Forum means that the chat has topics.
	Forum bool `json:"forum,omitempty"`
	// NoTopicRight takes the right to manage topics from a bot that is an administrator.
	NoTopicRight bool `json:"no_topic_right,omitempty"`
	// MigratedTo is the supergroup this group became, 0 if none.
	MigratedTo int64 `json:"migrated_to,omitempty"`
}

// chat is a Chat with its messages. It is guarded by Server.mu.
type chat struct {
	Chat
	messages []*message // by id
	lastID   int
	window   window
	sent     map[uint64]struct{} // hashes of texts that the bot sent
	topics   map[int]*topic      // by thread; nil for those that were deleted
	members  map[int64]membership
}

func (c *Chat) normalise() error {
	if c.Type == "" {
		switch {
		case c.ID > 0:
			c.Type = Private
		case c.ID < -1_000_000_000_000:
			c.Type = Supergroup
		default:
			c.Type = Group
		}
	}
	if c.BotStatus == "" {
		c.BotStatus = Administrator
		if c.Type == Private {
			c.BotStatus = Member
		}
	}
	if !slices.Contains([]string{Private, Group, Supergroup, Channel}, c.Type) {
		return fmt.Errorf("unknown chat type %q", c.Type)
	}
	if !slices.Contains([]string{Administrator, Member, Restricted, Left, Kicked}, c.BotStatus) {
		return fmt.Errorf("unknown bot status %q", c.BotStatus)
	}
	if c.ID == 0 || c.ID > 0 != (c.Type == Private) {
		return fmt.Errorf("chat id %d does not fit type %q", c.ID, c.Type)
	}
	return nil
}

// AddChat adds a chat, or changes one that is there and keeps its messages. A change of the bot's status is told to
// the bot as a my_chat_member update.
func (s *Server) AddChat(c Chat) error {
	if err := c.normalise(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putChat(c)
	return nil
}

func (s *Server) putChat(c Chat) *chat {
	ch, known := s.chats[c.ID]
	if !known {
		ch = &chat{Chat: c, sent: map[uint64]struct{}{}, topics: map[int]*topic{}, members: map[int64]membership{}}
		s.chats[c.ID] = ch
		s.order = append(s.order, c.ID)
	}
	old := ch.BotStatus
	ch.Chat = c
	if c.Forum {
		ch.lastID = max(ch.lastID, 1) // the general topic's number
	}
	if old != c.BotStatus {
		s.tellMembership(ch, old)
	}
	s.rev.Grow()
	return ch
}

// Chats returns the chats in the order they were added.
func (s *Server) Chats() []Chat {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Chat, 0, len(s.order))
	for _, id := range s.order {
		out = append(out, s.chats[id].Chat)
	}
	return out
}

// chatFor finds the chat that a request names, and checks that the bot may read it.
func (s *Server) chatFor(p params) (*chat, error) {
	id := strings.TrimSpace(p["chat_id"])
	if id == "" {
		return nil, badRequest("chat_id is empty")
	}
	ch := s.chats[p.int64("chat_id")]
	if name, isName := strings.CutPrefix(id, "@"); isName {
		for _, c := range s.chats {
			if name != "" && strings.EqualFold(c.Username, name) && c.Type != Private {
				ch = c
			}
		}
	}
	if ch == nil {
		return nil, s.noChat(p.int64("chat_id"))
	}
	if ch.MigratedTo != 0 {
		return nil, &Error{Code: 400, MigrateTo: ch.MigratedTo,
			Description: "Bad Request: group chat was upgraded to a supergroup chat"}
	}
	return ch, ch.readable()
}

// noChat is the refusal for a chat that is not there. A person that the bot could know may not have begun to talk with it.
func (s *Server) noChat(id int64) error {
	if id > 0 && id != s.bot.ID && s.person(id) != nil {
		return forbidden("bot can't initiate conversation with a user")
	}
	return badRequest("chat not found")
}

func (c *Chat) readable() error {
	switch {
	case c.Type == Private && c.BotStatus == Kicked:
		return forbidden("bot was blocked by the user")
	case c.BotStatus == Kicked:
		return forbidden("bot was kicked from the " + c.kind())
	case c.BotStatus == Left && c.Type == Private:
		return forbidden("bot can't initiate conversation with a user")
	case c.BotStatus == Left:
		return forbidden("bot is not a member of the " + c.kind())
	}
	return nil
}

// writable tells whether the bot may write to the chat.
func (c *Chat) writable() error {
	if c.Type == Channel && c.BotStatus != Administrator {
		return badRequest("need administrator rights in the channel chat")
	}
	if c.Muted {
		return badRequest("not enough rights to send text messages to the chat")
	}
	return nil
}

// kind is what error texts call the chat.
func (c *Chat) kind() string {
	if c.Type == Private {
		return "private chat"
	}
	return c.Type + " chat"
}

// person returns the known person with an id, the bot included.
func (s *Server) person(id int64) *User {
	if id == s.bot.ID {
		u := s.bot
		return &u
	}
	for _, u := range s.people {
		if u.ID == id {
			return &u
		}
	}
	return nil
}

// meet remembers a person who did something.
func (s *Server) meet(u User) {
	for i := range s.people {
		if s.people[i].ID == u.ID {
			s.people[i] = u
			return
		}
	}
	s.people = append(s.people, u)
}

// someone is the person behind what nobody in particular did.
func (s *Server) someone() User {
	if len(s.people) > 0 {
		return s.people[0]
	}
	return User{ID: 1, FirstName: "Somebody"}
}
