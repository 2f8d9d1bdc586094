// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// maxEvents is how many of a bridge's last events are shown.
const maxEvents = 8

// printPage prints all that is known of one bridge. eventsErr is why there are no events to show, if that is so.
func printPage(out io.Writer, b *v1alpha1.FeedbackBridge, events []corev1.Event, eventsErr error, now time.Time) error {
	fmt.Fprintf(out, "%s\n\n", bridgeVerdict(b))
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	printSite(w, b, now)
	printTelegram(w, b)
	printTickets(w, b, now)
	printCredentials(w, b, now)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nConditions")
	for _, c := range b.Status.Conditions {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", c.Type, c.Status, c.Reason, ago(now, &c.LastTransitionTime), line(c.Message))
	}
	if len(b.Status.Conditions) == 0 {
		fmt.Fprintln(w, "  none")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nLast events")
	switch {
	case eventsErr != nil:
		fmt.Fprintf(w, "  not shown: %s\n", line(eventsErr.Error()))
	case len(events) == 0:
		fmt.Fprintln(w, "  none")
	}
	for _, e := range lastEvents(events, maxEvents) {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", ago(now, new(metav1.NewTime(eventTime(&e)))), line(e.Type), line(e.Reason), line(e.Message))
	}
	return w.Flush()
}

func printSite(w io.Writer, b *v1alpha1.FeedbackBridge, now time.Time) {
	address := b.Spec.Site.URL
	if u, err := url.Parse(address); err == nil {
		u.RawQuery = ""
		address = u.String()
	}
	c := connectionOf(b)
	fmt.Fprintf(w, "Site\t%s\n", address)
	state := cmp.Or(string(c.State), "not known")
	if c.Since != nil {
		state += " for " + ago(now, c.Since)
	}
	if c.Pod != "" {
		state += ", by pod " + c.Pod
	}
	if c.Reconnects > 0 {
		state += plural(int(c.Reconnects), ", connected again once", ", connected again %d times")
	}
	fmt.Fprintf(w, "\t%s\n", line(state))
	if c.LastError != "" {
		fmt.Fprintf(w, "\tlast error: %s\n", line(c.LastError))
	}
}

func printTelegram(w io.Writer, b *v1alpha1.FeedbackBridge) {
	t := telegramOf(b)
	bot := cmp.Or(t.BotUsername, "a bot that has not been heard of")
	if t.BotUsername != "" {
		bot = "@" + bot
	}
	chat := "chat " + b.Spec.Telegram.ChatID
	if t.ChatTitle != "" {
		chat = fmt.Sprintf("%q (%s)", line(t.ChatTitle), b.Spec.Telegram.ChatID)
	}
	fmt.Fprintf(w, "Telegram\t%s in %s\n", line(bot), chat)
	if t.LastError != "" {
		fmt.Fprintf(w, "\tlast error: %s\n", line(t.LastError))
	}
}

func printTickets(w io.Writer, b *v1alpha1.FeedbackBridge, now time.Time) {
	t := b.Status.Tickets
	if t == nil {
		fmt.Fprintln(w, "Tickets\tnot known")
		return
	}
	fmt.Fprintf(w, "Tickets\t%d received, %d posted, %d pending, %d failed\n", t.Received, t.Posted, t.Pending, t.Failed)
	if t.LastPostedTime != nil {
		fmt.Fprintf(w, "\tlast posted %s ago (%s)\n", ago(now, t.LastPostedTime), stamp(t.LastPostedTime))
	}
}

func printCredentials(w io.Writer, b *v1alpha1.FeedbackBridge, now time.Time) {
	jwt := jwtOf(b)
	token := "expires " + tokenExpires(b, now)
	switch {
	case jwt.ExpiresAt == nil:
		token = map[string]string{"never": "does not expire", none: "not known"}[tokenExpires(b, now)]
	case !jwt.ExpiresAt.After(now):
		token = fmt.Sprintf("%s (%s)", tokenExpires(b, now), stamp(jwt.ExpiresAt))
	default:
		token += " (" + stamp(jwt.ExpiresAt) + ")"
	}
	if jwt.IssuedAt != nil {
		token += ", issued " + ago(now, jwt.IssuedAt) + " ago"
	}
	if jwt.KeyID != "" {
		token += ", signed with key " + jwt.KeyID
	}
	fmt.Fprintf(w, "Token\t%s\n", line(token))
	for _, r := range rotationsOf(b) {
		title := map[string]string{"HMAC": "HMAC key", "JWT": "Signing key"}[r.short]
		fmt.Fprintf(w, "%s\t%s\n", title, line(phaseSentence(r)))
		for _, id := range []struct {
			what, id string
			at       *metav1.Time
			when     string
		}{
			{"current", r.status.CurrentKeyID, r.status.RotatedAt, "in use since"},
			{"next", r.status.NextKeyID, r.status.StagedAt, "made"},
			{"previous", r.status.PreviousKeyID, r.status.RetireAt, "accepted until"},
			{"the site uses", r.status.SiteKeyID, nil, ""},
		} {
			switch {
			case id.id != "" && id.at != nil:
				fmt.Fprintf(w, "\t%s %s, %s %s\n", id.what, line(id.id), id.when, stamp(id.at))
			case id.id != "":
				fmt.Fprintf(w, "\t%s %s\n", id.what, line(id.id))
			}
		}
		if r.status.PublishedAt != nil && r.status.NextKeyID != "" {
			fmt.Fprintf(w, "\tthe site has the next one since %s\n", stamp(r.status.PublishedAt))
		}
	}
	if name := b.SiteSecretName(); name != "" {
		fmt.Fprintf(w, "For the site\tSecret %s\n", name)
	}
}

// lastEvents are the last of the events, the newest first.
func lastEvents(events []corev1.Event, limit int) []corev1.Event {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return eventTime(&b).Compare(eventTime(&a)) })
	return events[:min(len(events), limit)]
}

// eventTime is when an event last happened, whichever of the two APIs it was recorded by.
func eventTime(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil && !e.Series.LastObservedTime.IsZero():
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}
