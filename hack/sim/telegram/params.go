// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody bounds a request's body and each of its fields, in bytes; maxUpload a body with a file in it.
const (
	maxBody   = 1 << 20
	maxUpload = 50 << 20
)

// params are a request's parameters by name. Values that are no strings in a JSON body keep their JSON form, which is
// also how forms carry them.
type params map[string]string

// upload is a file in a request.
type upload struct {
	name, mimeType string
	content        []byte
}

// readParams reads the query and the body, whichever form it has, to its end.
func readParams(r *http.Request) (p params, files map[string]upload, err error) {
	p, files = params{}, map[string]upload{}
	p.addValues(r.URL.Query())
	kind, attributes, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	most := int64(maxBody)
	if kind == "multipart/form-data" {
		most = maxUpload
	}
	r.Body = http.MaxBytesReader(nil, r.Body, most)
	switch kind {
	case "multipart/form-data":
		err = p.addMultipart(multipart.NewReader(r.Body, attributes["boundary"]), files)
	case "application/json":
		err = p.addJSON(r.Body)
	case "application/x-www-form-urlencoded":
		err = p.addForm(r.Body)
	default:
		_, err = io.Copy(io.Discard, r.Body)
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return p, files, &Error{Code: http.StatusRequestEntityTooLarge, Description: "Request Entity Too Large"}
	}
	return p, files, err
}

func (p params) addValues(values url.Values) {
	for name, v := range values {
		if len(v) > 0 {
			p[name] = v[0]
		}
	}
}

func (p params) addForm(body io.Reader) error {
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return badRequest("can't parse request body")
	}
	p.addValues(values)
	return nil
}

// addMultipart reads every field. An empty form, which go-telegram/bot sends for methods without parameters, is fine.
func (p params) addMultipart(form *multipart.Reader, files map[string]upload) error {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return multipartError(err)
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return multipartError(err)
		}
		if part.FileName() == "" {
			p[part.FormName()] = string(value)
			continue
		}
		files[part.FormName()] = upload{name: part.FileName(), mimeType: part.Header.Get("Content-Type"), content: value}
	}
}

func multipartError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return badRequest("can't parse multipart form data")
}

func (p params) addJSON(body io.Reader) error {
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return badRequest("can't parse request: object expected")
	}
	for name, value := range fields {
		var s string
		switch {
		case string(value) == "null":
		case json.Unmarshal(value, &s) == nil:
			p[name] = s
		default:
			p[name] = string(value)
		}
	}
	return nil
}

// int returns a number, or fallback for what is none.
func (p params) int(name string, fallback int) int {
	n, err := strconv.Atoi(strings.TrimSpace(p[name]))
	if err != nil {
		return fallback
	}
	return n
}

// int64 returns a number, or 0 for what is none.
func (p params) int64(name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(p[name]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// bool reads a flag: "true", "True", "1", "yes" and "y" are true.
func (p params) bool(name string) bool {
	switch strings.ToLower(p[name]) {
	case "true", "1", "yes", "y":
		return true
	}
	return false
}
