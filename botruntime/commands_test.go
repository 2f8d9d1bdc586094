// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// decoded runs a command that prints one JSON document.
func decoded[T any](w *world, args ...string) (v T) {
	w.t.Helper()
	out, err := w.command(args...)
	if err != nil {
		w.t.Fatalf("%v: %v", args, err)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		w.t.Fatalf("%v: %v in %q", args, err, out)
	}
	return v
}

func TestTicketsAreListedBesideARunningBot(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.carry(1)
	w.carry(2)
	list := decoded[store.TicketList](w, "tickets", "--state", w.files.state, "-o", "json", "--limit", "1")
	if list.Total != 2 || len(list.Tickets) != 1 || list.Tickets[0].ID != "ticket_site_2" || list.Tickets[0].State != store.StatePosted {
		t.Errorf("list: %+v", list)
	}
	if list := decoded[store.TicketList](w, "tickets", "--state", w.files.state, "-o", "json", "--failed"); list.Total != 0 {
		t.Errorf("list of those that failed: %+v", list)
	}
	out, err := w.command("tickets", "--state", w.files.state)
	if lines := strings.Split(out, "\n"); err != nil || len(lines) != 4 || !strings.HasPrefix(lines[1], "ticket_site_2   posted   new") {
		t.Errorf("table: %v\n%s", err, out)
	}
	w.carry(3) // the bot was not held up
	if err := stop(); err != nil {
		t.Error(err)
	}
	if list := decoded[store.TicketList](w, "tickets", "--state", w.files.state, "-o", "json"); list.Total != 3 {
		t.Errorf("list of a bot that stopped: %+v", list)
	}
}

func TestTheRunningBotPostsATestMessage(t *testing.T) {
	w := newWorld(t)
	sendTest := []string{"send-test", "--state", w.files.state, "--text", "hello", "-o", "json"}
	if _, err := w.command(sendTest...); err == nil {
		t.Error("without a bot that runs: no error")
	}
	stop := w.start()
	result := decoded[health.TestResult](w, sendTest...)
	messages := w.telegram.Messages(staffChat)
	if len(messages) != 1 || result.MessageID != int64(messages[0].ID) || !strings.Contains(messages[0].Text, "hello") {
		t.Errorf("result %+v, chat %+v", result, messages)
	}
	if err := w.telegram.AddChat(telegram.Chat{ID: staffChat, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Kicked}); err != nil {
		t.Fatal(err)
	}
	if result := decoded[health.TestResult](w, sendTest...); result.MessageID != 0 || result.Reason != v1alpha1.ReasonNoRights {
		t.Errorf("a bot that was removed: %+v", result)
	}
	if _, err := w.command(sendTest[:5]...); err == nil || !strings.Contains(err.Error(), "add it to the group") {
		t.Errorf("in words: %v", err)
	}
	if stats := w.site.Stats(); stats.Answered+stats.Unknown+stats.Malformed != 0 {
		t.Errorf("the site heard of it: %+v", stats)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTheTextOfATestMessageMayComeFromStandardInput(t *testing.T) {
	line, err := readLine(strings.NewReader("one line\nand no other"))
	if err != nil || line != "one line" {
		t.Errorf("%q %v", line, err)
	}
	if line, err := readLine(strings.NewReader("no end of line")); err != nil || line != "no end of line" {
		t.Errorf("%q %v", line, err)
	}
	if line, err := readLine(strings.NewReader(strings.Repeat("x", 2*maxLine))); err != nil || len(line) != maxLine {
		t.Errorf("%d bytes %v", len(line), err)
	}
}

func TestTheDoctorSpeaksJSON(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.eventually("the bot has heard from both peers", func() bool {
		answer, err := health.Ask(t.Context(), w.files.state)
		return err == nil && answer.Report.Telegram.OK && answer.Report.Site.OK
	})
	out, err := w.command("doctor", "--bridge", w.files.bridge, "--credentials", w.files.credentials, "--state", w.files.state, "-o", "json")
	if stopErr := stop(); stopErr != nil {
		t.Error(stopErr)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil || !f.OK || f.Peer == "" || f.Message == "" {
			t.Errorf("finding %q: %v", line, err)
		}
	}
	if len(lines) != 8 {
		t.Errorf("%d findings, want 8:\n%s", len(lines), out)
	}
	if _, err := w.command("doctor", "--bridge", w.files.bridge, "--credentials", w.files.credentials, "-o", "yaml"); err == nil {
		t.Error("-o yaml is accepted")
	}
}
