// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"fmt"

	"github.com/go-telegram/bot/models"
)

// update is what the bot reads of an update. The Bot API's types have far more: what Telegram invents in fields that the
// bot does not need must not make an update unreadable.
type update struct {
	Message           *message     `json:"message"`
	EditedMessage     *message     `json:"edited_message"`
	ChannelPost       *message     `json:"channel_post"`
	EditedChannelPost *message     `json:"edited_channel_post"`
	CallbackQuery     *query       `json:"callback_query"`
	MyChatMember      *memberships `json:"my_chat_member"`
}

// message is a message, wherever it was written. From is nil in channels.
type message struct {
	ID         int          `json:"message_id"`
	ThreadID   int          `json:"message_thread_id"`
	InTopic    bool         `json:"is_topic_message"`
	Date       int64        `json:"date"`
	From       *models.User `json:"from"`
	SenderChat *models.Chat `json:"sender_chat"`
	Chat       models.Chat  `json:"chat"`
	// ReplyTo is the message that it answers, without a ReplyTo of its own.
	ReplyTo *message `json:"reply_to_message"`
	// AlbumID is the same for all messages of an album.
	AlbumID         string                       `json:"media_group_id"`
	AuthorSignature string                       `json:"author_signature"`
	Text            string                       `json:"text"`
	Entities        []models.MessageEntity       `json:"entities"`
	Caption         string                       `json:"caption"`
	CaptionEntities []models.MessageEntity       `json:"caption_entities"`
	Keyboard        *models.InlineKeyboardMarkup `json:"reply_markup"`
	// ForwardOrigin is there in what was forwarded.
	ForwardOrigin *present `json:"forward_origin"`
	// AutomaticForward is set on posts of a channel in the group of its comments.
	AutomaticForward bool `json:"is_automatic_forward"`
	// MigratedTo is the supergroup that the group became with this message; 0 in all others.
	MigratedTo int64 `json:"migrate_to_chat_id"`
	// TopicCreated is there in the message that a topic begins with.
	TopicCreated *present `json:"forum_topic_created"`
	media
	unsupported
}

// unsupported are the kinds of content that are not passed on: whether they are there.
type unsupported struct {
	Location  *present `json:"location"`
	Contact   *present `json:"contact"`
	Poll      *present `json:"poll"`
	Dice      *present `json:"dice"`
	Story     *present `json:"story"`
	Checklist *present `json:"checklist"`
	PaidMedia *present `json:"paid_media"`
}

// media are the kinds of content that can be an attachment: whether they are there.
type media struct {
	Photo     []present `json:"photo"`
	Document  *present  `json:"document"`
	Video     *present  `json:"video"`
	Voice     *present  `json:"voice"`
	Audio     *present  `json:"audio"`
	VideoNote *present  `json:"video_note"`
	Animation *present  `json:"animation"`
	Sticker   *present  `json:"sticker"`
}

type present struct{}

// has tells whether there is an attachment.
func (m media) has() bool {
	return len(m.Photo) > 0 || m.Document != nil || m.Video != nil || m.Voice != nil || m.Audio != nil ||
		m.VideoNote != nil || m.Animation != nil || m.Sticker != nil
}

// words are what its writer wrote: its text, or the text under what is attached.
func (m *message) words() string {
	if m.Text != "" {
		return m.Text
	}
	return m.Caption
}

// query is the press of a button. Message is nil where Telegram says nothing of it.
type query struct {
	ID      string      `json:"id"`
	From    models.User `json:"from"`
	Message *message    `json:"message"`
	Data    string      `json:"data"`
}

// accessible tells whether the message still shows its content: Telegram leaves it out of old ones.
func (m *message) accessible() bool { return m != nil && m.Date != 0 }

// memberships is a change of what the bot itself is in a chat.
type memberships struct {
	Chat models.Chat `json:"chat"`
	New  struct {
		Status string `json:"status"`
	} `json:"new_chat_member"`
}

// readUpdate reads an update as it came; its errors are errBadUpdate.
func readUpdate(payload []byte) (*update, error) {
	var u update
	if err := json.Unmarshal(payload, &u); err != nil {
		return nil, fmt.Errorf("%w: it is not what the Bot API describes", errBadUpdate)
	}
	return &u, nil
}

// chatID is the chat that an update belongs to, 0 for none. Updates of one chat are handled in their order.
func (u *update) chatID() int64 {
	for _, m := range []*message{u.Message, u.EditedMessage, u.ChannelPost, u.EditedChannelPost} {
		if m != nil {
			return m.Chat.ID
		}
	}
	switch {
	case u.CallbackQuery != nil && u.CallbackQuery.Message != nil:
		return u.CallbackQuery.Message.Chat.ID
	case u.MyChatMember != nil:
		return u.MyChatMember.Chat.ID
	}
	return 0
}
