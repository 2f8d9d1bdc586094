// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// file is a file of a message's: an attachment, or one size of a photo.
type file struct {
	ID       string `json:"file_id"`
	Name     string `json:"file_name"`
	MIME     string `json:"mime_type"`
	Size     int64  `json:"file_size"` // 0 where Telegram does not say
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Animated bool   `json:"is_animated"` // of a sticker
	Video    bool   `json:"is_video"`    // of a sticker
}

// UnmarshalJSON reads what it understands: no file is worth that its message cannot be read.
func (f *file) UnmarshalJSON(data []byte) error {
	type plain file
	_ = json.Unmarshal(data, (*plain)(f))
	return nil
}

const (
	// enoughPixels is the longer side of a photo that shows what a person photographed.
	enoughPixels = 1280
	// mostForSite is the size, in bytes, of which more does not fit a frame for the site.
	mostForSite = 700 << 10 / 4 * 3
	// maxFileName and maxMIME bound a file's name, in UTF-16 units, and its type.
	maxFileName, maxMIME = 128, 127
)

// attached is the file of a message as the site is told of it; nothing where there is none.
func (m *message) attached() []store.Attachment {
	name, mime := "file", ""
	var f *file
	switch {
	case len(m.Photo) > 0:
		f, name, mime = sufficient(m.Photo), "photo.jpg", "image/jpeg"
	case m.Animation != nil: // it is there as a document, too
		f, name, mime = m.Animation, "animation.mp4", "video/mp4"
	case m.Document != nil:
		f, mime = m.Document, "application/octet-stream"
	case m.Video != nil:
		f, name, mime = m.Video, "video.mp4", "video/mp4"
	case m.Voice != nil:
		f, name, mime = m.Voice, "voice.ogg", "audio/ogg"
	case m.Audio != nil:
		f, name, mime = m.Audio, "audio.mp3", "audio/mpeg"
	case m.VideoNote != nil:
		f, name, mime = m.VideoNote, "video.mp4", "video/mp4"
	case m.Sticker == nil:
		return nil
	case m.Sticker.Video:
		f, name, mime = m.Sticker, "sticker.webm", "video/webm"
	case m.Sticker.Animated:
		f, name, mime = m.Sticker, "sticker.tgs", "application/gzip"
	default:
		f, name, mime = m.Sticker, "sticker.webp", "image/webp"
	}
	if f.Name != "" {
		name = fileName(f.Name)
	}
	return []store.Attachment{{Name: name, MIME: cmp.Or(ticket.Line(f.MIME, maxMIME), mime),
		Size: max(f.Size, 0), FileID: f.ID}}
}

// sufficient is the smallest size of a photo that shows enough, or the largest that the site can be sent. Telegram gives
// them in their order, the smallest first.
func sufficient(sizes []file) *file {
	best := &sizes[0]
	for i := range sizes[1:] {
		if max(best.Width, best.Height) >= enoughPixels || sizes[i+1].Size > mostForSite {
			break
		}
		best = &sizes[i+1]
	}
	return best
}

// actorOf is a person as the site is told of them.
func actorOf(u *models.User) store.Actor {
	return store.Actor{TelegramID: u.ID, Username: u.Username, Name: ticket.Line(u.FirstName+" "+u.LastName, maxNickname)}
}

// by is who wrote a message, as the site is told of them. An anonymous administrator stays one.
func (m *message) by() store.Actor {
	if m.From == nil || m.inChatsName() {
		return store.Actor{Name: m.actor()}
	}
	return actorOf(m.From)
}

// localePattern is the form of a language's name that the protocol knows.
var localePattern = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)

// locale is the language of the person's Telegram, or else that which the bot speaks with them.
func (t *talk) locale() string {
	if localePattern.MatchString(t.user.LanguageCode) {
		return t.user.LanguageCode
	}
	return strings.ToLower(t.person.Language)
}
