// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// What a topic's key in the store begins with.
const (
	topicOfCategory = "category:"
	topicOfTicket   = "ticket:"
)

const (
	// maxTopicName is the longest name of a topic, in UTF-16 units.
	maxTopicName = 128
	// maxTopics is how many topics a chat may have before one is made for a category that is made up.
	maxTopics = 64
)

// TopicKey is the key of the topic that a ticket belongs to, "" for none. It is the store's Options.Topic.
func (c *Config) TopicKey(t ticket.Ticket) string {
	switch c.Topics {
	case TopicsPerCategory:
		return topicOfCategory + topicCategory(t.Category)
	case TopicsPerTicket:
		return topicOfTicket + t.ID
	}
	return ""
}

// topicCategory is the category whose topic a ticket goes to, in a form that can be a key: a site may have words of its own,
// and may let its visitors write anything.
func topicCategory(name string) string { return cmp.Or(ticket.Line(name, maxTopicName), "other") }

// madeUp tells whether a category is one that neither the spec nor everybody knows: a site may have words of its own, and
// may let its visitors write anything.
func (c *Config) madeUp(category string) bool {
	_, _, known := c.show().Texts.Category(category, c.Intake.Categories)
	return !known && !slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Category == category })
}

// topicName is what a topic is called that has this key.
func (c *Config) topicName(key string, t ticket.Ticket) string {
	if category, ok := strings.CutPrefix(key, topicOfCategory); ok {
		icon, title, _ := c.show().Texts.Category(category, c.Intake.Categories)
		return ticket.Line(icon+" "+title, maxTopicName)
	}
	name := strings.TrimPrefix(key, topicOfTicket)
	for _, who := range []string{t.Nickname, t.FirstName, t.Username} {
		if who = ticket.Line(who, maxTopicName/2); who != "" {
			name += " · " + who
			break
		}
	}
	return ticket.Line(name, maxTopicName)
}

// forum is what a chat's goroutine has learned of the chat's topics.
type forum struct {
	// closedUntil is until when no topic is made, for the last one could not be.
	closedUntil time.Time
}

func (f *forum) open() bool { return time.Now().After(f.closedUntil) }

// topicTrouble is why a topic was not to be had.
type topicTrouble int

const (
	topicFine topicTrouble = iota
	// topicGone: it was deleted.
	topicGone
	// topicClosed: it is closed, and the bot may not write there.
	topicClosed
	// topicBarred: the chat has no topics, or the bot may not manage them.
	topicBarred
)

// wantsTopic tells whether the topic that the job goes to has to be made first.
func (d *delivery) wantsTopic() bool {
	switch d.job.Kind {
	case store.JobPost, store.JobMessage, store.JobCopy:
		return d.job.Topic != "" && d.job.ThreadID == 0 && !d.noTopic && d.forum.open() && !d.tooManyTopics()
	}
	return false
}

// tooManyTopics tells whether the chat has so many that one more has to be worth it.
func (d *delivery) tooManyTopics() bool {
	category, ok := strings.CutPrefix(d.job.Topic, topicOfCategory)
	return ok && d.job.Topics >= maxTopics && d.cfg.madeUp(category)
}

func (d *delivery) makeTopic(ctx context.Context) error {
	var made struct {
		ThreadID int64 `json:"message_thread_id"`
	}
	params := struct {
		ChatID int64  `json:"chat_id"`
		Name   string `json:"name"`
	}{d.job.ChatID, d.cfg.topicName(d.job.Topic, d.job.Ticket)}
	if err := d.api.call(ctx, "createForumTopic", params, &made); err != nil {
		return err
	}
	if made.ThreadID == 0 {
		return &outageError{What: "its answer to createForumTopic names no topic"}
	}
	d.job.ThreadID, d.thread, d.justMade = made.ThreadID, made.ThreadID, true
	return nil
}

// toggleTopic closes the topic of a ticket that is closed, and opens that of any other.
func (d *delivery) toggleTopic(ctx context.Context) error {
	d.at = time.Now()
	if d.job.ThreadID == 0 {
		return nil
	}
	method := "reopenForumTopic"
	if d.job.Status == ticket.StatusClosed {
		method = "closeForumTopic"
	}
	var done bool
	return d.api.call(ctx, method, struct {
		ChatID   int64 `json:"chat_id"`
		ThreadID int64 `json:"message_thread_id"`
	}{d.job.ChatID, d.job.ThreadID}, &done)
}

// judgeTopic finds another way where a topic is not to be had: a new topic where it is gone, no topic where there cannot be one. A
// ticket that everybody sees in the wrong place is better than one that nobody sees.
func (d *delivery) judgeTopic(v verdict) verdict {
	if d.job.Kind == store.JobTopic { // it is as closed as it can be
		return verdict{done: true}
	}
	why := fmt.Sprintf("the topic %d of chat %d is gone", d.job.ThreadID, d.job.ChatID)
	switch {
	case v.topic == topicGone && d.job.Topic != "" && d.forum.open():
		d.job.ThreadID, d.thread = 0, 0
		return verdict{again: true, message: why + ": a new one is made"}
	case v.topic == topicBarred:
		d.forum.closedUntil = time.Now().Add(lookAgain)
		why = needsTopicRight(d.job.ChatID)
	case v.topic == topicClosed:
		why = fmt.Sprintf("the topic %d of chat %d is closed, and the bot may not write there", d.job.ThreadID, d.job.ChatID)
	}
	d.job.ThreadID, d.noTopic = 0, true
	return verdict{again: true, harmless: true, reason: v1alpha1.ReasonNoRights, message: why + "; its tickets go to the general topic"}
}

// needsTopicRight says which right is missing.
func needsTopicRight(chatID int64) string {
	return fmt.Sprintf("chat %d has no topics, or the bot may not manage them: turn topics on in the group, and give the bot the right "+
		"\"Manage topics\" (can_manage_topics)", chatID)
}

// errNoTopics is what checkTopics finds.
var errNoTopics = errors.New("the bot cannot make topics")

// checkTopics looks up whether the bot may make the topics that the spec asks for.
func (a *api) checkTopics(ctx context.Context, cfg *Config, me userInfo, chat chatInfo) error {
	if cfg.Topics != TopicsPerCategory && cfg.Topics != TopicsPerTicket {
		return nil
	}
	member, err := a.member(ctx, chat.ID, me.ID)
	if err != nil {
		return err
	}
	if !chat.IsForum || member.Status != "creator" && !member.CanManageTopics {
		return errNoTopics
	}
	return nil
}
