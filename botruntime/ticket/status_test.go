// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// shown is a post as Telegram shows it to the bot.
func shown(tb testing.TB, html string) Post {
	tb.Helper()
	text, err := richtext.ParseHTML(html)
	if err == nil {
		text, err = richtext.Compose(text)
	}
	if err != nil {
		tb.Fatal(err)
	}
	p := Post{Text: text.Text}
	for _, e := range text.Entities {
		p.Entities = append(p.Entities, Entity{Type: string(e.Type), Offset: e.Offset, Length: e.Length, Origin: e.URL})
	}
	return p
}

// stretches lists what a post's entities cover, without what Telegram finds by itself.
func stretches(p Post) (out []string) {
	units := utf16.Encode([]rune(p.Text))
	for _, e := range p.Entities {
		if e.Type != "hashtag" {
			out = append(out, e.Type+" "+string(utf16.Decode(units[e.Offset:e.end()])))
		}
	}
	return out
}

func change(status Status, actor string) Change {
	return Change{Status: status, Actor: actor, At: created}
}

func TestApplyStatus(t *testing.T) {
	const line = "Статус: В работе — @boss, 22.11.2026 14:05"
	tests := []struct {
		name, post string
		change     Change
		want       string
		entities   []string
	}{
		{"our own layout", "🆕 <b>Обращение ticket_site_1</b>\n\n<b>Сообщение:</b>\n1 &lt; 2 <i>x</i>\n\n📅 22.11.2026\n\n#bug #new",
			change(StatusInProgress, "@boss"),
			"🔧 Обращение ticket_site_1\n\nСообщение:\n1 < 2 x\n\n📅 22.11.2026\n\n" + line + "\n#bug #in_progress",
			[]string{"bold Обращение ticket_site_1", "bold Сообщение:", "italic x", "bold Статус:", "mention @boss"}},
		{"no hashtags", "<b>ticket_site_1</b> text", change(StatusInProgress, "@boss"), "ticket_site_1 text\n\n" + line,
			[]string{"bold ticket_site_1", "bold Статус:", "mention @boss"}},
		{"hashtags only", "#new", change(StatusInProgress, "@boss"), line + "\n#in_progress", []string{"bold Статус:", "mention @boss"}},
		{"formatted hashtags", "text\n<code>#bug</code> <b>#new</b>", change(StatusInProgress, "@boss"),
			"text\n" + line + "\n#bug #in_progress",
			[]string{"bold Статус:", "mention @boss", "code #bug", "bold #in_progress"}},
		{"a category named like a status", "text\n\n#closed #new", change(StatusInProgress, "@boss"),
			"text\n\n" + line + "\n#closed #in_progress", []string{"bold Статус:", "mention @boss"}},
		{"an earlier status in another language", "✅ x\n\n<b>Status:</b> Closed — Ann B, 01.01.2026 00:00\n#bug #closed",
			change(StatusInProgress, "@boss"), "🔧 x\n\n" + line + "\n#bug #in_progress", []string{"bold Статус:", "mention @boss"}},
		{"an earlier status without hashtags", "x\n\n<b>Статус:</b> Закрыто — @b, 01.01.2026 00:00",
			change(StatusInProgress, "@boss"), "x\n\n" + line, []string{"bold Статус:", "mention @boss"}},
		{"a message that only looks like a status", "x\nСтатус: Закрыто — @b, 01.01.2026 00:00\n#new",
			change(StatusInProgress, "@boss"), "x\nСтатус: Закрыто — @b, 01.01.2026 00:00\n" + line + "\n#in_progress",
			[]string{"bold Статус:", "mention @boss"}},
		{"a name that would be a link", "x\n#new", change(StatusInProgress, "a.example/b"),
			"x\nСтатус: В работе — a.example/b, 22.11.2026 14:05\n#in_progress", []string{"bold Статус:", "code a.example/b"}},
		{"emoji before entities", "😀😀 <u>под</u>\n#new", change(StatusInProgress, "@boss"),
			"😀😀 под\n" + line + "\n#in_progress", []string{"underline под", "bold Статус:", "mention @boss"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t, "ru")
			got := ApplyStatus(shown(t, tc.post), tc.change, o)
			if diff := cmp.Diff(tc.want, got.Text); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			asShown := redetect(t, got)
			if diff := cmp.Diff(tc.entities, stretches(asShown)); diff != "" {
				t.Errorf("entities (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(asShown, redetect(t, ApplyStatus(asShown, tc.change, o))); diff != "" {
				t.Errorf("a second time changes it (-first +second):\n%s", diff)
			}
		})
	}
}

// redetect sends a post to Telegram, which finds mentions and hashtags anew, and reads it back.
func redetect(tb testing.TB, p Post) Post {
	tb.Helper()
	in := richtext.Text{Text: p.Text}
	for _, e := range p.Entities {
		switch e.Type {
		case "hashtag", "mention", "url", "bot_command", "email", "cashtag":
			continue
		}
		url, _ := e.Origin.(string)
		in.Entities = append(in.Entities, richtext.Entity{Type: models.MessageEntityType(e.Type), Offset: e.Offset, Length: e.Length, URL: url})
	}
	out, err := richtext.Compose(in)
	if err != nil {
		tb.Fatalf("Telegram refuses the edit: %v", err)
	}
	back := Post{Text: out.Text}
	for _, e := range out.Entities {
		back.Entities = append(back.Entities, Entity{Type: string(e.Type), Offset: e.Offset, Length: e.Length, Origin: e.URL})
	}
	return back
}

func TestApplyStatusEqualsRender(t *testing.T) {
	o := options(t, "ru")
	o.AdminURL = "https://shop.example/"
	tk := Ticket{ID: "ticket_site_1", Source: SourceSite, Username: "user", Nickname: "a.b", Category: "bug",
		Message: "Статус: Закрыто — x\n#closed", CreatedAt: created}
	post := shown(t, Render(tk, o)[0])
	for _, status := range Statuses {
		c := change(status, "Ann @ home")
		post = redetect(t, ApplyStatus(post, c, o))
		o.Change = &c
		if diff := cmp.Diff(shown(t, Render(tk, o)[0]), post); diff != "" {
			t.Errorf("%s (-rendered +applied):\n%s", status, diff)
		}
	}
}

func TestApplyStatusFits(t *testing.T) {
	o := options(t, "ru")
	tests := map[string]struct{ post, keep string }{
		"the date above the hashtags stays": {strings.Repeat("я", 4060) + "\n📅 22.11.2026 14:05\n#bug #new", "📅 22.11.2026 14:05\n"},
		"one line":                          {strings.Repeat("😀", 2040) + "\n#bug #new", "…\n"},
		"no hashtags":                       {strings.Repeat("a ", 2048), "…\n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := ApplyStatus(Post{Text: tc.post}, change(StatusInProgress, "@boss"), o)
			if n := Units(got.Text); n > MaxUnits || n < MaxUnits-8 {
				t.Errorf("%d units", n)
			}
			if before, _, _ := strings.Cut(got.Text, "Статус:"); !strings.HasSuffix(strings.TrimRight(before, "\n")+"\n", tc.keep) {
				t.Errorf("what stands above the status line ends in %q", before[len(before)-40:])
			}
		})
	}
}

func TestActorName(t *testing.T) {
	for want, got := range map[string]string{
		"@ann":    ActorName("ann", "Ann", "", 1),
		"Ann Lee": ActorName("", "Ann", "Lee", 1),
		"ID7":     ActorName("", "\u202e", "", 7),
		"A B":     ActorName("<x>", "A\n", "\tB", 7),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzApplyStatus(f *testing.F) {
	f.Add("🆕 title\n\ntext\n\n#bug #new", "@boss", uint8(2), []byte{0, 3, 5, 9})
	f.Add("x\n\nСтатус: Закрыто — @b, 01.01.2026 00:00\n#a #closed", "a.b", uint8(0), []byte{3, 7, 0, 60})
	f.Add("\n#new", "", uint8(1), []byte{0, 200})
	f.Add(strings.Repeat("😀\u0301", 1300)+"\nlast\n#new", "", uint8(1), []byte{0, 255, 9, 11})
	f.Fuzz(func(t *testing.T, text, actor string, status uint8, spans []byte) {
		text = strings.ToValidUTF8(text, "?")
		if Units(text) > MaxUnits {
			t.Skip("longer than a message can be")
		}
		in := Post{Text: text, Entities: fuzzEntities(text, spans)}
		o := options(t, "ru")
		c := change(Statuses[int(status)%len(Statuses)], actor)
		got := ApplyStatus(in, c, o)
		checkPost(t, got)
		checkSurvivors(t, in, got)
		if diff := cmp.Diff(got, ApplyStatus(got, c, o)); diff != "" {
			t.Fatalf("not idempotent (-first +second):\n%s", diff)
		}
	})
}

// fuzzEntities makes entities of pairs of numbers; each knows what it covers.
func fuzzEntities(text string, spans []byte) (out []Entity) {
	units := utf16.Encode([]rune(text))
	for i := 0; i+1 < len(spans) && len(units) > 0; i += 2 {
		a, b := int(spans[i])*17%len(units), int(spans[i+1])*13%(len(units)+1)
		d := document{text: units}
		if a >= b || !d.isBoundary(a) || !d.isBoundary(b) {
			continue
		}
		out = append(out, Entity{Type: "italic", Offset: a, Length: b - a, Origin: fmt.Sprint(i, ":", string(utf16.Decode(units[a:b])))})
	}
	return out
}

func checkPost(t *testing.T, p Post) {
	t.Helper()
	if !utf8.ValidString(p.Text) || Units(p.Text) > MaxUnits {
		t.Fatalf("the text has %d units, valid: %v", Units(p.Text), utf8.ValidString(p.Text))
	}
	d := document{text: utf16.Encode([]rune(p.Text))}
	for _, e := range p.Entities {
		if e.Offset < 0 || e.Length <= 0 || e.end() > len(d.text) || !d.isBoundary(e.Offset) || !d.isBoundary(e.end()) {
			t.Fatalf("entity %+v does not fit the text", e)
		}
	}
}

// checkSurvivors checks that an entity covers what it covered, unless it touches the first characters, the last two
// lines, or a post that had to be cut.
func checkSurvivors(t *testing.T, in, got Post) {
	t.Helper()
	if Units(in.Text) > MaxUnits-2*statusRoom {
		return
	}
	lines := strings.Split(strings.TrimRight(in.Text, " \n"), "\n")
	body := Units(strings.Join(lines[:max(0, len(lines)-2)], "\n"))
	units := utf16.Encode([]rune(got.Text))
	for _, e := range in.Entities {
		if e.Offset < 2 || e.end() > body {
			continue
		}
		if !slices.ContainsFunc(got.Entities, func(g Entity) bool {
			_, covered, _ := strings.Cut(fmt.Sprint(e.Origin), ":")
			return g.Origin == e.Origin && string(utf16.Decode(units[g.Offset:g.end()])) == covered
		}) {
			t.Fatalf("entity %+v no longer covers %q in\n%q\n%+v", e, e.Origin, got.Text, got.Entities)
		}
	}
}
