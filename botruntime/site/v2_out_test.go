// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

var happened = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

// members are those of a frame's data, by name.
func members(t *testing.T, r simsite.Received) (data map[string]any) {
	t.Helper()
	if err := json.Unmarshal(r.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTheSiteIsToldWhatHappens(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		var name string
		r.inTx(func(tx store.Tx) (err error) {
			name, err = tx.AddTicket(ticket.Ticket{Source: ticket.SourceTelegram, TelegramID: 9, Username: "user", FirstName: "Имя",
				Nickname: "nick", Category: "bug", Message: "Текст", CreatedAt: happened}, happened)
			if err != nil {
				return err
			}
			return tx.Emit(store.Event{Kind: store.EventCreated, Ticket: name, Actor: "@user", Text: "Текст", Locale: "ru", At: happened})
		})
		r.inTx(func(tx store.Tx) error {
			return tx.SetStatus(store.StatusChange{TicketID: name, Status: ticket.StatusRead, ActorID: 7, ActorName: "@anna", At: happened})
		})
		r.emit(store.Event{Kind: store.EventReply, Ticket: name, Actor: "Анна", Text: "Ответ", At: happened},
			store.Event{Kind: store.EventMessage, Ticket: name, FeedbackID: 3, Actor: "ID9", Text: "and", At: happened,
				By: store.Actor{TelegramID: 9, Name: "Имя"}})
		want := []string{
			`feedback_created {"category":"bug","created_at":"2026-01-02T03:04:05.678901Z","feedback_id":0,"locale":"ru","message":"Текст",` +
				`"nickname":"nick","source":"telegram","telegram_first_name":"Имя","telegram_id":9,"telegram_username":"user","ticket_id":"ticket_tg_1"}`,
			`feedback_status {"actor":{"telegram_id":7,"username":"anna"},"at":"2026-01-02T03:04:05.678901Z","feedback_id":0,"status":"read","ticket_id":"ticket_tg_1"}`,
			`feedback_reply {"at":"2026-01-02T03:04:05.678901Z","author":{"name":"Анна"},"feedback_id":0,"from":"staff","text":"Ответ","ticket_id":"ticket_tg_1"}`,
			`feedback_reply {"at":"2026-01-02T03:04:05.678901Z","author":{"name":"Имя","telegram_id":9},"feedback_id":3,"from":"user","text":"and","ticket_id":"ticket_tg_1"}`,
		}
		var got []string
		for _, told := range r.told("", 5)[1:] { // behind hello
			got = append(got, told.Type+" "+string(told.Data))
		}
		if !slices.Equal(got, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		time.Sleep(2 * settlePause) // of the bubble
		if left := r.events(); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
		r.site.Drop()
		r.connected(2)
		r.told("", 6) // hello again
		synctest.Wait()
		for _, told := range r.site.Received("") {
			if told.Times != 1 {
				t.Errorf("%s came %d times", told.Type, told.Times)
			}
		}
	})
}

func TestTheSiteIsToldNothingThatItDoesNotTake(t *testing.T) {
	bubbleV2(t, func(site *simsite.Config, _ *Config) { site.Capabilities = []string{wire.CapabilityStatuses} }, func(r *rig, _ *testDesk) {
		r.emit(store.Event{Kind: store.EventReply, Ticket: "t", Text: "x", At: happened},
			store.Event{Kind: store.EventStatus, Ticket: "t", Status: ticket.StatusRead, At: happened},
			store.Event{Kind: store.EventCreated, Ticket: "t", Text: "x", At: happened})
		r.told(wire.TypeFeedbackStatus, 1)
		r.setCredentials(func(c *Credentials) { c.Keys = wire.NewKeyRing(testKey(t, "first"), testKey(t, "second")) })
		time.Sleep(time.Minute) // of the bubble
		if told := r.site.Received(""); len(told) != 2 {
			t.Errorf("told: %+v", told)
		}
		if left := r.events(); len(left) != 2 {
			t.Errorf("left: %+v", left)
		}
	})
}

func TestASiteThatSaysNoHelloIsStillAnswered(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		r.connected(1)
		r.site.SetFaults(simsite.Faults{NoHello: true})
		r.site.Drop()
		r.connected(2)
		r.emit(store.Event{Kind: store.EventStatus, Ticket: "t", Status: ticket.StatusRead, At: happened})
		r.delivered(1)
		time.Sleep(time.Minute) // of the bubble
		if told := r.site.Received(wire.TypeFeedbackStatus); len(told) != 0 {
			t.Errorf("told: %+v", told)
		}
	})
}

func TestWhatIsNotAcknowledgedIsSentAgainFreshlySigned(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		r.connected(1)
		r.told(wire.TypeHello, 1)
		r.site.SetFaults(simsite.Faults{NoAcks: true})
		begun := time.Now()
		r.emit(store.Event{Kind: store.EventStatus, Ticket: "t", Status: ticket.StatusRead, At: happened})
		id := r.send(1)
		r.result(id)
		times := func() int { return r.told(wire.TypeFeedbackStatus, 1)[0].Times }
		r.until(func(simsite.Stats) bool { return times() == 3 && mustSent(r, id).Results == 3 })
		if took := time.Since(begun); took < 2*ackPatience || took > 2*ackPatience+time.Second {
			t.Errorf("the third time came after %v", took)
		}
		if sent := mustSent(r, id); sent.Refused != "" {
			t.Errorf("refused %q", sent.Refused)
		}
		if stats := r.site.Stats(); stats.Missigned != 0 { // a signature of a minute ago would be
			t.Errorf("%d missigned", stats.Missigned)
		}
		r.site.SetFaults(simsite.Faults{})
		r.site.Drop()
		r.connected(2)
		r.until(func(simsite.Stats) bool { return times() == 4 && mustSent(r, id).Results == 4 })
		time.Sleep(time.Hour) // of the bubble
		if sent := mustSent(r, id); times() != 4 || sent.Results != 4 {
			t.Errorf("%d and %d times, though they were acknowledged", times(), sent.Results)
		}
	})
}

func TestASiteMayAcknowledgeTwice(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		r.site.SetFaults(simsite.Faults{AckTwice: true})
		for i := range int64(10) {
			r.delivered(i + 1)
		}
		time.Sleep(time.Minute) // of the bubble
		if due, err := r.store.DueResults(r.ctx, 0, 10); err != nil || len(due) != 0 {
			t.Errorf("still due: %+v, %v", due, err)
		}
	})
}

func TestNoMoreThan64FramesWaitForTheirAcks(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		r.connected(1)
		r.told(wire.TypeHello, 1)
		r.site.SetFaults(simsite.Faults{NoAcks: true})
		for i := range 100 {
			r.emit(store.Event{Kind: store.EventStatus, Ticket: fmt.Sprint(i), Status: ticket.StatusRead, At: happened})
			r.send(int64(i + 1))
		}
		synctest.Wait()
		stats := r.site.Stats()
		if stats.Answered != resultsInFlight || stats.Told != eventsInFlight+1 { // and hello, acknowledged
			t.Errorf("%d results and %d events on their way", stats.Answered, stats.Told-1)
		}
		if resultsInFlight+eventsInFlight+controlsInFlight != 64 {
			t.Error("the lanes have not 64 places together")
		}
		r.site.SetFaults(simsite.Faults{})
		r.until(func(s simsite.Stats) bool { return s.Answered == 100 && s.Told >= 101 })
		told := r.site.Received(wire.TypeFeedbackStatus)
		for i, frame := range told {
			if got := members(t, frame)["ticket_id"]; got != fmt.Sprint(i) {
				t.Errorf("frame %d is of %v", i, got)
			}
		}
	})
}

func TestTheSiteIsToldOfNewKeys(t *testing.T) {
	first, second := testKey(t, "first"), testKey(t, "second")
	bubbleV2(t, nil, func(r *rig, _ *testDesk) {
		r.connected(1)
		r.told(wire.TypeHello, 1)
		synctest.Wait() // until the bot has the site's hello
		r.setCredentials(func(c *Credentials) { c.Keys = wire.NewKeyRing(first, second) })
		data := members(t, r.told(wire.TypeKeyUpdate, 1)[0])
		if got := fmt.Sprint(data["accepted"]); got != fmt.Sprint([]string{first.ID(), second.ID()}) || data["preferred"] != first.ID() {
			t.Errorf("told %v", data)
		}
		r.setCredentials(func(c *Credentials) { c.CA = nil }) // nothing about the keys
		r.delivered(1)
		synctest.Wait()
		if told := r.site.Received(wire.TypeKeyUpdate); len(told) != 1 {
			t.Errorf("told %d times", len(told))
		}
	})
}

// The bot may prefer a key that the site does not have yet.
func TestTheBotSignsWithAKeyThatTheSiteHas(t *testing.T) {
	first, second := testKey(t, "first"), testKey(t, "second")
	bubbleV2(t, func(_ *simsite.Config, cfg *Config) {}, func(r *rig, _ *testDesk) {
		r.told(wire.TypeHello, 1)
		synctest.Wait()
		r.setCredentials(func(c *Credentials) { c.Keys = wire.NewKeyRing(second, first) })
		if result := r.result(r.send(1)); result.KeyID != first.ID() {
			t.Errorf("signed with %s, want the one that the site has", result.KeyID)
		}
		r.site.SetKey(second, wire.FormUTF8) // the site adopts it
		r.delivered(2)
		if result := r.result(r.send(3)); result.KeyID != second.ID() {
			t.Errorf("signed with %s, want the preferred one", result.KeyID)
		}
		if stats := r.site.Stats(); stats.Missigned != 0 || stats.Connections != 1 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestFilesGoToTheSiteAsFarAsTheyFit(t *testing.T) {
	event := store.Event{Kind: store.EventReply, Ticket: "t", At: happened, Attachments: []store.Attachment{
		{Name: "a.png", MIME: "image/png", Size: 3, FileID: "small"},
		{Name: "b.zip", Size: 10, FileID: "large"}, // larger than Telegram said
		{Name: "c.pdf", Size: 1 << 30, FileID: "huge"},
		{Name: "d.txt", Size: 5, FileID: "gone"},
	}}
	files := map[string][]byte{"small": {1, 2, 3}, "large": bytes.Repeat([]byte{7}, filesSize)}
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		desk.see(func() { desk.files = files })
		r.emit(event)
		data := members(t, r.told(wire.TypeFeedbackReply, 1)[0])
		want := `[{"base64":"AQID","mime":"image/png","name":"a.png","size":3},{"mime":"","name":"b.zip","size":10},` +
			`{"mime":"","name":"c.pdf","size":1073741824},{"mime":"","name":"d.txt","size":5}]`
		if got, err := json.Marshal(data["attachments"]); err != nil || string(got) != want {
			t.Errorf("attachments %s", got)
		}
	})
	bubbleV2(t, func(site *simsite.Config, _ *Config) { site.Capabilities = []string{wire.CapabilityReplies} }, func(r *rig, _ *testDesk) {
		r.emit(event, store.Event{Kind: store.EventReply, Ticket: "t", At: happened})
		told := r.told(wire.TypeFeedbackReply, 2)
		if data := members(t, told[0]); data["text"] != "📎 a.png b.zip c.pdf d.txt" || data["attachments"] != nil {
			t.Errorf("a site that takes no files is told %v", data)
		}
		if data := members(t, told[1]); data["text"] != "📎" {
			t.Errorf("of what nobody noted: %v", data)
		}
	})
}

// Something that the site cannot take must not hold up the rest.
func TestWhatTheSiteNeverAcknowledgesHoldsNothingUp(t *testing.T) {
	bubbleV2(t, func(_ *simsite.Config, cfg *Config) { cfg.PingInterval = time.Hour }, func(r *rig, _ *testDesk) {
		r.connected(1)
		r.site.SetFaults(simsite.Faults{NoAcksOf: wire.TypeFeedbackCreated})
		const stuck = 2 * eventsInFlight
		for range stuck {
			r.emit(store.Event{Kind: store.EventCreated, Ticket: "t", Text: "x", At: happened})
		}
		begun := time.Now()
		r.emit(store.Event{Kind: store.EventStatus, Ticket: "t", Status: ticket.StatusRead, At: happened})
		r.told(wire.TypeFeedbackStatus, 1)
		if took := time.Since(begun); took > 5*time.Minute {
			t.Errorf("the status came after %v", took)
		}
		time.Sleep(24 * time.Hour) // of the bubble
		created := r.site.Received(wire.TypeFeedbackCreated)
		if len(created) != stuck || created[0].Times < 20 || created[0].Times > 40 { // once an hour
			t.Errorf("%d came, the first %d times", len(created), created[0].Times)
		}
		if left := r.events(); len(left) != stuck {
			t.Errorf("%d wait", len(left))
		}
	})
}

// A signature is good for 45 s, and Telegram may be slow.
func TestFilesThatComeSlowlyAreSignedWhenTheyAreThere(t *testing.T) {
	bubbleV2(t, nil, func(r *rig, desk *testDesk) {
		desk.see(func() { desk.slow, desk.files = 15*time.Second, map[string][]byte{"f": {1}} })
		for range 5 {
			r.emit(store.Event{Kind: store.EventReply, Ticket: "t", Text: "x", At: happened,
				Attachments: []store.Attachment{{Name: "a", FileID: "f"}, {Name: "b", FileID: "f"}}})
		}
		for _, told := range r.told(wire.TypeFeedbackReply, 5) {
			if got := string(told.Data); told.Times != 1 || !strings.Contains(got, `{"base64":"AQ==","mime":"","name":"a","size":1},{"mime":"","name":"b","size":0}`) {
				t.Errorf("%d times: %s", told.Times, got) // the second file would have taken too long
			}
		}
		if stats := r.site.Stats(); stats.Missigned != 0 {
			t.Errorf("%d missigned", stats.Missigned)
		}
	})
}

func TestNoMoreThan2MiBOfEventsAreOnTheirWay(t *testing.T) {
	bubbleV2(t, func(site *simsite.Config, _ *Config) { site.OnFrame = nil }, func(r *rig, desk *testDesk) {
		desk.see(func() { desk.files = map[string][]byte{"f": make([]byte, 500_000)} })
		r.connected(1)
		r.told(wire.TypeHello, 1)
		r.site.SetFaults(simsite.Faults{NoAcks: true})
		for range 10 {
			r.emit(store.Event{Kind: store.EventReply, Ticket: "t", Text: "x", At: happened, Attachments: []store.Attachment{{Name: "a", FileID: "f"}}})
		}
		synctest.Wait()
		if told := r.site.Received(wire.TypeFeedbackReply); len(told) != 4 { // of 667 kB each
			t.Errorf("%d on their way", len(told))
		}
		r.site.SetFaults(simsite.Faults{})
		r.told(wire.TypeFeedbackReply, 10)
	})
}

// An ack of a refusal is none of the result that came after it.
func TestARefusalsAckDoesNotEndTheWaitForTheResult(t *testing.T) {
	raw, err := json.Marshal(feedback(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, refused := range map[string]simsite.Outgoing{
		"not verified": {Data: raw, Forged: true}, "unreadable": {Data: json.RawMessage(`{"feedback_id": 1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			bubbleV2(t, nil, func(r *rig, _ *testDesk) {
				r.connected(1)
				r.told(wire.TypeHello, 1)
				r.site.SetFaults(simsite.Faults{NoAcks: true})
				id, err := r.site.SendOut(refused)
				r.must(err)
				r.result(id)
				_, err = r.site.SendOut(simsite.Outgoing{Data: raw, ID: id})
				r.must(err)
				r.sent(id, func(s simsite.Sent) bool { return s.Result.OK })
				for _, want := range []int{1, 0} { // the refusal's ack, and then the result's
					ack, err := wire.AppendV2(nil, wire.ToBot, id, wire.Ack{}, testKey(t, "first"), time.Now().Unix(), fmt.Sprint("nonce ", want))
					r.must(err)
					r.must(r.site.SendRaw(websocket.TextMessage, ack))
					time.Sleep(2 * settlePause) // of the bubble
					synctest.Wait()
					if due, err := r.store.DueResults(r.ctx, 0, 10); err != nil || len(due) != want {
						t.Errorf("due %+v, %v, want %d", due, err, want)
					}
				}
			})
		})
	}
}

func TestNothingIsLostOverManySwitchesOfTheVersion(t *testing.T) {
	bubbleV2(t, func(site *simsite.Config, _ *Config) { site.ResendAfter = 30 * time.Second }, func(r *rig, desk *testDesk) {
		const rounds, each = 10, 10
		n, statuses, told := int64(0), 0, 0
		for round := range int64(rounds) {
			r.connected(round + 1)
			for i := range int64(each) {
				n++
				r.send(n)
				r.emit(store.Event{Kind: store.EventMessage, Ticket: fmt.Sprint(n), Text: "x", At: happened})
				told++
				if i%3 == 0 && n > each { // of a ticket that the bot has
					r.sendAs(wire.TypeFeedbackStatus, status(n-each, "read", time.Now()))
					statuses++
				}
			}
			r.until(func(s simsite.Stats) bool { return s.Answered > round*each })
			r.must(r.site.SetProtocol([]string{simsite.ProtocolV1, simsite.ProtocolV2}[round%2]))
			r.site.Drop()
		}
		r.must(r.site.SetProtocol(simsite.ProtocolV2))
		r.site.Drop()
		r.until(func(s simsite.Stats) bool {
			return s.Answered == n && len(r.site.Received(wire.TypeFeedbackReply)) == told
		})
		time.Sleep(5 * time.Minute) // of the bubble: until everything is acknowledged
		if stats := r.site.Stats(); stats.OK != n || stats.Missigned+stats.Unknown+stats.Malformed != 0 {
			t.Errorf("%+v", stats)
		}
		if got := r.store.posted(); got != int(n) {
			t.Errorf("%d posts for %d feedbacks", got, n)
		}
		desk.see(func() {
			if len(desk.statuses) != statuses {
				t.Errorf("%d statuses shown of %d", len(desk.statuses), statuses)
			}
		})
		if left := r.events(); len(left) != 0 {
			t.Errorf("%d events left", len(left))
		}
		if due, err := r.store.DueResults(r.ctx, 0, 10); err != nil || len(due) != 0 {
			t.Errorf("still due: %+v, %v", due, err)
		}
	})
}
