// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// bare is the least that a client of both sides has to do: verify a frame, post its text, answer. It stores nothing, limits
// nothing, tries nothing twice and shares no code with the bot but frames and texts, so what the bot takes beyond it is the price
// of keeping what must not be lost. Posts of the one chat go out one after the other over a connection that is kept, as theirs
// have to, and frames are read and answered meanwhile.
type bare struct {
	key  wire.Key
	ring wire.KeyRing
	url  string // sendMessage's
	chat int64
	http *http.Client
	ws   *websocket.Conn
	show ticket.Options
}

func bareCommand() *cobra.Command {
	var site, telegram, key string
	var chat int64
	cmd := &cobra.Command{
		Use:    "bare",
		Short:  "Run the bare client that the bot is compared with",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := wire.NewKey([]byte(key))
			if err != nil {
				return err
			}
			b := &bare{key: k, ring: wire.NewKeyRing(k), url: telegram + "/sendMessage", chat: chat,
				http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}},
				show: ticket.Options{Texts: ticket.Texts("ru"), Location: time.UTC}}
			return b.run(cmd.Context(), site)
		},
	}
	cmd.Flags().StringVar(&site, "site", "", "the site's WebSocket")
	cmd.Flags().StringVar(&telegram, "telegram", "", "the Bot API with the token")
	cmd.Flags().StringVar(&key, "key", "bench", "the HMAC key")
	cmd.Flags().Int64Var(&chat, "chat", chatID, "the chat")
	return cmd
}

// run serves one connection after the other until ctx ends.
func (b *bare) run(ctx context.Context, site string) error {
	origin, err := url.Parse(strings.Replace(site, "ws", "http", 1))
	if err != nil {
		return fmt.Errorf("read the site's address: %w", err)
	}
	for ctx.Err() == nil {
		ws, resp, err := websocket.DefaultDialer.DialContext(ctx, site, http.Header{"Origin": {origin.Scheme + "://" + origin.Host}})
		if err != nil {
			if ctx.Err() == nil {
				return fmt.Errorf("dial the site: %w", err)
			}
			return nil
		}
		_ = resp.Body.Close() // it has none
		b.ws = ws
		if err := b.serve(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// request is a verified feedback.
type request struct {
	id   string
	sig  wire.Signature
	post ticket.Ticket
}

// serve reads frames until the connection ends, and posts and answers them meanwhile.
func (b *bare) serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = b.ws.Close() })()
	requests := make(chan request, 1024)
	var failure error
	var poster sync.WaitGroup
	poster.Go(func() { failure = b.postAll(ctx, requests) })
	for {
		_, data, err := b.ws.ReadMessage()
		if err != nil { // the site is replaced between two bursts
			close(requests)
			poster.Wait()
			return failure
		}
		frame, err := wire.Decode(data, wire.DefaultLimits())
		if err != nil || frame.Type != wire.TypeNewFeedback {
			continue
		}
		sig, err := frame.Feedback.Verify(b.ring, time.Now(), 45*time.Second)
		if err != nil {
			return err
		}
		f, err := frame.Feedback.Payload()
		if err != nil {
			return err
		}
		requests <- request{id: frame.Feedback.ID, sig: sig, post: ticket.Ticket{ID: ticket.ID(ticket.SourceSite, f.FeedbackID),
			Source: ticket.SourceSite, FeedbackID: f.FeedbackID, TelegramID: f.TelegramID, Username: f.TelegramUsername,
			FirstName: f.TelegramFirstName, Nickname: f.Nickname, Category: f.Category, Message: f.Message}}
	}
}

// postAll posts what was requested, one after the other, and answers each.
func (b *bare) postAll(ctx context.Context, requests <-chan request) error {
	var body, frame []byte
	for n := 0; ; n++ {
		r, open := <-requests
		if !open {
			return nil
		}
		message, err := b.post(ctx, &body, r.post)
		if err != nil {
			return err
		}
		result := wire.Result{ID: r.id, OK: true, TicketID: r.post.ID, MessageID: message, SentAt: time.Now().UTC().Format("2006-01-02T15:04:05")}
		frame, err = result.AppendFrame(frame[:0], b.key, r.sig.Form, time.Now().Unix(), fmt.Sprint("nonce-", n))
		if err == nil {
			err = b.ws.WriteMessage(websocket.TextMessage, frame)
		}
		if err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// bareButton is a button under a post.
type bareButton struct {
	Text string `json:"text"`
	Data string `json:"callback_data"`
}

func (b *bare) post(ctx context.Context, body *[]byte, t ticket.Ticket) (id int64, err error) {
	var rows [2][]bareButton
	for i, status := range ticket.Statuses {
		rows[i/2] = append(rows[i/2], bareButton{b.show.Texts.Statuses[status], ticket.CallbackData(t.ID, status)})
	}
	*body, err = json.Marshal(map[string]any{"chat_id": b.chat, "text": ticket.Render(t, b.show)[0], "parse_mode": "HTML",
		"link_preview_options": map[string]bool{"is_disabled": true}, "reply_markup": map[string]any{"inline_keyboard": rows}})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(*body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("post: %w", err)
	}
	raw, err := io.ReadAll(resp.Body)
	var answer struct {
		OK     bool `json:"ok"`
		Result struct {
			MessageID int64 `json:"message_id"`
		} `json:"result"`
	}
	if err = errors.Join(err, resp.Body.Close(), json.Unmarshal(raw, &answer)); err != nil || !answer.OK {
		return 0, fmt.Errorf("post: %s: %w", raw, err)
	}
	return answer.Result.MessageID, nil
}
