// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestPeopleAreSpokenToInTheirLanguage(t *testing.T) {
	ru, en := ticket.Texts("ru"), ticket.Texts("en")
	tests := []struct{ language, text, want string }{
		{"ru", "/start", ru.Direct.Start},
		{"ru", "/start ref_12", ru.Direct.Start},
		{"en-GB", "/HELP", en.Direct.Help},
		{"en", "/help@feedback_sim_bot", en.Direct.Help},
		{"en", "/help@another_bot", en.Direct.Hint},
		{"de", "/help", ru.Direct.Help}, // the chat's language
		{"", "hello", ru.Direct.Hint},
	}
	for _, tc := range tests {
		t.Run(tc.language+" "+tc.text, func(t *testing.T) {
			inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
				w.cfg.Intake = testIntake
				w.start()
				settle(time.Second) // by then it knows its name
				person := sim.User{ID: 77, FirstName: "P", LanguageCode: tc.language}
				if _, err := w.Say(person.ID, tc.text, person); err != nil {
					t.Fatal(err)
				}
				settle(time.Second)
				messages := w.Messages(person.ID)
				if len(messages) != 2 || messages[1].Text != tc.want {
					t.Errorf("got %+v", messages)
				}
			})
		})
	}
}

func TestGroupsAndBlockedUsersGetNothing(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		if _, err := w.Say(group, "/start", visitor); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Say(visitor.ID, "/start", visitor); err != nil {
			t.Fatal(err)
		}
		if err := w.AddChat(sim.Chat{ID: visitor.ID, BotStatus: sim.Kicked}); err != nil { // blocks the bot at once
			t.Fatal(err)
		}
		settle(time.Second)
		if n := len(w.Messages(group)) + len(w.Messages(visitor.ID)); n != 2 {
			t.Errorf("%d messages, want the two commands", n)
		}
		if waiting, err := w.store.WaitingChats(t.Context()); err != nil || len(waiting) != 0 {
			t.Errorf("jobs wait for %v, err %v: what a person blocked is not tried again", waiting, err)
		}
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("health is %s", state)
		}
	})
}

func mustComplete(t testing.TB, cfg Config) *Config {
	t.Helper()
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	return &cfg
}

func TestUpdatesSurviveKills(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		// Saved and not handled, as a kill between the two leaves it.
		update := fmt.Sprintf(`{"update_id":5,"message":{"message_id":1,"date":1,"text":"/start","chat":{"id":%d,"type":"private"},`+
			`"from":{"id":%d,"first_name":"V"}}}`, visitor.ID, visitor.ID)
		if err := w.AddChat(sim.Chat{ID: visitor.ID}); err != nil {
			t.Fatal(err)
		}
		bad := []string{`{"update_id":1`, `{"update_id":2,"message":{"chat":[]}}`, `{"update_id":3}`, `null`}
		var updates []store.Update
		for i, b := range append(bad, update) {
			updates = append(updates, store.Update{ID: int64(i + 1), Payload: []byte(b)})
		}
		if err := w.store.SaveUpdates(t.Context(), updates); err != nil {
			t.Fatal(err)
		}
		w.start()
		settle(time.Second)
		if n := len(w.Messages(visitor.ID)); n != 1 {
			t.Errorf("%d answers, want 1", n)
		}
		if left, err := w.store.PendingUpdates(t.Context(), 0, 10); err != nil || len(left) != 0 {
			t.Errorf("%d updates are left, err %v", len(left), err)
		}
	})
}

func TestEveryUpdateIsAnsweredOnceOverRestarts(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		for i := range 60 {
			person := sim.User{ID: int64(2000 + i), FirstName: "P"}
			if _, err := w.Say(person.ID, "/help", person); err != nil {
				t.Fatal(err)
			}
			if i%7 == 0 {
				w.restart()
			}
		}
		settle(10 * time.Second)
		for i := range 60 {
			if n := len(w.Messages(int64(2000 + i))); n != 2 {
				t.Errorf("person %d: %d messages, want the command and one answer", i, n)
			}
		}
		if n := w.Stats().PendingUpdates; n != 0 {
			t.Errorf("%d updates are not confirmed", n)
		}
	})
}

func TestPrivateChatsKeepTheirLimit(t *testing.T) {
	inBubble(t, sim.RealLimits(), func(t *testing.T, w *world) {
		w.cfg.Limits = Limits{PerChat: Limit{20, time.Minute}, Overall: Limit{30, time.Second}}
		w.start()
		for range 5 {
			for person := range int64(20) {
				if _, err := w.Say(3000+person, "/help", sim.User{ID: 3000 + person, FirstName: "P"}); err != nil {
					t.Fatal(err)
				}
			}
			settle(1500 * time.Millisecond)
		}
		settle(10 * time.Second)
		if s := w.Stats(); s.Sent != 100 || s.TooManyRequests != 0 {
			t.Errorf("%d answers, %d requests too many", s.Sent, s.TooManyRequests)
		}
	})
}

func TestAnotherPollerIsReported(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		settle(time.Second)
		other := newAPI(mustComplete(t, w.cfg))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for ctx.Err() == nil {
			_, _ = other.poll(ctx, pollParams{Limit: 1, Timeout: 50}) // it gets 409 in turn
		}
		if !slices.Contains(w.health.states(), "false AnotherPoller") {
			t.Errorf("not reported: %v", w.health.states())
		}
		settle(time.Minute)
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("once it is gone health is %s", state)
		}
	})
}

func TestOffsetStartsAnew(t *testing.T) {
	offsets := make(chan string, 100)
	batches := []string{`[{"update_id":900},{"update_id":901}]`, `[]`, `[{"update_id":7}]`, `[]`}
	polls := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/getUpdates") {
			http.Error(rw, "{}", http.StatusBadGateway)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		offsets <- string(body)
		batch := `[]`
		if polls < len(batches) {
			batch = batches[polls]
		} else {
			<-r.Context().Done()
		}
		polls++
		_, _ = fmt.Fprintf(rw, `{"ok":true,"result":%s}`, batch)
	}))
	defer server.Close()
	w := newWorld(t, sim.Limits{})
	defer w.end()
	w.cfg.APIURL, w.cfg.HTTPClient = server.URL, NewHTTPClient()
	w.start()
	for i, want := range []string{"", `"offset":902,`, "", `"offset":8,`, ""} {
		select {
		case got := <-offsets:
			if !strings.Contains(got, want) || want == "" && strings.Contains(got, "offset") {
				t.Errorf("poll %d was %s, want %q in it", i, got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no poll %d", i)
		}
	}
}

// hostileUpdates are what a client of its own making can have Telegram send, and more than that.
func hostileUpdates() (out []string) {
	const person = `"from":{"id":5,"first_name":"\u202e"},"chat":{"id":5,"type":"private"}`
	const staff = `"from":{"id":6,"first_name":"\u0000","username":"\ud800"},"chat":{"id":-1001234567890,"title":"\u0000"}`
	return []string{
		`{"message":{"message_id":1,"date":1,"text":"/",` + person + `}}`,
		`{"message":{"message_id":1,"date":1,"text":"/feedback\u0000",` + person + `}}`,
		`{"message":{"message_id":-1,"date":-1,"caption":"\ud800 long enough","photo":[{}],"media_group_id":"\u0000",` + person + `}}`,
		`{"message":{"message_id":2,"date":1,"text":"a\u0000b, and \ud800 long enough",` + person + `}}`,
		`{"edited_message":{"message_id":1,"date":1,"text":"x",` + person + `}}`,
		`{"edited_message":{"message_id":2,"date":1,"text":"\u0000 something else",` + person + `}}`,
		`{"message":{"message_id":9223372036854775807,"date":9223372036854775807,"text":"hello",` + person + `}}`,
		`{"callback_query":{"id":"1","from":{"id":5},"data":"cat_bug","message":{"message_id":7,"date":1,` + person + `}}}`,
		`{"callback_query":{"id":"1","from":{"id":5},"data":"cat_\u0000","message":{"message_id":7,"date":1,` + person + `}}}`,
		`{"callback_query":{"id":"1","from":{"id":5,"first_name":"\u202e"},"data":"status_x_read","message":` +
			`{"message_id":7,"date":1,"text":"\ud83d\ude00 x\n#new","entities":[{"type":"bold","offset":1,"length":-5}],"chat":{"id":-1001234567890},` +
			`"reply_markup":{"inline_keyboard":[[{"text":"x","callback_data":"status_x_read"}]]}}}}`,
		`{"callback_query":{"data":"status_x_read","message":{"chat":{"id":-1001234567890},"message_id":7,"date":0}}}`,
		`{"callback_query":{"data":"status_\u0000_read","message":{"chat":{"id":-1001234567890},"message_id":7,"date":0}}}`,
		`{"callback_query":{"message":null}}`,
		`{"message":{"message_id":3,"date":1,"text":"/ticket \u0000",` + staff + `}}`,
		`{"message":{"message_id":3,"date":1,"text":"\u0000","media_group_id":"\u0000\ud800",` + staff + `,"reply_to_message":{"message_id":1000,"date":1}}}`,
		`{"message":{"message_id":4,"date":1,"text":"x","message_thread_id":9223372036854775807,` + staff + `}}`,
		`{"edited_message":{"message_id":3,"date":1,"text":"\u0000",` + staff + `}}`,
		`{"my_chat_member":{"chat":{"id":5,"type":"private"},"new_chat_member":{"status":"kicked"}}}`,
	}
}

// handledBy is a worker in a world with a person of the hostile updates who is asked for a text.
func (w *world) handledBy() *worker {
	w.t.Helper()
	w.cfg.Intake = testIntake
	cfg := mustComplete(w.t, w.cfg)
	a, clock := newAPI(cfg), time.Now()
	now := func() time.Time { clock = clock.Add(time.Minute); return clock } // nobody writes too fast
	worker := newWorker(cfg, w.store, a, nil, handlers{cfg: cfg, api: a, identity: &identity{}, effectiveChat: w.store.EffectiveChat,
		members: newMembers(a, time.Now), now: now})
	for _, text := range []string{"/feedback", "/skip", "Bug"} {
		w.handled(worker, fmt.Appendf(nil, `{"message":{"message_id":1,"date":1,"text":%q,"from":{"id":5,"language_code":"en","first_name":"P"},`+
			`"chat":{"id":5,"type":"private"}}}`, text))
	}
	return worker
}

// No update stands in the way of those behind it, whatever the database makes of what it says.
func TestHostileUpdatesEnd(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, w *world) {
		worker := w.handledBy()
		for _, body := range hostileUpdates() {
			w.handled(worker, []byte(body))
		}
		if left, err := w.store.PendingUpdates(t.Context(), 0, 100); err != nil || len(left) != 0 {
			t.Errorf("%d updates wait, %v", len(left), err)
		}
	})
}

func FuzzHandle(f *testing.F) {
	for _, body := range hostileUpdates() {
		f.Add([]byte(body))
	}
	w := newWorld(f, sim.Limits{})
	f.Cleanup(w.end)
	worker := w.handledBy()
	f.Fuzz(func(t *testing.T, body []byte) {
		w.t = t
		w.handled(worker, body)
	})
}

// handled has an update handled, whatever it is, and everything sent that follows from it.
func (w *world) handled(worker *worker, body []byte) {
	w.t.Helper()
	ctx := context.Background()
	w.seq++
	if err := w.store.SaveUpdates(ctx, []store.Update{{ID: w.seq, Payload: body}}); err != nil {
		w.t.Fatal(err)
	}
	a := arrival{id: w.seq}
	a.update, _ = readUpdate(body)
	if err := worker.finish(ctx, a); err != nil {
		w.t.Fatalf("it would be tried for ever: %v", err)
	}
	worker.wg.Wait()
	chats, err := w.store.WaitingChats(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, chat := range chats {
		var done *store.Outcome
		for {
			job, err := w.store.Advance(ctx, chat, done, true)
			if err != nil {
				w.t.Fatal(err)
			}
			if job == nil {
				break
			}
			p, err := decodePayload(job.Payload)
			if job.Kind != store.JobPost && job.Kind != store.JobTopic && (err != nil || p.Text == "" && job.Kind != store.JobCopy || ticket.Units(p.Text) > ticket.MaxUnits) {
				w.t.Fatalf("job %+v with %+v, err %v", job, p, err)
			}
			w.seq++
			done = &store.Outcome{Seq: job.Seq, Kind: store.Sent, MessageID: w.seq, At: time.Now()}
		}
	}
}
