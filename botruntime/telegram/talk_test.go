// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

var updateTalks = flag.Bool("update", false, "write what the bot says into testdata/talks")

// anotherGroup is a group that no ticket goes to.
const anotherGroup = int64(-1009876543210)

// TestTalks has people talk with the bot, as testdata/talks says: lines that begin with a person's name are done, and
// what the bot does then has to be what follows. The files are named <what>.<language>.txt; -update writes them anew.
func TestTalks(t *testing.T) {
	files, err := filepath.Glob("testdata/talks/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d conversations, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			script, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			onEveryDatabase(t, func(t *testing.T, w *world) {
				got := newStage(t, w, name[strings.LastIndexByte(name, '.')+1:]).play(string(script))
				if *updateTalks && !t.Failed() {
					if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				} else if diff := cmp.Diff(strings.Split(string(script), "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("the conversation went otherwise (-written +went):\n%s", diff)
				}
			})
		})
	}
}

// stage is where a conversation takes place.
type stage struct {
	*world
	t      *testing.T
	people map[string]sim.User
	seen   map[int64]map[int]string // texts of messages, by chats and ids
	press  string                   // the last press
	out    strings.Builder
}

func newStage(t *testing.T, w *world, language string) *stage {
	w.cfg.Language = language
	w.cfg.Intake = testIntake
	s := &stage{world: w, t: t, seen: map[int64]map[int]string{}, people: map[string]sim.User{
		"Anna": {ID: 77, FirstName: "Anna", Username: "anna", LanguageCode: language},
		"Ben":  {ID: 78, FirstName: "Ben", LanguageCode: language},
		"Kate": {ID: 1002, FirstName: "Kate", LanguageCode: language},
		"Boss": {ID: 1001, FirstName: "Boss", Username: "boss", LanguageCode: language},
	}}
	if err := w.AddChat(sim.Chat{ID: anotherGroup, Title: "Another group"}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetMember(group, s.people["Boss"], sim.Administrator, false); err != nil {
		t.Fatal(err)
	}
	return s
}

var testIntake = Intake{Enabled: true, Limit: store.Limit{Uses: 5, Window: 10 * time.Minute}, MinLength: 10, MaxLength: 2000,
	Categories: []Category{{Name: "bug"}, {Name: "wish"}, {Name: "question"}, {Name: "pay", Icon: "💳", Titles: map[string]string{"ru": "Оплата", "en": "Payment"}}}}

// play does what a script says and returns it with what the bot did.
func (s *stage) play(script string) string {
	var deed []string
	flush := func() {
		if len(deed) > 0 {
			s.do(strings.Join(deed, "\n"))
			deed = nil
		}
	}
	s.start()
	settle(time.Second)
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "    ") && len(deed) > 0:
			deed = append(deed, line[4:])
			continue
		case strings.HasPrefix(line, "#"), line == "":
			flush()
			s.out.WriteString(line + "\n")
			continue
		}
		flush()
		if !strings.HasPrefix(line, "Bot ") && !strings.HasPrefix(line, "    ") {
			deed = []string{line}
		}
	}
	flush()
	return s.out.String()
}

func (s *stage) write(format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n    ")
	s.out.WriteString(strings.ReplaceAll(text, "\n    \n", "\n    .\n") + "\n")
}

var deeds = []struct {
	form *regexp.Regexp
	do   func(s *stage, by sim.User, p []string) error
}{
	{regexp.MustCompile(`(?s)^(\w+): (.*)$`), func(s *stage, by sim.User, p []string) error {
		return s.say(sim.Incoming{ChatID: s.home(by), By: by, Text: p[2]})
	}},
	{regexp.MustCompile(`(?s)^(\w+) in (the|another) group: (.*)$`), func(s *stage, by sim.User, p []string) error {
		return s.say(sim.Incoming{ChatID: map[string]int64{"the": group, "another": anotherGroup}[p[2]], By: by, Text: p[3]})
	}},
	{regexp.MustCompile(`(?s)^(\w+) answers «(.*?)»(?: with a (\w+))?(?:: (.*))?$`), func(s *stage, by sim.User, p []string) error {
		in := sim.Incoming{ChatID: s.home(by), By: by, ReplyTo: s.find(s.home(by), p[2]).ID, Text: p[4]}
		if p[3] != "" {
			in.Media = &sim.Media{Kind: sim.MediaKind(p[3])}
		}
		return s.say(in)
	}},
	{regexp.MustCompile(`(?s)^(\w+) sends a (\w+)(?:: (.*))?$`), func(s *stage, by sim.User, p []string) error {
		return s.say(sim.Incoming{ChatID: s.home(by), By: by, Text: p[3], Media: &sim.Media{Kind: sim.MediaKind(p[2])}})
	}},
	{regexp.MustCompile(`(?s)^(\w+) sends (\d+) photos(?:: (.*))?$`), func(s *stage, by sim.User, p []string) error {
		n, err := strconv.Atoi(p[2])
		if err != nil {
			return err
		}
		_, err = s.Album(s.home(by), by, p[3], slices.Repeat([]sim.Media{{Kind: sim.Photo}}, n)...)
		return err
	}},
	{regexp.MustCompile(`(?s)^(\w+) changes «(.*?)» to: (.*)$`), func(s *stage, by sim.User, p []string) error {
		return s.Edit(s.home(by), s.find(s.home(by), p[2]).ID, p[3])
	}},
	{regexp.MustCompile(`^(\w+) presses \[(.*)\]$`), func(s *stage, by sim.User, p []string) (err error) {
		m, data := s.button(s.home(by), p[2])
		s.press, err = s.Press(s.home(by), m.ID, data, by)
		return err
	}},
	{regexp.MustCompile(`^(\w+) blocks the bot$`), func(s *stage, by sim.User, _ []string) error { return s.Block(by.ID) }},
	{regexp.MustCompile(`^(\w+) unblocks the bot$`), func(s *stage, by sim.User, _ []string) error { return s.Unblock(by.ID) }},
	{regexp.MustCompile(`^(Time) passes: (\S+)$`), func(s *stage, _ sim.User, p []string) error {
		d, err := time.ParseDuration(p[2])
		time.Sleep(d)
		return err
	}},
	{regexp.MustCompile(`^(Operator) restarts the bot$`), func(s *stage, _ sim.User, _ []string) error {
		s.restart()
		return nil
	}},
	{regexp.MustCompile(`^(Operator) limits feedback to (\d+) in ten minutes$`), func(s *stage, _ sim.User, p []string) (err error) {
		s.cfg.Intake.Limit.Uses, err = strconv.Atoi(p[2])
		s.restart()
		return err
	}},
	{regexp.MustCompile(`^(Operator) moves the team to another group$`), func(s *stage, _ sim.User, _ []string) error {
		s.cfg.ChatID = anotherGroup
		s.restart()
		return s.SetMember(anotherGroup, s.people["Boss"], sim.Administrator, false)
	}},
	{regexp.MustCompile(`(?s)^(\w+) in another group answers «(.*?)»: (.*)$`), func(s *stage, by sim.User, p []string) error {
		return s.say(sim.Incoming{ChatID: anotherGroup, By: by, ReplyTo: s.find(anotherGroup, p[2]).ID, Text: p[3]})
	}},
	{regexp.MustCompile(`^(Operator) turns direct messages off$`), func(s *stage, _ sim.User, _ []string) error {
		s.cfg.Intake.Enabled = false
		s.restart()
		return nil
	}},
}

// do does one deed of a person's and writes down what follows.
func (s *stage) do(deed string) {
	s.t.Helper()
	s.write("%s", deed)
	deed = strings.ReplaceAll(deed, "\n.\n", "\n\n")
	for _, d := range deeds {
		p := d.form.FindStringSubmatch(deed)
		if p == nil || s.people[p[1]].ID == 0 && p[1] != "Time" && p[1] != "Operator" {
			continue
		}
		if err := d.do(s, s.people[p[1]], p); err != nil {
			s.t.Fatalf("%s: %v", deed, err)
		}
		settle(3 * time.Second)
		s.hear()
		return
	}
	s.t.Fatalf("nobody knows how to do this: %q", deed)
}

func (s *stage) say(in sim.Incoming) error {
	if n, found := strings.CutPrefix(in.Text, "characters "); found { // a text of so many characters
		count, err := strconv.Atoi(n)
		if err != nil {
			return err
		}
		in.Text = strings.Repeat("ы", count)
	}
	_, err := s.Write(in)
	return err
}

// home is where a person talks: the staff in its group, others with the bot.
func (s *stage) home(by sim.User) int64 {
	if by == s.people["Boss"] || by == s.people["Kate"] {
		return group
	}
	return by.ID
}

// find is the last message of a chat that begins so.
func (s *stage) find(chatID int64, beginning string) sim.Message {
	s.t.Helper()
	for _, m := range slices.Backward(s.Messages(chatID)) {
		if strings.HasPrefix(shown(m), beginning) {
			return m
		}
	}
	s.t.Fatalf("no message begins with %q", beginning)
	return sim.Message{}
}

func (s *stage) button(chatID int64, label string) (sim.Message, string) {
	s.t.Helper()
	for _, m := range slices.Backward(s.Messages(chatID)) {
		for _, row := range m.Buttons {
			for _, b := range row {
				if b.Text == label {
					return m, b.CallbackData
				}
			}
		}
	}
	s.t.Fatalf("no message has a button %q", label)
	return sim.Message{}, ""
}

// shown is a message's text, with what is attached before it.
func shown(m sim.Message) string {
	if m.Media != nil {
		return strings.TrimSpace("[" + string(m.Media.Kind) + "] " + m.Text)
	}
	return m.Text
}

// hear writes down what the bot did since the last time.
func (s *stage) hear() {
	if s.press != "" {
		if a, ok := s.CallbackAnswer(s.press); ok {
			s.write("%s", strings.TrimRight("Bot answers the press: "+a.Text, ": "))
		}
		s.press = ""
	}
	for _, place := range []struct {
		id   int64
		name string
	}{{s.people["Anna"].ID, "to Anna"}, {s.people["Ben"].ID, "to Ben"}, {group, "in the group"}, {anotherGroup, "in another group"}} {
		if s.seen[place.id] == nil {
			s.seen[place.id] = map[int]string{}
		}
		for _, m := range s.Messages(place.id) {
			now := shown(m) + m.Reaction
			before, known := s.seen[place.id][m.ID]
			s.seen[place.id][m.ID] = now
			switch {
			case known && before == now, m.From.ID != s.Bot().ID && m.Reaction == "":
			case m.From.ID != s.Bot().ID:
				s.write("Bot reacts to «%s» %s: %s", firstLine(shown(m)), place.name, m.Reaction)
			case known:
				s.write("Bot changes «%s» %s: %s", firstLine(before), place.name, s.whole(m))
			default:
				s.write("Bot %s%s: %s", place.name, s.answered(m), s.whole(m))
			}
		}
	}
}

func (s *stage) answered(m sim.Message) string {
	if m.ReplyTo == 0 {
		return ""
	}
	to, ok := s.Message(m.ChatID, m.ReplyTo)
	if !ok {
		return ", answering what is gone"
	}
	return ", answering «" + firstLine(shown(to)) + "»"
}

// whole is a message with its buttons.
func (s *stage) whole(m sim.Message) string {
	out := shown(m)
	for _, row := range m.Buttons {
		var labels []string
		for _, b := range row {
			labels = append(labels, "["+b.Text+"]")
		}
		out += "\n" + strings.Join(labels, " ")
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if r := []rune(line); len(r) > 50 {
		return string(r[:50]) + "…"
	}
	return line
}
