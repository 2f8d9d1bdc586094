// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// lookAgain is how often the chat is looked at: it may be renamed, or the bot lose its rights, while nothing is posted.
const lookAgain = 10 * time.Minute

// profiler learns who the bot is and whether it may post in the staff's chat.
type profiler struct {
	cfg      *Config
	api      *api
	standing *standing
	health   Health
	identity *identity // told who the bot is
}

func (p *profiler) run(ctx context.Context) {
	retry := backoff{jitter: p.cfg.Rand}
	for ctx.Err() == nil {
		changed := p.api.tokenChanged()
		username, title, err := p.look(ctx)
		if err == nil {
			p.health.Bot(username, title)
			p.standing.works(profilePart)
			retry.reset()
			_ = pause(ctx, lookAgain, changed)
			continue
		}
		if ctx.Err() == nil {
			v := judge(err, p.cfg.ChatID)
			p.standing.fails(profilePart, v)
			p.cfg.Logger.Warn("cannot work in the chat", "reason", v.reason, "why", v.message)
			_ = pause(ctx, max(retry.next(), v.wait), changed)
		}
	}
}

// look asks who the bot is and what the chat is called; it fails where a post in the chat would.
func (p *profiler) look(ctx context.Context) (username, title string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var me userInfo
	if err := p.api.call(ctx, "getMe", struct{}{}, &me); err != nil {
		return "", "", err
	}
	p.identity.set(me)
	chat, err := p.api.chat(ctx, p.cfg.ChatID)
	if err != nil {
		return "", "", err
	}
	return me.Username, chat.name(), p.api.checkRights(ctx, me, chat)
}

// userInfo, chatInfo and memberInfo are what matters of the Bot API's User, ChatFullInfo and ChatMember.
type userInfo struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

type chatInfo struct {
	ID          int64  `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	FirstName   string `json:"first_name"`
	Permissions *struct {
		CanSendMessages bool `json:"can_send_messages"`
	} `json:"permissions"`
}

type memberInfo struct {
	Status          string `json:"status"`
	IsMember        bool   `json:"is_member"`         // restricted
	CanSendMessages bool   `json:"can_send_messages"` // restricted
	CanPostMessages bool   `json:"can_post_messages"` // administrators of channels
}

// name is the title of a group, or whose private chat it is.
func (c chatInfo) name() string {
	if c.Type == "private" {
		return c.FirstName
	}
	return c.Title
}

func (a *api) chat(ctx context.Context, id int64) (chat chatInfo, err error) {
	err = a.call(ctx, "getChat", map[string]int64{"chat_id": id}, &chat)
	return chat, err
}

// checkRights looks up whether the bot may post in a chat: a refusalError like that of a post if not.
func (a *api) checkRights(ctx context.Context, me userInfo, chat chatInfo) error {
	if chat.Type == "private" {
		return nil
	}
	var member memberInfo
	err := a.call(ctx, "getChatMember", map[string]int64{"chat_id": chat.ID, "user_id": me.ID}, &member)
	var refusal *refusalError
	if errors.As(err, &refusal) && refusal.Code == http.StatusBadRequest {
		return nil // a channel may keep its members to itself; a post will tell
	}
	if err != nil {
		return err
	}
	if why := hindrance(member, chat); why != "" {
		return &refusalError{Code: http.StatusForbidden, Description: why}
	}
	return nil
}

// hindrance says why a member may not post in a chat, or "".
func hindrance(m memberInfo, chat chatInfo) string {
	switch {
	case m.Status == "left", m.Status == "restricted" && !m.IsMember:
		return "the bot is not in it"
	case m.Status == "kicked":
		return "the bot was removed from it"
	case m.Status == "restricted" && !m.CanSendMessages:
		return "the bot was forbidden to send messages"
	case chat.Type == "channel" && m.Status == "administrator" && !m.CanPostMessages:
		return "the bot lacks the right to post messages"
	case chat.Type == "channel" && m.Status != "administrator" && m.Status != "creator":
		return "only administrators may post in a channel"
	case m.Status == "member" && chat.Permissions != nil && !chat.Permissions.CanSendMessages:
		return "only administrators may write in this group"
	}
	return ""
}
