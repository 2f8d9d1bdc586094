// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"fmt"
	"time"
)

// MediaKind is what a message carries besides text.
type MediaKind string

// Kinds of media.
const (
	Photo     MediaKind = "photo"
	Document  MediaKind = "document"
	Voice     MediaKind = "voice"
	Video     MediaKind = "video"
	VideoNote MediaKind = "video_note"
	Audio     MediaKind = "audio"
	Animation MediaKind = "animation"
	Sticker   MediaKind = "sticker"
)

// Media is a file in a message. The simulator knows no contents.
type Media struct {
	Kind MediaKind `json:"kind"`
	// FileID names the file to bots; one is made up where it is empty. A copy of a message has the same.
	FileID string `json:"file_id,omitempty"`
	// FileName and MIMEType are the sender's; Size is in bytes.
	FileName string `json:"file_name,omitempty"`
	MIMEType string `json:"mime_type,omitempty"`
	Size     int64  `json:"size,omitempty"`
	// Duration is that of what can be played.
	Duration time.Duration `json:"duration_ns,omitempty"`
}

// apiMedia are the fields of a message that carries media.
type apiMedia struct {
	Photo     []apiFile `json:"photo,omitempty"`
	Document  *apiFile  `json:"document,omitempty"`
	Voice     *apiFile  `json:"voice,omitempty"`
	Video     *apiFile  `json:"video,omitempty"`
	VideoNote *apiFile  `json:"video_note,omitempty"`
	Audio     *apiFile  `json:"audio,omitempty"`
	Animation *apiFile  `json:"animation,omitempty"`
	Sticker   *apiFile  `json:"sticker,omitempty"`
}

// apiFile is any of the Bot API's kinds of files.
type apiFile struct {
	FileID       string `json:"file_id"`
	FileUniqueID string `json:"file_unique_id"`
	FileName     string `json:"file_name,omitempty"`
	MIMEType     string `json:"mime_type,omitempty"`
	FileSize     int64  `json:"file_size,omitempty"`
	Duration     int    `json:"duration,omitempty"`
	Width        int    `json:"width,omitempty"`
	Height       int    `json:"height,omitempty"`
	Length       int    `json:"length,omitempty"`
	Type         string `json:"type,omitempty"`
	Emoji        string `json:"emoji,omitempty"`
}

// complete checks media that a person sends, and gives it an id.
func (m *Media) complete(number int) (*Media, error) {
	if m == nil {
		return nil, nil
	}
	switch m.Kind {
	case Photo, Document, Voice, Video, VideoNote, Audio, Animation, Sticker:
	default:
		return nil, fmt.Errorf("unknown kind of media %q", m.Kind)
	}
	own := *m
	if own.FileID == "" {
		own.FileID = fmt.Sprintf("SIM-%s-%d", own.Kind, number)
	}
	return &own, nil
}

// api is how a message shows its media to bots.
func (m *Media) api() *apiMedia {
	if m == nil {
		return nil
	}
	f := apiFile{FileID: m.FileID, FileUniqueID: "u" + m.FileID, FileName: m.FileName, MIMEType: m.MIMEType, FileSize: m.Size,
		Duration: int(m.Duration / time.Second)}
	switch m.Kind {
	case Photo: // in several sizes, the largest last
		f.FileName, f.MIMEType = "", ""
		small := f
		small.FileID, small.FileUniqueID, small.FileSize = f.FileID+"-s", f.FileUniqueID+"-s", f.FileSize/10
		small.Width, small.Height, f.Width, f.Height = 90, 67, 1280, 960
		return &apiMedia{Photo: []apiFile{small, f}}
	case Document:
		return &apiMedia{Document: &f}
	case Voice:
		return &apiMedia{Voice: &f}
	case Video:
		f.Width, f.Height = 1280, 720
		return &apiMedia{Video: &f}
	case VideoNote:
		f.Length = 240
		return &apiMedia{VideoNote: &f}
	case Audio:
		return &apiMedia{Audio: &f}
	case Animation: // has its file as a document, too
		f.Width, f.Height = 320, 240
		return &apiMedia{Animation: &f, Document: &f}
	}
	f.Width, f.Height, f.Type, f.Emoji = 512, 512, "regular", "👍"
	return &apiMedia{Sticker: &f}
}
