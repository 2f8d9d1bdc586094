// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

const (
	// maxDownload is the largest file that bots can download, in bytes.
	maxDownload = 20 << 20
	// maxKept and maxKeptBytes bound the files that are kept, the oldest dropped first.
	maxKept, maxKeptBytes = 20_000, 128 << 20
	// madeUpSize is the size of a file of which nobody said it.
	madeUpSize = 1 << 10
)

// File is what is known of a file.
type File struct {
	Kind    MediaKind
	Name    string
	MIME    string
	Size    int64
	Content []byte // nil where it is made up
}

// fileStore has the files by their ids. It is guarded by Server.mu.
type fileStore struct {
	byID  map[string]File
	order []string
	bytes int
}

func (f *fileStore) add(id string, file File) {
	if f.byID == nil {
		f.byID = map[string]File{}
	}
	if _, known := f.byID[id]; known {
		return
	}
	f.byID[id] = file
	f.order = append(f.order, id)
	for f.bytes += len(file.Content); len(f.order) > maxKept || f.bytes > maxKeptBytes; f.order = f.order[1:] {
		f.bytes -= len(f.byID[f.order[0]].Content)
		delete(f.byID, f.order[0])
	}
}

// content is what is in a file.
func (f File) content() []byte {
	if f.Content != nil {
		return f.Content
	}
	return slices.Repeat([]byte("made up "), int(f.Size/8)+1)[:f.Size]
}

// keep keeps the file of a message, and what Telegram makes of it, and returns it without its content.
func (s *Server) keep(m *Media) *Media {
	if m == nil {
		return nil
	}
	own := *m
	own.Content = nil
	f := File{Kind: m.Kind, Name: m.FileName, MIME: m.MIMEType, Size: m.Size, Content: m.Content}
	if f.Size == 0 {
		f.Size = madeUpSize
	}
	s.files.add(m.FileID, f)
	if m.Kind == Photo {
		small := File{Kind: Photo, Size: f.Size / 10}
		s.files.add(m.FileID+"-s", small)
	}
	return &own
}

// File returns a file by its id.
func (s *Server) File(id string) (content []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.files.byID[id]
	if !ok {
		return nil, false
	}
	return f.content(), true
}

// extensions end the paths of files.
var extensions = map[MediaKind]string{Photo: ".jpg", Document: ".bin", Voice: ".oga", Video: ".mp4", VideoNote: ".mp4",
	Audio: ".mp3", Animation: ".mp4", Sticker: ".webp"}

func (s *Server) getFile(c *call) (any, error) {
	id := c.params["file_id"]
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.files.byID[id]
	switch {
	case !ok:
		return nil, badRequest("invalid file_id")
	case f.Size > maxDownload:
		return nil, badRequest("file is too big")
	}
	return struct {
		FileID       string `json:"file_id"`
		FileUniqueID string `json:"file_unique_id"`
		FileSize     int64  `json:"file_size"`
		FilePath     string `json:"file_path"`
	}{id, "u" + id, f.Size, string(f.Kind) + "s/" + id + extensions[f.Kind]}, nil
}

// download is what faults and counters call the download of a file.
const download = "download"

// serveFile answers /file/bot<token>/<path>.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	entry := RequestEntry{Time: s.clock(), Method: download}
	fault := s.nextFault(download, params{})
	entry.Fault = faultKind(fault)
	if s.sabotage(w, r, fault) {
		s.record(entry, start)
		return
	}
	content, err := s.atPath(r.URL.Path)
	if refused := fault.refusal(); refused != nil {
		err = refused
	}
	entry.setError(err)
	s.record(entry, start)
	if err != nil {
		writeAnswer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content) // a client that has gone away is no concern of the server's
}

func (s *Server) atPath(address string) ([]byte, error) {
	token, file, _ := strings.Cut(strings.TrimPrefix(address, "/file/bot"), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	if token != s.token {
		return nil, &Error{Code: http.StatusUnauthorized, Description: "Unauthorized"}
	}
	f, ok := s.files.byID[strings.TrimSuffix(path.Base(file), path.Ext(file))]
	if !ok {
		return nil, &Error{Code: http.StatusNotFound, Description: "Not Found"}
	}
	return f.content(), nil
}

// sendFile is the method that sends one kind of files.
func sendFile(kind MediaKind) method {
	return func(s *Server, c *call) (any, error) {
		buttons, err := parseMarkup(c.params["reply_markup"], false)
		if err != nil {
			return nil, err
		}
		caption, _, err := composeCaption(c.params)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.postFile(c, kind, caption, buttons)
	}
}

// postFile posts a file. The file is looked at when the chat was: a bot that may not write hears that first.
func (s *Server) postFile(c *call, kind MediaKind, caption richtext.Text, buttons [][]Button) (any, error) {
	p := c.params
	ch, err := s.chatFor(p)
	if err != nil {
		return nil, err
	}
	if err := ch.writable(); err != nil {
		return nil, err
	}
	if ch.NoMedia {
		return nil, badRequest("not enough rights to send " + mediaInRefusals[kind] + " to the chat")
	}
	media, err := s.fileOf(c, kind)
	if err != nil {
		return nil, err
	}
	reply, err := ch.replyTarget(p)
	if err != nil {
		return nil, err
	}
	thread, err := ch.threadFor(p, reply)
	if err != nil {
		return nil, err
	}
	if err := s.admit(ch); err != nil {
		return nil, err
	}
	caption = caption.KeepMentions(s.person)
	m := &message{Message: Message{ThreadID: thread, From: s.bot, Text: caption.Text, Entities: caption.Entities,
		Media: s.keep(media), Buttons: buttons, ReplyTo: reply}}
	s.post(ch, m)
	s.stats.Files++
	return ch.api(m, true), nil
}

// fileOf is the file that a request sends.
func (s *Server) fileOf(c *call, kind MediaKind) (*Media, error) {
	s.nextFile++
	m := &Media{Kind: kind, FileID: fmt.Sprintf("SIM-%s-%d", kind, s.nextFile)}
	value := c.params[string(kind)]
	if u, uploaded := c.files[string(kind)]; uploaded {
		m.FileName, m.MIMEType, m.Content, m.Size = u.name, u.mimeType, u.content, int64(len(u.content))
		switch {
		case len(u.content) == 0:
			return nil, badRequest("file must be non-empty")
		case kind == Photo && !strings.HasPrefix(http.DetectContentType(u.content), "image/"):
			return nil, badRequest("IMAGE_PROCESS_FAILED")
		}
		return m, nil
	}
	if f, known := s.files.byID[value]; known {
		m.FileID, m.FileName, m.MIMEType, m.Size = value, f.Name, f.MIME, f.Size
		return m, nil
	}
	u, err := url.Parse(value)
	switch {
	case value == "":
		return nil, badRequest("there is no " + string(kind) + " in the request")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, badRequest("wrong file identifier/HTTP URL specified")
	case strings.HasSuffix(u.Hostname(), ".invalid"):
		return nil, badRequest("failed to get HTTP URL content")
	case !slices.Contains(fetchable[kind], strings.ToLower(path.Ext(u.Path))):
		return nil, badRequest("wrong type of the web page content")
	}
	m.URL, m.FileName = value, path.Base(u.Path)
	return m, nil
}

// fetchable are the ends of addresses from which Telegram takes a kind of files.
var fetchable = map[MediaKind][]string{
	Photo: {".jpg", ".jpeg", ".png", ".webp"}, Document: {".pdf", ".zip", ".gif"}, Video: {".mp4"}, Audio: {".mp3", ".m4a"},
	Voice: {".ogg", ".oga"}, Animation: {".gif", ".mp4"},
}
