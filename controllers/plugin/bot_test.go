// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheBotsCommandsTakeTheRunningOnesFiles(t *testing.T) {
	pod := botPod("shop-bot-1")
	got, err := botCommand(container(&pod), "doctor", []string{"--bridge", "--credentials", "--state"}, "-o", "json")
	want := []string{"/feedbackbridge-bot", "doctor", "--bridge", "/etc/bridge/bridge.yaml", "--credentials", "/etc/credentials", "--state", "/var/lib/bot", "-o", "json"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q %v", got, err)
	}
	if run := pod.Spec.Containers[0].Command; run[1] != "run" || run[len(run)-1] != "shop-bot" {
		t.Errorf("the pod's own command was changed: %q", run)
	}
	for _, unknown := range [][]string{nil, {"run"}, {"/bot", "serve"}} {
		if got, err := botCommand(&corev1.Container{Command: unknown}, "doctor", nil); err == nil {
			t.Errorf("%q: %q", unknown, got)
		}
	}
}

func TestTheActivePod(t *testing.T) {
	first, second, waiting, leaving := botPod("shop-bot-1"), botPod("shop-bot-2"), waitingPod("ErrImagePull", ""), botPod("shop-bot-3")
	leaving.DeletionTimestamp = at(time.Second)
	running := bridgeOf("shop")
	for name, c := range map[string]struct {
		pods []corev1.Pod
		want string
	}{
		"the one that status names": {[]corev1.Pod{second, first}, "shop-bot-1"},
		"else the one that runs":    {[]corev1.Pod{leaving, second}, "shop-bot-2"},
		"none that waits":           {[]corev1.Pod{waiting}, ""},
		"none that leaves":          {[]corev1.Pod{leaving}, ""},
		"none":                      {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := activePod(&running, c.pods)
			if (err != nil) != (c.want == "") || err == nil && got.Name != c.want {
				t.Errorf("got %v %v", got, err)
			}
		})
	}
	stopped := bridgeOf("shop", isSuspended)
	if _, err := activePod(&stopped, nil); err == nil || !strings.Contains(err.Error(), "spec.suspend") {
		t.Errorf("suspended: %v", err)
	}
}

func TestWhatABotComplainsOf(t *testing.T) {
	pod, command := botPod("shop-bot-1"), []string{"/feedbackbridge-bot", "tickets", "--state", "/var/lib/bot"}
	for stderr, want := range map[string]string{
		"feedbackbridge-bot: no store is there\n":                       "/feedbackbridge-bot tickets in pod shop-bot-1: no store is there",
		"feedbackbridge-bot: unknown command \"tickets\" for \"bot\"\n": "the bot in pod shop-bot-1 is older than this plug-in",
		"feedbackbridge-bot: unknown shorthand flag: 'o' in -o\n":       "the bot in pod shop-bot-1 is older than this plug-in",
		"": "/feedbackbridge-bot tickets in pod shop-bot-1: ended with code 1",
	} {
		if err := complaint(&pod, command, execution{stderr: []byte(stderr), code: 1}); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", stderr, err)
		}
	}
}

// silent is a bot that does not answer.
type silent struct{}

func (silent) run(ctx context.Context, _ *corev1.Pod, _ string, _ []string, _ string) (execution, error) {
	<-ctx.Done()
	return execution{}, ctx.Err()
}

func TestABotThatDoesNotAnswer(t *testing.T) {
	pod, s := botPod("shop-bot-1"), &session{exec: silent{}}
	const late = "did not answer within"
	if _, err := s.ask(t.Context(), &pod, time.Millisecond, nil, ""); err == nil || !strings.Contains(err.Error(), late) {
		t.Errorf("after its time: %v", err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ask(interrupted, &pod, time.Minute, nil, ""); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), late) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestTheListOfTickets(t *testing.T) {
	list := ticketList{Total: 7, Tickets: []ticketInfo{
		{ID: "ticket_site_9", State: "pending", Status: "new", Category: "bug", ReceivedAt: *at(-time.Minute)},
		{ID: "ticket_site_8", State: "posted", Status: "new", Category: "a word\nof the site's", ReceivedAt: *at(-time.Hour), SettledAt: at(-59 * time.Minute), ChatID: -1001234567890, MessageID: 71},
		{ID: "ticket_site_7", State: "failed", Status: "new", Category: "", ReceivedAt: *at(-2 * time.Hour), SettledAt: at(-2 * time.Hour), Failure: "message is too long"},
	}}
	var out strings.Builder
	if err := printTicketList(&out, list, ticketsOptions{}, noon); err != nil {
		t.Fatal(err)
	}
	golden(t, "tickets", out.String())
	for want, c := range map[string]struct {
		shown int
		total int64
		o     ticketsOptions
	}{
		"There are no tickets.":                           {0, 0, ticketsOptions{}},
		"There are no tickets refused by Telegram.":       {0, 0, ticketsOptions{failed: true}},
		"One ticket waiting to be posted.":                {1, 1, ticketsOptions{pending: true}},
		"All 3 tickets.":                                  {3, 3, ticketsOptions{}},
		"The newest 3 of 7 tickets waiting to be posted.": {3, 7, ticketsOptions{pending: true}},
	} {
		if got := ticketsVerdict(ticketList{Tickets: make([]ticketInfo, c.shown), Total: c.total}, c.o); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (ticketsOptions{limit: 5, pending: true}).args(); !slices.Equal(got, []string{"-o", "json", "--limit", "5", "--pending"}) {
		t.Errorf("arguments: %q", got)
	}
}

func TestTimesThatAreNotThere(t *testing.T) {
	if got := []string{ago(noon, nil), until(noon, nil), stamp(nil), ago(noon, &metav1.Time{}), ago(noon, at(time.Hour))}; !slices.Equal(got, []string{none, none, none, none, "0s"}) {
		t.Errorf("got %q", got)
	}
}
