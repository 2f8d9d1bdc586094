// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// picture is what an image begins with.
var picture = []byte("\x89PNG\r\n\x1a\n and so on")

// upload calls a method with a file.
func (s *sim) upload(method, field, name string, content []byte, pairs ...string) (a answer) {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(pairs); i += 2 {
		if err := form.WriteField(pairs[i], pairs[i+1]); err != nil {
			s.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile(field, name)
	if err == nil {
		_, err = part.Write(content)
	}
	if err != nil || form.Close() != nil {
		s.t.Fatal(err)
	}
	s.do(http.MethodPost, "/bot"+telegram.TestToken+"/"+method, form.FormDataContentType(), &body, func(body io.Reader) error {
		return json.NewDecoder(body).Decode(&a)
	})
	return a
}

func (s *sim) do(method, path, contentType string, body io.Reader, read func(io.Reader) error) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := read(resp.Body); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode
}

// download gets a file in the two steps that bots take.
func (s *sim) download(fileID string) (content []byte, size int64) {
	s.t.Helper()
	a := s.call("getFile", "file_id", fileID)
	var f struct {
		FilePath string `json:"file_path"`
		FileSize int64  `json:"file_size"`
	}
	if err := json.Unmarshal(a.Result, &f); err != nil || !a.OK {
		s.t.Fatalf("%v %s", err, a.Description)
	}
	code := s.do(http.MethodGet, "/file/bot"+telegram.TestToken+"/"+f.FilePath, "", http.NoBody, func(body io.Reader) (err error) {
		content, err = io.ReadAll(body)
		return err
	})
	if code != http.StatusOK {
		s.t.Fatalf("HTTP %d: %s", code, content)
	}
	return content, f.FileSize
}

func TestFiles(t *testing.T) {
	s := newSim(t, telegram.Config{})
	chat := strconv.FormatInt(group, 10)
	for _, tc := range []struct {
		what, method, field, name string
		content                   []byte
		wants                     string
	}{
		{"a photo", "sendPhoto", "photo", "a.png", picture, ""},
		{"no picture", "sendPhoto", "photo", "a.png", []byte("text"), "Bad Request: IMAGE_PROCESS_FAILED"},
		{"a document", "sendDocument", "document", "log.txt", []byte("text"), ""},
		{"an empty one", "sendDocument", "document", "log.txt", nil, "Bad Request: file must be non-empty"},
		{"another field", "sendDocument", "photo", "log.txt", []byte("x"), "Bad Request: there is no document in the request"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s.wants(s.upload(tc.method, tc.field, tc.name, tc.content, "chat_id", chat, "caption", "<b>bold</b>", "parse_mode", "HTML"), tc.wants)
		})
	}
	messages := s.Messages(group)
	if len(messages) != 2 || messages[1].Media.FileName != "log.txt" || messages[1].Text != "bold" {
		t.Fatalf("the group has %+v", messages)
	}
	content, size := s.download(messages[1].Media.FileID)
	if string(content) != "text" || size != 4 {
		t.Errorf("downloaded %q of %d bytes", content, size)
	}
	s.wants(s.call("sendDocument", "chat_id", chat, "document", messages[1].Media.FileID), "")
	s.wants(s.call("getFile", "file_id", "nobody's"), "Bad Request: invalid file_id")
	if n := s.Stats().Files; n != 3 {
		t.Errorf("%d files", n)
	}
}

func TestFilesByAddress(t *testing.T) {
	s := newSim(t, telegram.Config{})
	for address, wants := range map[string]string{
		"https://site.example/a.pdf?x=1": "",
		"https://site.example/a.txt":     "Bad Request: wrong type of the web page content",
		"https://site.invalid/a.pdf":     "Bad Request: failed to get HTTP URL content",
		"file:///etc/a.pdf":              "Bad Request: wrong file identifier/HTTP URL specified",
	} {
		s.wants(s.call("sendDocument", "chat_id", strconv.FormatInt(group, 10), "document", address), wants)
	}
}

func TestFilesOfPeople(t *testing.T) {
	s := newSim(t, telegram.Config{})
	sent := func(m telegram.Media) string {
		id, err := s.Write(telegram.Incoming{ChatID: visitor.ID, By: visitor, Media: &m})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := s.Message(visitor.ID, id)
		if got.Media.Content != nil {
			t.Error("a message carries its file's content")
		}
		return got.Media.FileID
	}
	if content, _ := s.download(sent(telegram.Media{Kind: telegram.Voice, Content: []byte("hello")})); string(content) != "hello" {
		t.Errorf("downloaded %q", content)
	}
	if content, size := s.download(sent(telegram.Media{Kind: telegram.Photo, Size: 5000}) + "-s"); len(content) != 500 || size != 500 {
		t.Errorf("downloaded %d bytes of %d", len(content), size)
	}
	s.wants(s.call("getFile", "file_id", sent(telegram.Media{Kind: telegram.Video, Size: 21 << 20})), "Bad Request: file is too big")
	if err := s.FailNext("download", telegram.FaultInternal, 1); err != nil {
		t.Fatal(err)
	}
	code := s.do(http.MethodGet, "/file/bot"+telegram.TestToken+"/voices/x.oga", "", http.NoBody, func(io.Reader) error { return nil })
	other := s.do(http.MethodGet, "/file/bot1:other/voices/x.oga", "", http.NoBody, func(io.Reader) error { return nil })
	if code != http.StatusInternalServerError || other != http.StatusUnauthorized {
		t.Errorf("HTTP %d, then %d", code, other)
	}
}
