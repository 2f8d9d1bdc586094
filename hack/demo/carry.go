// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	simtelegram "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	sampleFile = "hack/demo/feedback.jsonl"
	chatID     = -1001234567890
)

// carry has the site send the sample feedback, and shows the chat and the results.
func carry(ctx context.Context, site, telegram string) error {
	step("the site sends the feedback of %s (10 seconds)", sampleFile)
	f, err := os.Open(sampleFile)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	var ids []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		id, err := send(ctx, site, lines.Bytes())
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	results := make([]simsite.Sent, len(ids))
	for i, id := range ids {
		if err := call(ctx, http.MethodGet, site+"/sim/feedback?wait=30s&id="+id, nil, &results[i]); err != nil {
			return err
		}
	}
	var chat []simtelegram.Message
	if err := call(ctx, http.MethodGet, fmt.Sprintf("%s/sim/messages?chat=%d&limit=%d", telegram, int64(chatID), len(ids)), nil, &chat); err != nil {
		return err
	}
	step("the chat")
	for _, m := range chat {
		fmt.Printf("--- message %d\n%s\n", m.ID, m.Text)
		for _, row := range m.Buttons {
			for _, b := range row {
				fmt.Printf("[%s] ", b.Text)
			}
		}
		fmt.Println()
	}
	step("the results at the site, each with a good signature")
	for _, r := range results {
		if r.Result == nil {
			return fmt.Errorf("feedback %s has no result: see `kubectl describe fbb`", r.ID)
		}
		fmt.Printf("ok=%t ticket=%s message=%d error=%q\n", r.Result.OK, r.Result.TicketID, r.Result.MessageID, r.Result.Error)
	}
	return nil
}

// send sends one feedback, under a number that no earlier demonstration used: the bot posts a number once.
func send(ctx context.Context, site string, line []byte) (id string, err error) {
	var feedback map[string]any
	if err := json.Unmarshal(line, &feedback); err != nil {
		return "", fmt.Errorf("%s: %w", sampleFile, err)
	}
	feedback["feedback_id"] = time.Now().UnixMilli()
	data, err := json.Marshal(feedback)
	if err != nil {
		return "", err
	}
	var answer struct{ ID string }
	err = call(ctx, http.MethodPost, site+"/sim/feedback", simsite.Outgoing{Data: data}, &answer)
	return answer.ID, err
}

// call speaks JSON with a simulator's control API.
func call(ctx context.Context, method, address string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(data))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", address, resp.Status, strings.TrimSpace(string(answer)))
	}
	return json.Unmarshal(answer, into)
}
