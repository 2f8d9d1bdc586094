// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestFeedbackBecomesATicketAndAResult(t *testing.T) {
	w := world.New(t)
	t.Logf("from apply to Ready: %s", w.Apply().Round(time.Millisecond))

	result := w.Result(w.Send(123, "It <b>broke</b> & burned"), 15*time.Second)
	if !result.OK || result.TicketID != "ticket_site_123" || result.MessageID == 0 {
		t.Fatalf("result: %+v", result)
	}
	post, ok := w.Telegram.Message(world.Group, int(result.MessageID))
	if !ok {
		t.Fatal("the result names a message that is not in the chat")
	}
	for _, want := range []string{"ticket_site_123", "@user", "Имя <b>", "Player & Nick", "It <b>broke</b> & burned", "#bug", "#new", "17.10.2025 15:00"} {
		if !strings.Contains(post.Text, want) {
			t.Errorf("the post lacks %q:\n%s", want, post.Text)
		}
	}
	pressAndCheck(w, post, "ticket_site_123")

	out, err := world.Kubectl(t.Context(), "-n", w.Namespace, "get", "fbb")
	if err != nil || !strings.Contains(out, "Connected") {
		t.Errorf("kubectl get fbb: %v\n%s", err, out)
	}
	t.Logf("kubectl get fbb\n%s", out)
}

// pressAndCheck presses a status button: the post keeps its formatting, and says who and when.
func pressAndCheck(w *world.World, post telegram.Message, ticket string) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), 15*time.Second)
	defer cancel()
	staff := telegram.User{ID: 1001, FirstName: "Support", Username: "support_desk"}
	id, err := w.Telegram.Press(world.Group, post.ID, "status_"+ticket+"_in_progress", staff)
	if err != nil {
		w.T.Fatalf("press: %v", err)
	}
	if answer, err := w.Telegram.WaitCallbackAnswer(ctx, id); err != nil || answer.Text == "" {
		w.T.Errorf("the press was not answered: %+v %v", answer, err)
	}
	var edited telegram.Message
	if err := w.Telegram.WaitFor(ctx, func() bool {
		edited, _ = w.Telegram.Message(world.Group, post.ID)
		return edited.Edited
	}); err != nil {
		w.T.Fatalf("the post was not edited: %v", err)
	}
	if !strings.Contains(edited.Text, "@support_desk") || !strings.Contains(edited.Text, "#in_progress") || strings.Contains(edited.Text, "#new") {
		w.T.Errorf("the edited post:\n%s", edited.Text)
	}
	kinds := func(m telegram.Message) (bold int) {
		for _, e := range m.Entities {
			if e.Type == "bold" {
				bold++
			}
		}
		return bold
	}
	if kinds(edited) < kinds(post) || len(edited.Buttons) == 0 {
		w.T.Errorf("formatting or buttons were lost:\nbefore %s\nafter %s", post.HTML(), edited.HTML())
	}
}

func TestButtonsOfTheExistingBotsPostsWork(t *testing.T) {
	w := world.New(t)
	id, err := w.Telegram.AddMessage(telegram.Message{
		ChatID: world.Group, Text: "Ticket ticket_site_7\n\nprice < 5 & more\n\n#bug #new",
		Buttons: [][]telegram.Button{{{Text: "В работе", CallbackData: "status_ticket_site_7_in_progress"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Apply()
	post, _ := w.Telegram.Message(world.Group, id)
	pressAndCheck(w, post, "ticket_site_7")
}

func TestAKilledBotLosesNothing(t *testing.T) {
	w := world.New(t)
	w.Apply()
	if err := w.Telegram.SetFaults(telegram.Fault{Kind: telegram.FaultDelay, Methods: []string{"sendMessage"}, DelayMillis: 20}); err != nil {
		t.Fatal(err)
	}
	const n = 100
	var ids []string
	for i := range n {
		ids = append(ids, w.Send(int64(i+1), "message"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := w.Telegram.WaitMessages(ctx, world.Group, n/4); err != nil {
		t.Fatal(err)
	}
	pod := w.Pod()
	pid := w.BotProcess()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill the bot: %v", err)
	}
	t.Logf("killed the bot with %d of %d posts in the chat", len(w.Telegram.Messages(world.Group)), n)
	// What the site sent and the bot had not committed is the site's to send again: version 1 has no acknowledgement.
	if err := w.Site.WaitConnection(ctx, 2); err != nil {
		t.Fatalf("the bot did not come back: %v", err)
	}
	for _, id := range ids {
		if sent, _ := w.Site.Sent(id); sent.Result == nil {
			if _, err := w.Site.SendOut(simsite.Outgoing{ID: id, Data: sent.Data}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Site.WaitResults(ctx, n); err != nil {
		t.Fatalf("results are missing: %v: %+v", err, w.Site.Stats())
	}
	seen := map[string]int{}
	for _, m := range w.Telegram.Messages(world.Group) {
		for i := range n {
			if strings.Contains(m.Text, fmt.Sprintf("ticket_site_%d\n", i+1)) {
				seen[fmt.Sprint(i+1)]++
			}
		}
	}
	repeats := 0
	for i := range n {
		switch times := seen[fmt.Sprint(i+1)]; times {
		case 0:
			t.Errorf("feedback %d is not in the chat", i+1)
		default:
			repeats += times - 1
		}
	}
	if repeats > 1 {
		t.Errorf("%d repeated posts after one kill", repeats)
	}
	if again := w.Pod(); again.UID != pod.UID {
		t.Errorf("another pod: the kubelet should have restarted the container")
	}
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, "", time.Minute)
}

func TestHostileFramesAreRefusedAndTheNextGoodOneDelivered(t *testing.T) {
	w := world.New(t)
	w.Apply()
	good := fmt.Sprintf(`{"feedback_id":1,"category":"bug","message":"x %s"}`, world.SecretText)
	for _, frame := range []string{
		"not json", `{"type":`, `[]`, `null`, `{"type":"new_feedback"}`, `{"type":7}`,
		strings.Repeat(`[`, 100_000), `{"type":"new_feedback","id":"deep","data":` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat(`}`, 70) + `}`,
		`{"type":"new_feedback","id":"nan","data":{"x":NaN},"ts":1,"nonce":"n","sig":"s"}`,
		`{"type":"new_feedback","id":"inf","data":{"x":1e400},"ts":1,"nonce":"n","sig":"s"}`,
		`{"type":"new_feedback","id":"types","data":` + good + `,"ts":"1","nonce":"n","sig":"s"}`,
		`{"type":"new_feedback","id":"twice","id":"twice","data":` + good + `,"ts":1,"nonce":"n","sig":"s"}`,
		`{"type":"new_feedback","id":"\ud800","data":{},"ts":1,"nonce":"n","sig":"s"}`,
		"{\"type\":\"new_feedback\",\"id\":\"\xff\xfe\"}", strings.Repeat("x", 3<<20),
	} {
		if err := w.Site.SendRaw(1, []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{}
	refuse := func(reason string, out simsite.Outgoing) {
		t.Helper()
		id, err := w.Site.SendOut(out)
		if err != nil {
			t.Fatal(err)
		}
		want[id] = reason
	}
	refuse("Invalid HMAC signature", simsite.Outgoing{Data: []byte(good), Forged: true})
	refuse("Message expired", simsite.Outgoing{Data: []byte(good), Age: simsite.Duration(time.Minute)})
	refuse("Message expired", simsite.Outgoing{Data: []byte(good), Age: simsite.Duration(-time.Minute)})
	refuse("Invalid payload: message: ", simsite.Outgoing{Data: []byte(`{"feedback_id":1,"category":"bug","message":""}`)})
	refuse("Invalid payload: feedback_id: ", simsite.Outgoing{Data: []byte(`{"feedback_id":-1,"category":"bug","message":"x"}`)})
	for id, reason := range want {
		if r := w.Result(id, 15*time.Second); r.OK || !strings.HasPrefix(r.Error, reason) {
			t.Errorf("result %+v, want the error %q", r, reason)
		}
	}
	first, err := w.Site.SendOut(simsite.Outgoing{Data: []byte(good), Nonce: "the-same-nonce"})
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Result(first, 15*time.Second); !r.OK {
		t.Errorf("the good one: %+v", r)
	}
	other := strings.Replace(good, `"feedback_id":1`, `"feedback_id":2`, 1)
	replayed, err := w.Site.SendOut(simsite.Outgoing{Data: []byte(other), Nonce: "the-same-nonce"})
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Result(replayed, 15*time.Second); r.OK || r.Error != "Replayed nonce" {
		t.Errorf("a nonce under another id: %+v", r)
	}
	if stats := w.Site.Stats(); stats.Connections != 1 {
		t.Errorf("the connection did not survive: %d connections, last end: %s", stats.Connections, stats.LastEnd)
	}
	if posts := w.Telegram.Messages(world.Group); len(posts) != 1 {
		t.Errorf("%d posts, want 1", len(posts))
	}
	texts := []string{}
	for _, p := range w.Telegram.Messages(world.Group) {
		texts = append(texts, p.Text)
	}
	if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "ticket_site_1") }) {
		t.Errorf("posts: %v", texts)
	}
}
