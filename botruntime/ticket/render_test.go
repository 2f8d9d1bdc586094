// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

var created = time.Date(2026, 11, 22, 11, 5, 59, 0, time.UTC)

func zone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func options(tb testing.TB, language string) Options {
	return Options{Texts: Texts(language), Location: zone(tb, "Europe/Moscow")}
}

func TestRenderGolden(t *testing.T) {
	full := Ticket{ID: "ticket_site_123", Source: SourceSite, FeedbackID: 123, TelegramID: 999, Username: "user",
		FirstName: "Имя", Nickname: "PlayerNick", Category: "bug", Message: "Текст", CreatedAt: created}
	tests := []struct {
		name   string
		ticket Ticket
		change func(*Options)
		want   string
	}{
		{name: "everything known", ticket: full, want: `🆕 <b>Обращение ticket_site_123</b>

👤 <b>От:</b> @user (Имя)
🎮 <b>Ник:</b> PlayerNick
🐛 <b>Тема:</b> Баг / ошибка
🌐 <b>Источник:</b> Сайт

💬 <b>Сообщение:</b>
Текст

📅 22.11.2026 14:05 МСК

#bug #new`},
		{name: "English, in another zone, with a link", ticket: full, change: func(o *Options) {
			o.Texts, o.Location, o.AdminURL = Texts("en"), zone(t, "Asia/Almaty"), `https://shop.example/admin/?a="1"&b=<2>`
		}, want: `🆕 <b>Feedback ticket_site_123</b>

👤 <b>From:</b> @user (Имя)
🎮 <b>Nickname:</b> PlayerNick
🐛 <b>Topic:</b> Bug
🌐 <b>Source:</b> Site

💬 <b>Message:</b>
Текст

📅 22.11.2026 16:05 UTC+05
🔗 <a href="https://shop.example/admin/?a=&quot;1&quot;&amp;b=&lt;2&gt;">Open on the site</a>

#bug #new`},
		{name: "hardly anything known", ticket: Ticket{ID: "ticket_tg_7", Source: SourceTelegram, TelegramID: 42,
			Category: "other", Message: "Hi"}, want: `🆕 <b>Обращение ticket_tg_7</b>

👤 <b>От:</b> ID42
💬 <b>Тема:</b> Другое
💬 <b>Источник:</b> Личное сообщение

💬 <b>Сообщение:</b>
Hi

#other #new`},
		{name: "with files, in a category of the spec's own", ticket: Ticket{ID: "ticket_tg_8", Source: SourceTelegram, Username: "user",
			Category: "pay", Message: "Hi", Attachments: 2}, change: func(o *Options) {
			o.Categories = []Category{{Name: "pay", Icon: "💳", Titles: map[string]string{"ru": "Оплата <"}}}
		}, want: `🆕 <b>Обращение ticket_tg_8</b>

👤 <b>От:</b> @user
💳 <b>Тема:</b> Оплата &lt;
💬 <b>Источник:</b> Личное сообщение
📎 <b>Вложения:</b> в ответах на это сообщение

💬 <b>Сообщение:</b>
Hi

#pay #new`},
		{name: "what strangers write is text", ticket: Ticket{ID: "ticket_site_1", Source: SourceSite,
			Username: `<b>x</b>`, FirstName: "a&b\u202Etxt", Nickname: `<a href="https://evil.example">win</a>`,
			Category: "Ошибка <i> / #new", Message: "1 < 2 && *x* _y_ [z](https://z.example) </b>\r\nline\u2028two\x00"},
			want: `🆕 <b>Обращение ticket_site_1</b>

👤 <b>От:</b> <code>@&lt;b&gt;x&lt;/b&gt;</code> (a&amp;btxt)
🎮 <b>Ник:</b> <code>&lt;a href=&quot;https://evil.example&quot;&gt;win&lt;/a&gt;</code>
💬 <b>Тема:</b> <code>Ошибка &lt;i&gt; / #new</code>
🌐 <b>Источник:</b> Сайт

💬 <b>Сообщение:</b>
1 &lt; 2 &amp;&amp; *x* _y_ [z](https://z.example) &lt;/b&gt;
line
two

#Ошибка_i_new #new`},
		{name: "a repeat, closed", ticket: Ticket{ID: "ticket_site_1", Source: SourceSite, Category: "wish", Message: "m"},
			change: func(o *Options) {
				o.MaybeRepeat = true
				o.Change = &Change{Status: StatusClosed, Actor: "@boss", At: created}
			},
			want: `✅ <b>Обращение ticket_site_1</b>
⚠️ <i>Возможно, повтор: это обращение могло уже прийти в чат.</i>

💡 <b>Тема:</b> Пожелание
🌐 <b>Источник:</b> Сайт

💬 <b>Сообщение:</b>
m

<b>Статус:</b> Закрыто — @boss, 22.11.2026 14:05
#wish #closed`},
		{name: "nothing visible", ticket: Ticket{ID: "ticket_site_1", Source: SourceSite, Nickname: "\u3164 \u200b",
			FirstName: "\t", Category: "question", Message: "\u2800\n\u200b"}, want: `🆕 <b>Обращение ticket_site_1</b>

❓ <b>Тема:</b> Вопрос
🌐 <b>Источник:</b> Сайт

💬 <b>Сообщение:</b>
—

#question #new`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t, "ru")
			if tc.change != nil {
				tc.change(&o)
			}
			if diff := cmp.Diff([]string{tc.want}, Render(tc.ticket, o)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderBoundsTheHeader(t *testing.T) {
	long := strings.Repeat("ник😀", 3000)
	parts := Render(Ticket{ID: "ticket_site_1", Source: SourceSite, Username: long, FirstName: long, Nickname: long,
		Category: long, Message: "m", CreatedAt: created}, options(t, "ru"))
	if len(parts) != 1 {
		t.Fatalf("%d parts, want 1", len(parts))
	}
	if n := strings.Count(parts[0], "…"); n != 4 {
		t.Errorf("%d fields were cut with an ellipsis, want 4:\n%s", n, parts[0])
	}
	if n := units(t, parts[0]); n > 600 {
		t.Errorf("the post has %d units:\n%s", n, parts[0])
	}
}

// units is the length of a post as Telegram counts it.
func units(tb testing.TB, html string) int {
	tb.Helper()
	text, err := richtext.ParseHTML(html)
	if err != nil {
		tb.Fatalf("Telegram refuses the post: %v\n%s", err, html)
	}
	return Units(text.Text)
}

func TestRenderLongMessages(t *testing.T) {
	tests := map[string]struct {
		message string
		parts   int
	}{
		"just fits":               {strings.Repeat("a", 3700), 1},
		"4,090 characters":        {strings.Repeat("a", 4090), 2},
		"4,096 characters":        {strings.Repeat("я", 4096), 2},
		"10,000 of words":         {strings.Repeat("слово ", 1667), 3},
		"10,000 that are escaped": {strings.Repeat("<&>\"", 2500), 3},
		"10,000 emoji":            {strings.Repeat("😀", 10000), 6},
		"families":                {strings.Repeat("👨‍👩‍👧‍👦", 1000), 3},
		"flags":                   {strings.Repeat("🇷🇺", 2000), 3},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := options(t, "ru")
			parts := Render(Ticket{ID: "ticket_site_1", Source: SourceSite, Category: "bug", Message: tc.message}, o)
			if len(parts) != tc.parts {
				t.Errorf("%d parts, want %d", len(parts), tc.parts)
			}
			var all strings.Builder
			for i, p := range parts {
				text, err := richtext.ParseHTML(p)
				if err != nil {
					t.Fatalf("part %d: Telegram refuses it: %v", i, err)
				}
				if n := Units(text.Text); n > MaxUnits {
					t.Errorf("part %d has %d units", i, n)
				}
				if Units(text.Text) > MaxUnits-statusRoom {
					t.Errorf("part %d has no room for a status line, or for one that says that it may be a repeat: %d units", i, Units(text.Text))
				}
				all.WriteString(text.Text)
			}
			for r := range countRunes(tc.message) {
				if r != ' ' && countRunes(all.String())[r] < countRunes(tc.message)[r] {
					t.Errorf("%q was lost", r)
				}
			}
		})
	}
}

func countRunes(s string) map[rune]int {
	counts := map[rune]int{}
	for _, r := range s {
		counts[r]++
	}
	return counts
}

func TestSplitKeepsCharactersWhole(t *testing.T) {
	for _, character := range []string{"👨‍👩‍👧‍👦", "🇷🇺", "👍🏽", "é", "한", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"} {
		s := strings.Repeat(character, 50)
		for limit := 15; limit < 60; limit++ {
			for _, piece := range split(s, limit, limit) {
				if strings.Trim(piece, character) != "" || len(piece)%len(character) != 0 {
					t.Fatalf("limit %d took %q apart: %q", limit, character, piece)
				}
			}
		}
	}
}

func TestRenderCutsWhatIsFarTooLong(t *testing.T) {
	parts := Render(Ticket{ID: "ticket_site_9007199254740991", Source: SourceSite, Category: "bug", Message: strings.Repeat("я", 500_000)},
		options(t, "ru"))
	if len(parts) != maxParts {
		t.Fatalf("%d parts, want %d", len(parts), maxParts)
	}
	if last := parts[maxParts-1]; !strings.Contains(last, "обрезан") || units(t, last) > MaxUnits-statusRoom {
		t.Errorf("the last part does not say that the text is cut: %.200s", last[len(last)-200:])
	}
}

func FuzzRender(f *testing.F) {
	f.Add("user", "Имя", "<b>nick", "bug", "text & <more>", "https://a.example/?x=1&y=2", true, uint16(1))
	f.Add("", "", "", "\u202e/start@x", "a\r\n\r\nb\u2028c\xff\xfe\xed\xa0\x80", "javascript:alert(1)", false, uint16(900))
	f.Add("@x y", "👨‍👩‍👧‍👦", "\u0301\u0301", "", " \n", "", true, uint16(5000))
	f.Fuzz(func(t *testing.T, username, first, nick, category, message, admin string, ru bool, repeat uint16) {
		o := options(t, map[bool]string{true: "ru", false: "en"}[ru])
		o.AdminURL, o.MaybeRepeat = admin, ru
		ticket := Ticket{ID: "ticket_site_1", Source: SourceSite, Username: username, FirstName: first, Nickname: nick,
			Category: category, Message: strings.Repeat(message, int(min(repeat, 8000))), CreatedAt: created}
		for i, p := range Render(ticket, o) {
			if !utf8.ValidString(p) {
				t.Fatalf("part %d is not UTF-8", i)
			}
			parsed, err := richtext.ParseHTML(p)
			if err != nil {
				t.Fatalf("part %d: Telegram refuses it: %v\n%s", i, err, p)
			}
			if n := Units(parsed.Text); n > MaxUnits {
				t.Fatalf("part %d has %d units", i, n)
			}
			shown, err := richtext.Compose(parsed)
			if err != nil {
				t.Fatalf("part %d: Telegram refuses it: %v", i, err)
			}
			for _, e := range shown.Entities {
				if e.Type == "text_link" && !isWebAddress(admin) {
					t.Fatalf("part %d has a link to %q", i, e.URL)
				}
			}
			if Units(shown.Text) != Units(strings.TrimSpace(parsed.Text)) && i == 0 {
				t.Errorf("part %d: Telegram drops characters that were counted", i)
			}
		}
	})
}

func BenchmarkRender(b *testing.B) {
	o := options(b, "ru")
	tk := Ticket{ID: "ticket_site_123", Source: SourceSite, FeedbackID: 123, TelegramID: 999, Username: "user",
		FirstName: "Имя", Nickname: "PlayerNick", Category: "bug", Message: strings.Repeat("Текст ", 50), CreatedAt: created}
	b.ReportAllocs()
	for b.Loop() {
		Render(tk, o)
	}
}
