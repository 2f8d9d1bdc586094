// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// upload is a file on its way to Telegram. What is in it is the job's Content, or at URL, where Telegram fetches it: the bot
// never does.
type upload struct {
	Name string `json:"name"`
	MIME string `json:"mime,omitempty"`
	URL  string `json:"url,omitempty"`
}

// way is a method that sends a file, with the name of its parameter.
type way struct{ method, field string }

var asDocument = way{"sendDocument", "document"}

// ways are those for files that Telegram shows by itself.
var ways = map[string]way{
	"image/jpeg": {"sendPhoto", "photo"}, "image/png": {"sendPhoto", "photo"}, "image/webp": {"sendPhoto", "photo"},
	"image/gif": {"sendAnimation", "animation"}, "video/mp4": {"sendVideo", "video"}, "audio/mpeg": {"sendAudio", "audio"},
}

// way is how a file is sent at first.
func (u *upload) way() way {
	if w, known := ways[u.mediaType()]; known {
		return w
	}
	return asDocument
}

// mediaType is the file's type without parameters; that of anything where it is none.
func (u *upload) mediaType() string {
	t, _, err := mime.ParseMediaType(u.MIME)
	if err != nil || !strings.Contains(t, "/") {
		return "application/octet-stream"
	}
	return t
}

// fileParams are the parameters of a call that sends a file: an uploaded one, or one for Telegram to fetch.
type fileParams struct {
	messageParams
	field, url        string
	name, contentType string
	content           []byte
}

// fields are the parameters that are no file, by their names.
func (f fileParams) fields() (fields map[string]json.RawMessage, err error) {
	body, err := json.Marshal(f.messageParams)
	if err == nil {
		err = json.Unmarshal(body, &fields)
	}
	return fields, err
}

// MarshalJSON is the call without an upload.
func (f fileParams) MarshalJSON() ([]byte, error) {
	fields, err := f.fields()
	if err != nil {
		return nil, err
	}
	if fields[f.field], err = json.Marshal(f.url); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// form writes the call with its upload as a multipart form.
func (f fileParams) form(body *bytes.Buffer) (contentType []string, err error) {
	fields, err := f.fields()
	if err != nil {
		return nil, err
	}
	form := multipart.NewWriter(body)
	for name, value := range fields {
		text := string(value)
		_ = json.Unmarshal(value, &text) // what is no string stays JSON
		err = errors.Join(err, form.WriteField(name, text))
	}
	head := textproto.MIMEHeader{"Content-Type": {f.contentType},
		"Content-Disposition": {multipart.FileContentDisposition(f.field, f.name)}}
	part, openErr := form.CreatePart(head)
	if err = errors.Join(err, openErr); err != nil {
		return nil, fmt.Errorf("make a form: %w", err)
	}
	if _, err := io.Copy(part, bytes.NewReader(f.content)); err != nil {
		return nil, fmt.Errorf("write a file into a form: %w", err)
	}
	return []string{form.FormDataContentType()}, form.Close()
}

// sendFile sends a file.
func (d *delivery) sendFile(ctx context.Context) error {
	p, err := decodePayload(d.job.Payload)
	switch {
	case err != nil:
		return err
	case p.File == nil, p.File.URL == "" && len(d.job.Content) == 0:
		return fmt.Errorf("%w: there is no file in it", errBadJob)
	}
	if d.job.MaybeSent {
		p = p.repeated(d.texts(p), maxCaption)
	}
	w := p.File.way()
	if d.plainly {
		w = asDocument
	}
	return d.call(ctx, w.method, fileParams{
		messageParams: messageParams{ChatID: d.job.ChatID, ThreadID: d.job.ThreadID, Caption: p.Text, CaptionEntities: p.Entities,
			ParseMode: p.parseMode(), Reply: replyTo(d.job.ReplyTo)},
		field: w.field, url: p.File.URL, name: p.File.Name, contentType: p.File.mediaType(), content: d.job.Content,
	})
}

// mostUnanswered is how often a file is tried of which Telegram says nothing, though it answers.
const mostUnanswered = 3

// judgeFile finds another way for a file: what Telegram does not take as what it is it may take as a document. One that it
// has no answer to, time and again, it is not made to take: everything waits behind it.
func (d *delivery) judgeFile(ctx context.Context, v verdict) verdict {
	if v.maybe {
		if d.unanswered++; d.unanswered >= mostUnanswered {
			ctx, cancel := callContext(ctx)
			defer cancel()
			if _, err := d.api.chat(ctx, d.job.ChatID); err == nil {
				v = verdict{final: true, message: "Telegram has no answer to this file"}
			}
		}
		return v
	}
	p, err := decodePayload(d.job.Payload)
	if !v.final || d.plainly || err != nil || p.File == nil || p.File.way() == asDocument {
		return v
	}
	d.plainly = true
	return verdict{again: true, message: v.message}
}
