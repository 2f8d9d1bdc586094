// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// Error is a refusal of the Bot API.
type Error struct {
	Code        int // also the HTTP status
	Description string
	RetryAfter  int   // seconds; for 429
	MigrateTo   int64 // chat id; for a group that became a supergroup
}

func (e *Error) Error() string { return e.Description }

func badRequest(description string) error {
	return &Error{Code: http.StatusBadRequest, Description: "Bad Request: " + description}
}

func forbidden(description string) error {
	return &Error{Code: http.StatusForbidden, Description: "Forbidden: " + description}
}

func tooManyRequests(retryAfter int) error {
	return &Error{Code: http.StatusTooManyRequests, RetryAfter: retryAfter,
		Description: fmt.Sprintf("Too Many Requests: retry after %d", retryAfter)}
}

// refused words a refusal of richtext as the Bot API does.
func refused(err error) error {
	var r richtext.Refusal
	if !errors.As(err, &r) {
		return err
	}
	text := string(r)
	return badRequest(strings.ToLower(text[:1]) + text[1:])
}

// call is one Bot API request.
type call struct {
	ctx    context.Context // the request's
	params params
}

// method answers a call with what goes into "result". It returns *Error for refusals.
type method func(*Server, *call) (any, error)

// methods by lower-case name: the Bot API ignores case.
var methods = map[string]method{
	"getme":                  (*Server).getMe,
	"getupdates":             (*Server).getUpdates,
	"getwebhookinfo":         (*Server).getWebhookInfo,
	"deletewebhook":          (*Server).deleteWebhook,
	"setmycommands":          (*Server).setMyCommands,
	"getmycommands":          (*Server).getMyCommands,
	"deletemycommands":       (*Server).deleteMyCommands,
	"getchat":                (*Server).getChat,
	"getchatmember":          (*Server).getChatMember,
	"getchatadministrators":  (*Server).getChatAdministrators,
	"getchatmembercount":     (*Server).getChatMemberCount,
	"sendmessage":            (*Server).sendMessage,
	"copymessage":            (*Server).copyMessage,
	"setmessagereaction":     (*Server).setMessageReaction,
	"createforumtopic":       (*Server).createForumTopic,
	"editforumtopic":         (*Server).editForumTopic,
	"closeforumtopic":        (*Server).closeForumTopic,
	"reopenforumtopic":       (*Server).reopenForumTopic,
	"deleteforumtopic":       (*Server).deleteForumTopic,
	"sendchataction":         (*Server).sendChatAction,
	"editmessagetext":        (*Server).editMessageText,
	"editmessagecaption":     (*Server).editMessageCaption,
	"editmessagereplymarkup": (*Server).editMessageReplyMarkup,
	"deletemessage":          (*Server).deleteMessage,
	"answercallbackquery":    (*Server).answerCallbackQuery,
}

// serveBotAPI answers /bot<token>/<method>.
func (s *Server) serveBotAPI(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	token, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	name = strings.ToLower(name)
	p, err := readParams(r)
	entry := RequestEntry{Time: s.clock(), Method: name, Params: p}
	var result any
	switch {
	case !ok || !strings.Contains(token, ":"):
		err = &Error{Code: http.StatusNotFound, Description: "Not Found"}
	case err == nil:
		fault := s.nextFault(name, p)
		entry.Fault = faultKind(fault)
		if s.sabotage(w, r, fault) {
			if entry.Fault == FaultBadGateway {
				entry.Code = http.StatusBadGateway
			}
			s.record(entry, start)
			return
		}
		if err = fault.refusal(); err == nil {
			result, err = s.dispatch(&call{ctx: r.Context(), params: p}, token, name)
		}
		if fault.ruinsAnswer() {
			s.record(entry, start)
			s.ruinAnswer(w, fault, result, err)
			return
		}
	}
	entry.setError(err)
	s.record(entry, start)
	if r.Context().Err() == nil {
		writeAnswer(w, result, err)
	}
}

// dispatch checks the token and runs the method.
func (s *Server) dispatch(c *call, token, name string) (any, error) {
	s.mu.Lock()
	known := token == s.token
	s.mu.Unlock()
	if !known {
		return nil, &Error{Code: http.StatusUnauthorized, Description: "Unauthorized"}
	}
	m, ok := methods[name]
	if !ok {
		return nil, &Error{Code: http.StatusNotFound, Description: "Not Found: method not found"}
	}
	return m(s, c)
}

// envelope is the shape of every answer.
type envelope struct {
	OK          bool        `json:"ok"`
	Result      any         `json:"result,omitempty"`
	ErrorCode   int         `json:"error_code,omitempty"`
	Description string      `json:"description,omitempty"`
	Parameters  *parameters `json:"parameters,omitempty"`
}

type parameters struct {
	MigrateToChatID int64 `json:"migrate_to_chat_id,omitempty"`
	RetryAfter      int   `json:"retry_after,omitempty"`
}

// encodeAnswer returns the status and body of an answer.
func encodeAnswer(result any, err error) (int, []byte) {
	status, e := http.StatusOK, envelope{OK: true, Result: result}
	if err != nil {
		var refusal *Error
		if !errors.As(err, &refusal) {
			refusal = &Error{Code: http.StatusInternalServerError, Description: "Internal Server Error: " + err.Error()}
		}
		status, e = refusal.Code, envelope{ErrorCode: refusal.Code, Description: refusal.Description}
		if refusal.RetryAfter != 0 || refusal.MigrateTo != 0 {
			e.Parameters = &parameters{MigrateToChatID: refusal.MigrateTo, RetryAfter: refusal.RetryAfter}
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return http.StatusInternalServerError, []byte(`{"ok":false,"error_code":500,"description":"Internal Server Error"}`)
	}
	return status, body
}

func writeAnswer(w http.ResponseWriter, result any, err error) {
	status, body := encodeAnswer(result, err)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	var refusal *Error
	if errors.As(err, &refusal) && refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(refusal.RetryAfter))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone away is no concern of the server's
}
