// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// verdict is what the end of a call means.
type verdict struct {
	// final: Telegram refuses this very message, and always will.
	final bool
	// done: the call did what it should, or there was nothing to do.
	done bool
	// maybe: the call may have been carried out.
	maybe bool
	// again: the call can be made at once, in another way.
	again bool
	// person: it is about somebody who does not want the bot's messages.
	person bool
	// topic is what is wrong with the topic.
	topic topicTrouble
	// migrateTo is the supergroup that the chat has become.
	migrateTo int64
	// harmless: messages reach the chat all the same.
	harmless bool
	// wait is how long Telegram asked to wait.
	wait time.Duration
	// reason and message are for the report: one of v1alpha1's reasons, and what to do. A final verdict has no reason.
	reason, message string
}

// Descriptions by which Telegram's refusals with code 400 are told apart: there is nothing else to tell them by. They
// are compared in lower case; the rest of a description varies.
var (
	unchanged = []string{"message is not modified"}
	noChat    = []string{"chat not found", "peer_id_invalid", "chat_id_invalid", "channel_private"}
	migrated  = []string{"upgraded to a supergroup"}
	noTopic   = []string{"message thread not found", "topic_deleted", "topic_id_invalid"}
	shutTopic = []string{"topic_closed"}
	noTopics  = []string{"chat is not a forum", "not enough rights to create a topic", "not enough rights to edit the topic",
		"channel_forum_missing", "topics are disabled"}
	sameTopic = []string{"topic_not_modified"}
	noPerson  = []string{"blocked by the user", "user is deactivated", "initiate conversation", "can't send messages to bots"}
	noRights  = []string{"not enough rights", "have no rights", "need administrator rights", "chat_write_forbidden",
		"chat_send_plain_forbidden", "chat_restricted", "chat_admin_required", "user_banned_in_channel"}
	// noMedia are what a group can forbid of while text may be written.
	noMedia = regexp.MustCompile(`not enough rights to send (photos|videos|video notes|voice notes|audios|music|documents|stickers|animations|gifs|polls|games|media)|` +
		`chat_send_(photos|videos|roundvideos|voices|audios|docs|stickers|gifs|media|games|polls)_forbidden`)
)

// judge reads an error of a call about a chat.
func judge(err error, chatID int64) verdict {
	var refusal *refusalError
	var outage *outageError
	switch {
	case errors.As(err, &refusal):
		return judgeRefusal(refusal, chatID)
	case errors.As(err, &outage):
		return verdict{maybe: outage.Reached, reason: v1alpha1.ReasonUnreachable,
			message: "the Bot API cannot be reached: " + outage.What}
	}
	// go-telegram/bot could not read the answer; its error quotes it, and with it the message.
	return verdict{maybe: true, reason: v1alpha1.ReasonUnreachable,
		message: "the Bot API cannot be reached: its answer broke off or cannot be read"}
}

func judgeRefusal(e *refusalError, chatID int64) verdict {
	switch e.Code {
	case http.StatusUnauthorized, http.StatusNotFound:
		return verdict{reason: v1alpha1.ReasonTokenRefused, message: "Telegram does not know the bot's token: put the " +
			"token that BotFather gave into the Secret that spec.telegram.tokenSecretRef names"}
	case http.StatusForbidden:
		return mayNotPost(e, chatID)
	case http.StatusConflict:
		return judgeConflict(e)
	case http.StatusTooManyRequests:
		wait := max(e.RetryAfter, time.Second)
		return verdict{wait: wait, reason: v1alpha1.ReasonRateLimited,
			message: fmt.Sprintf("Telegram asked to wait %s before the next message", wait)}
	case http.StatusBadRequest:
		return judgeBadRequest(e, chatID)
	case http.StatusRequestEntityTooLarge:
		return verdict{final: true, message: e.Description}
	}
	return verdict{reason: v1alpha1.ReasonUnreachable, message: "the Bot API refuses calls: " + e.Error()}
}

// says tells whether Telegram's words have one of the phrases in them.
func (e *refusalError) says(phrases []string) bool {
	description := strings.ToLower(e.Description)
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(description, p) })
}

func judgeBadRequest(e *refusalError, chatID int64) verdict {
	says := e.says
	switch {
	case e.MigrateTo != 0:
		return verdict{migrateTo: e.MigrateTo, reason: v1alpha1.ReasonChatMigrated, message: fmt.Sprintf(
			"the group became a supergroup: set spec.telegram.chatID to %q", strconv.FormatInt(e.MigrateTo, 10))}
	case says(migrated):
		return verdict{reason: v1alpha1.ReasonChatMigrated, message: "the group became a supergroup with another id: " +
			"set spec.telegram.chatID to it"}
	case says(unchanged), says(sameTopic):
		return verdict{done: true}
	case says(noTopic):
		return verdict{topic: topicGone}
	case says(shutTopic):
		return verdict{topic: topicClosed}
	case says(noTopics):
		return verdict{topic: topicBarred}
	case says(noChat), says(noPerson):
		return verdict{person: says(noPerson), reason: v1alpha1.ReasonChatNotFound, message: fmt.Sprintf("Telegram shows the bot no chat %d: "+
			"add the bot to the group, or correct spec.telegram.chatID", chatID)}
	case noMedia.MatchString(strings.ToLower(e.Description)): // text goes through: nothing that waits behind it may have to wait
		return verdict{final: true, message: e.Description}
	case says(noRights):
		return mayNotPost(e, chatID)
	}
	return verdict{final: true, message: e.Description}
}

func mayNotPost(e *refusalError, chatID int64) verdict {
	return verdict{person: e.says(noPerson), reason: v1alpha1.ReasonNoRights, message: fmt.Sprintf("the bot may not post in chat %d (%s): add it "+
		"to the group and let it send messages", chatID, e.Description)}
}

func judgeConflict(e *refusalError) verdict {
	if strings.Contains(strings.ToLower(e.Description), "webhook") {
		return verdict{reason: v1alpha1.ReasonAnotherPoller, message: "a webhook is set for this bot, so its updates go " +
			"elsewhere: stop the program that set it, and call deleteWebhook"}
	}
	return verdict{reason: v1alpha1.ReasonAnotherPoller, message: "another program takes this bot's updates: stop it, or " +
		"give this bridge a bot of its own"}
}
