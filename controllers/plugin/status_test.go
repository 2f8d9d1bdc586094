// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func behind(b *v1alpha1.FeedbackBridge) { b.Generation++ }

func TestTheVerdictOnBridgesIsOneLine(t *testing.T) {
	good, bad, worse := bridgeOf("blog"), bridgeOf("shop", refusedBySite), bridgeOf("wiki", isNew)
	for name, c := range map[string]struct {
		list      []v1alpha1.FeedbackBridge
		qualified bool
		want      string
	}{
		"none":             {nil, false, "There are no bridges in namespace support."},
		"one that works":   {[]v1alpha1.FeedbackBridge{good}, false, "The bridge is ready."},
		"all work":         {[]v1alpha1.FeedbackBridge{good, good}, false, "All 2 bridges are ready."},
		"one does not":     {[]v1alpha1.FeedbackBridge{good, bad}, true, "1 of 2 bridges is ready; support/shop: " + refusedMessage + "."},
		"two do not":       {[]v1alpha1.FeedbackBridge{good, bad, worse}, false, "1 of 3 bridges is ready; shop: " + refusedMessage + "; 1 more is not ready."},
		"one is suspended": {[]v1alpha1.FeedbackBridge{good, bridgeOf("shop", isSuspended)}, false, "1 of 2 bridges is ready, 1 is suspended."},
		"one is overdue": {[]v1alpha1.FeedbackBridge{good, bridgeOf("shop", overdue)}, false,
			"All 2 bridges are ready; shop: The site signs with key 1111aaaa2222bbbb still: have it read Secret shop-site again."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := listVerdict(c.list, "in namespace support", c.qualified); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTheVerdictOnABridgeSaysWhatToDo(t *testing.T) {
	for want, b := range map[string]v1alpha1.FeedbackBridge{
		"support/shop is ready: Feedback flows from the site to the chat.":                                                 bridgeOf("shop"),
		"support/shop is not ready: " + refusedMessage + ".":                                                               bridgeOf("shop", refusedBySite),
		"support/shop is not ready: the operator has not looked at it: does it run?":                                       bridgeOf("shop", isNew),
		"support/shop is not ready: the operator has not acted on the last change yet.":                                    bridgeOf("shop", behind),
		"support/shop is suspended: the bot is stopped, and feedback waits at the site until spec.suspend is false.":       bridgeOf("shop", isSuspended),
		"support/shop is ready, but: The site signs with key 1111aaaa2222bbbb still: have it read Secret shop-site again.": bridgeOf("shop", overdue),
	} {
		if got := bridgeVerdict(&b); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestTheTable(t *testing.T) {
	list := []v1alpha1.FeedbackBridge{
		bridgeOf("blog", rotating, overdue),
		bridgeOf("expired", func(b *v1alpha1.FeedbackBridge) { b.Status.Credentials.JWT.ExpiresAt = at(-time.Hour) }),
		bridgeOf("forever", func(b *v1alpha1.FeedbackBridge) { b.Status.Credentials.JWT.ExpiresAt = nil }),
		bridgeOf("shop", refusedBySite),
		bridgeOf("stopped", isSuspended),
		bridgeOf("wiki", isNew),
	}
	var out strings.Builder
	for _, wide := range []bool{false, true} {
		if err := printTable(&out, list, noon, wide, wide); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
	}
	golden(t, "table", out.String())
}

func TestThePageOfABridge(t *testing.T) {
	events := []corev1.Event{
		{EventTime: metav1.NewMicroTime(noon.Add(-12 * time.Minute)), Type: "Normal", Reason: "RotationPublished", Message: "The site has the new key"},
		{LastTimestamp: *at(-time.Minute), Type: "Warning", Reason: "CredentialsRefused", Message: "The site refuses\nthe token"},
		{EventTime: metav1.NewMicroTime(noon.Add(-time.Hour)), Series: &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(noon.Add(-30 * time.Second))},
			Type: "Warning", Reason: "RotationRefused", Message: "a rotation runs"},
	}
	for name, c := range map[string]struct {
		bridge v1alpha1.FeedbackBridge
		err    error
	}{
		"page":          {bridge: bridgeOf("shop")},
		"page-rotating": {bridge: bridgeOf("shop", rotating, refusedBySite)},
		"page-new":      {bridge: bridgeOf("shop", isNew), err: errors.New("you lack the right to list events in namespace support")},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			shown := events
			if c.err != nil {
				shown = nil
			}
			if err := printPage(&out, &c.bridge, shown, c.err, noon); err != nil {
				t.Fatal(err)
			}
			golden(t, name, out.String())
		})
	}
}

func TestNothingFromTheClusterSteersTheTerminal(t *testing.T) {
	hostile := bridgeOf("shop", func(b *v1alpha1.FeedbackBridge) {
		b.Status.Telegram.ChatTitle = "Sup\x1b[2Jport\u202etxt\u009b31m"
		const more = "\nREADY   True\r\x07"
		b.Status.Connection.LastError, b.Status.Connection.Pod = "line one"+more, "pod"+more
		b.Status.Telegram.BotUsername = "bot" + more
		b.Status.Credentials.JWT.KeyID, b.Status.Credentials.HMAC.SiteKeyID = "key"+more, "key"+more
	})
	events := []corev1.Event{{Type: "Warning\nREADY", Reason: "Because\nREADY", Message: "So\nREADY"}}
	var out strings.Builder
	if err := printPage(printable{&out}, &hostile, events, nil, noon); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexAny(out.String(), "\x1b\x07\r\u009b\u202e"); i >= 0 {
		t.Errorf("a control character at %d of %q", i, out.String())
	}
	if strings.Contains(out.String(), "\nREADY") {
		t.Errorf("a text of somebody else's begins a line:\n%s", out.String())
	}
	if err := printableError(errors.New("said \x1b]0;title\x07")); strings.ContainsAny(err.Error(), "\x1b\x07") {
		t.Errorf("error: %q", err)
	}
}
