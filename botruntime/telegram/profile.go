// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// lookAgain is how often the chat is looked at: it may be renamed, or the bot lose its rights, while nothing is posted.
const lookAgain = 10 * time.Minute

// profiler learns who the bot is and whether it may post in the staff's chat.
type profiler struct {
	cfg      *Config
	store    Store
	api      *api
	standing *standing
	health   Health
	identity *identity // told who the bot is
}

func (p *profiler) run(ctx context.Context) {
	retry := backoff{jitter: p.cfg.Rand}
	for ctx.Err() == nil {
		changed := p.api.tokenChanged()
		me, chat, err := p.look(ctx)
		if err == nil {
			p.health.Bot(me.Username, chat.name())
			p.standing.works(profilePart)
			p.lookFurther(ctx, me, chat)
			retry.reset()
			_ = pause(ctx, lookAgain, changed)
			continue
		}
		if ctx.Err() == nil {
			v := judge(err, p.mainChat())
			if v.migrateTo != 0 && p.follow(ctx, p.mainChat(), v.migrateTo) {
				continue
			}
			p.standing.fails(profilePart, v)
			p.cfg.Logger.Warn("cannot work in the chat", "reason", v.reason, "why", v.message)
			_ = pause(ctx, max(retry.next(), v.wait), changed)
		}
	}
}

func (p *profiler) mainChat() int64 { return p.store.EffectiveChat(p.cfg.ChatID) }

// follow records that a group has become a supergroup.
func (p *profiler) follow(ctx context.Context, from, to int64) bool {
	if err := migrate(ctx, p.store, from, to); err != nil {
		p.cfg.Logger.Error("cannot follow the group", "err", err)
		return false
	}
	p.cfg.Logger.Info("the group became a supergroup", "chat", from, "new chat", to)
	return p.mainChat() != from
}

// look asks who the bot is and what the chat is called; it fails where a post in the chat would.
func (p *profiler) look(ctx context.Context) (me userInfo, chat chatInfo, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := p.api.call(ctx, "getMe", struct{}{}, &me); err != nil {
		return me, chat, err
	}
	p.identity.set(me)
	if chat, err = p.api.chat(ctx, p.mainChat()); err != nil {
		return me, chat, err
	}
	return me, chat, p.api.checkRights(ctx, me, chat)
}

// lookFurther looks at what hinders some tickets only: the right to make topics, and the chats of routes.
func (p *profiler) lookFurther(ctx context.Context, me userInfo, main chatInfo) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	switch err := p.api.checkTopics(ctx, p.cfg, me, main); {
	case err == nil:
		p.standing.works(topicsPart)
	case errors.Is(err, errNoTopics):
		p.standing.fails(topicsPart, verdict{harmless: true, reason: v1alpha1.ReasonNoRights,
			message: needsTopicRight(main.ID) + "; tickets go to the general topic"})
	}
	for _, r := range p.cfg.Routes {
		id := p.store.EffectiveChat(r.ChatID)
		if id == main.ID {
			continue
		}
		chat, err := p.api.chat(ctx, id)
		if err == nil {
			err = p.api.checkRights(ctx, me, chat)
		}
		if err != nil {
			p.standing.chatFails(id, judge(err, id))
			continue
		}
		p.standing.chatWorks(id)
	}
}

// userInfo, chatInfo and memberInfo are what matters of the Bot API's User, ChatFullInfo and ChatMember.
type userInfo struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	// ReadsAll is whether privacy mode is off.
	ReadsAll bool `json:"can_read_all_group_messages"`
}

type chatInfo struct {
	ID          int64  `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	FirstName   string `json:"first_name"`
	IsForum     bool   `json:"is_forum"`
	Permissions *struct {
		CanSendMessages bool `json:"can_send_messages"`
	} `json:"permissions"`
}

type memberInfo struct {
	Status          string `json:"status"`
	IsMember        bool   `json:"is_member"`         // restricted
	CanSendMessages bool   `json:"can_send_messages"` // restricted
	CanPostMessages bool   `json:"can_post_messages"` // administrators of channels
	CanManageTopics bool   `json:"can_manage_topics"` // administrators of forums
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

// member asks what a person, or the bot, is in a chat.
func (a *api) member(ctx context.Context, chatID, userID int64) (m memberInfo, err error) {
	err = a.call(ctx, "getChatMember", map[string]int64{"chat_id": chatID, "user_id": userID}, &m)
	return m, err
}

// checkRights looks up whether the bot may post in a chat: a refusalError like that of a post if not.
func (a *api) checkRights(ctx context.Context, me userInfo, chat chatInfo) error {
	if chat.Type == "private" {
		return nil
	}
	member, err := a.member(ctx, chat.ID, me.ID)
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
