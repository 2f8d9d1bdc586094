// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// feedback is what the site has sent.
type feedback struct {
	number int
	id     string // of its frames
	data   json.RawMessage
	parts  []string // marks that its text has, from its begin to its end
	sent   time.Time
}

// patience is how long the site waits for a result before it sends a feedback again.
const patience = 5 * time.Second * slowness

// siteFeedback is the site's side: version 1 of the protocol has no acknowledgement but the result, so a site sends again what has none.
type siteFeedback struct {
	w     *world
	seen  *watch
	dice  *rand.Rand
	mu    sync.Mutex
	all   []*feedback
	open  []*feedback // without a result
	again int         // how often it was sent again
}

// hostile are pieces of what people write: markup, entities, characters of several UTF-16 units, right-to-left overrides, links.
var hostile = []string{"<b>bold", "&amp; & co", "</b></i>", "a < b > c", "🎮👨‍👩‍👧", "\u202eback", "https://shop.example/?a=1&b=2", "@support_desk",
	"#bug #closed", "Не открывается страница", "\t\n\n", "``` *_*", "\"'\\", "ticket_site_1", "/close 1", "e\u0301"}

func words(dice *rand.Rand, most int) string {
	var b strings.Builder
	for range 1 + dice.IntN(most) {
		b.WriteString(hostile[dice.IntN(len(hostile))])
		b.WriteByte(' ')
	}
	return b.String()
}

// send sends n feedbacks. Some are too long for one message, and some frames are written twice.
func (s *siteFeedback) send(n int) {
	for range n {
		s.mu.Lock()
		f := &feedback{number: len(s.all) + 1}
		out := simsite.Outgoing{Data: s.compose(f)}
		if s.dice.IntN(20) == 0 {
			out.Repeat = 1
		}
		f.data, f.sent = out.Data, time.Now()
		id, err := s.w.site.SendOut(out)
		f.id = id
		s.all, s.open = append(s.all, f), append(s.open, f)
		s.mu.Unlock()
		if err != nil {
			s.w.fail("send feedback %d: %v", f.number, err)
		}
	}
}

func (s *siteFeedback) compose(f *feedback) json.RawMessage {
	begin, end := mark('S', f.number, 'a'), mark('S', f.number, 'z')
	text := begin + " " + words(s.dice, 5) + end
	if s.dice.IntN(40) == 0 {
		text = begin + " " + strings.Repeat("A long story, with <tags> & all. 🎮 ", 100+s.dice.IntN(250)) + end
	}
	f.parts = []string{begin, end}
	data, err := json.Marshal(map[string]any{
		"feedback_id": f.number, "telegram_id": 0, "telegram_username": []string{"", "user", "a<b"}[s.dice.IntN(3)],
		"telegram_first_name": words(s.dice, 1), "nickname": words(s.dice, 1),
		"category": []string{"bug", "wish", "question", "other", "billing"}[s.dice.IntN(5)], "message": text,
		"created_at": "2025-10-17T12:00:00", "source": "website",
	})
	if err != nil {
		panic(err) // it is plain data
	}
	return data
}

// insist sends again what has no result and is not in the group either. What is there is the bot's to answer without being asked again; one
// in fifty is asked for all the same, as an impatient site would.
func (s *siteFeedback) insist() {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.open[:0]
	for _, f := range s.open {
		if sent, _ := s.w.site.Sent(f.id); sent.Result != nil {
			continue
		}
		open = append(open, f)
		if time.Since(f.sent) < patience {
			continue
		}
		f.sent = time.Now()
		if s.seen.has(f.parts[0]) && s.dice.IntN(50) > 0 {
			continue
		}
		s.again++
		if _, err := s.w.site.SendOut(simsite.Outgoing{ID: f.id, Data: f.data}); err != nil {
			s.w.fail("send feedback %d again: %v", f.number, err)
		}
	}
	clear(s.open[len(open):])
	s.open = open
}

// unanswered are those without a result.
func (s *siteFeedback) unanswered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// mark is a word that tells a text, and its begin from its end; kind tells who wrote it.
func mark(kind byte, number int, place byte) string {
	return fmt.Sprintf("soak%c%d%c", kind, number, place)
}
