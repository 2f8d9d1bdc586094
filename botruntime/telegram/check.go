// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// Finding is one thing that Check looked at.
type Finding struct {
	// OK is whether nothing has to be mended.
	OK bool
	// What was looked at: "token"; of each of the staff's chats "chat", "rights", "topics" and "staff"; and "updates".
	What string
	// Message is what was found, and what to do about it.
	Message string
}

// Check looks at the token, the chat, the bot's rights in it and the way its updates take, and says in words what to
// mend. What depends on something that is not in order is not looked at. It takes no update. While a bot runs with this
// token, its way of updates is left out: looking at it would interrupt the bot.
func Check(ctx context.Context, cfg Config, running bool) []Finding {
	c := &checker{cfg: &cfg, running: running}
	if err := cfg.complete(); err != nil {
		return c.failed("token", err.Error())
	}
	c.api = newAPI(&cfg)
	return c.check(ctx)
}

type checker struct {
	cfg      *Config
	running  bool
	api      *api
	findings []Finding
}

func (c *checker) passed(what, format string, args ...any) {
	c.findings = append(c.findings, Finding{OK: true, What: what, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) failed(what, message string) []Finding {
	c.findings = append(c.findings, Finding{What: what, Message: message})
	return c.findings
}

func (c *checker) check(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var me userInfo
	if err := c.api.call(ctx, "getMe", struct{}{}, &me); err != nil {
		return c.failed("token", c.words(err))
	}
	c.passed("token", "Telegram knows the bot as @%s", me.Username)
	for _, id := range c.chats() {
		c.checkChat(ctx, me, id)
	}
	if c.running {
		return c.findings
	}
	return c.checkUpdates(ctx)
}

// chats are those that tickets are posted to, that of the spec first.
func (c *checker) chats() []int64 {
	chats := []int64{c.cfg.ChatID}
	for _, r := range c.cfg.Routes {
		if r.ChatID != 0 && !slices.Contains(chats, r.ChatID) {
			chats = append(chats, r.ChatID)
		}
	}
	return chats
}

// checkChat looks at the bot's rights in a chat.
func (c *checker) checkChat(ctx context.Context, me userInfo, id int64) {
	words := func(err error) string { return judge(err, id).message }
	chat, err := c.api.chat(ctx, id)
	if err != nil {
		c.failed("chat", words(err))
		return
	}
	c.passed("chat", "chat %d is the %s %q", chat.ID, chat.Type, chat.name())
	if err := c.api.checkRights(ctx, me, chat); err != nil {
		c.failed("rights", words(err))
		return
	}
	c.passed("rights", "the bot may post there")
	if c.cfg.Topics != "" && c.cfg.Topics != TopicsNone {
		switch err := c.api.checkTopics(ctx, c.cfg, me, chat); {
		case errors.Is(err, errNoTopics):
			c.failed("topics", needsTopicRight(id))
		case err != nil:
			c.failed("topics", words(err))
		default:
			c.passed("topics", "the bot may manage its topics")
		}
	}
	if chat.Type == "group" || chat.Type == "supergroup" {
		c.checkStaff(ctx, me, id)
	}
}

// checkStaff looks at what the bot sees of what the staff writes. An administrator sees everything; others see commands and
// replies to their own messages, unless their owner turned privacy mode off.
func (c *checker) checkStaff(ctx context.Context, me userInfo, id int64) {
	var member memberInfo
	err := c.api.call(ctx, "getChatMember", map[string]int64{"chat_id": id, "user_id": me.ID}, &member)
	const mend = "make the bot an administrator of the chat (any right will do)"
	switch {
	case err != nil:
		c.failed("staff", judge(err, id).message)
	case member.Status == "administrator", member.Status == "creator":
		c.passed("staff", "the bot sees what the staff writes, and who is an administrator")
	case !me.ReadsAll && c.cfg.Topics == TopicsPerTicket:
		c.failed("staff", "in a ticket's topic the bot sees only replies to its own messages, because its privacy mode is on: "+mend)
	case !me.ReadsAll:
		c.passed("staff", "the bot sees commands and replies to its own messages, which is enough; replies to colleagues do not "+
			"reach it, and Telegram may not tell it who is an administrator. To change that, %s", mend)
	default:
		c.passed("staff", "the bot sees what the staff writes; Telegram may not tell it who is an administrator. To change "+
			"that, %s", mend)
	}
}

func (c *checker) words(err error) string { return judge(err, c.cfg.ChatID).message }

// glance is how long checkUpdates polls: another poller, whose poll it ends, is back in that time and ends this one.
const glance = 3 * time.Second

func (c *checker) checkUpdates(ctx context.Context) []Finding {
	var hook struct {
		URL string `json:"url"`
	}
	if err := c.api.call(ctx, "getWebhookInfo", struct{}{}, &hook); err != nil {
		return c.failed("updates", c.words(err))
	}
	if hook.URL != "" {
		host := "another program"
		if u, err := url.Parse(hook.URL); err == nil && u.Host != "" {
			host = u.Host
		}
		return c.failed("updates", "a webhook sends this bot's updates to "+host+": stop the program that set it, and call "+
			"deleteWebhook; or give this bridge a bot of its own")
	}
	_, err := c.api.poll(ctx, pollParams{Limit: 1, Timeout: int(glance / time.Second), AllowedUpdates: allowedUpdates})
	var refusal *refusalError
	switch {
	case errors.As(err, &refusal) && judge(err, c.cfg.ChatID).reason == v1alpha1.ReasonAnotherPoller:
		return c.failed("updates", "a program takes this bot's updates right now: if it is this bridge's own bot, all is "+
			"well; otherwise stop it, or give this bridge a bot of its own")
	case err != nil:
		return c.failed("updates", c.words(err))
	}
	c.passed("updates", "nobody else takes the bot's updates")
	return c.findings
}
