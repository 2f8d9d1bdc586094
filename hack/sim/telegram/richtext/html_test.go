// SPDX-License-Identifier: Apache-2.0

package richtext

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	tg "github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"
)

func entity(kind string, offset, length int) Entity {
	return Entity{Type: tg.MessageEntityType(kind), Offset: offset, Length: length}
}

func TestParseHTML(t *testing.T) {
	link := func(offset, length int, url string) Entity {
		e := entity("text_link", offset, length)
		e.URL = url
		return e
	}
	block := entity("pre", 0, 4)
	block.Language = "go"
	for _, tc := range []struct {
		name, src, text string
		entities        []Entity
	}{
		{"plain", "plain", "plain", nil},
		{"styles", "<b>a</b><i>b</i><u>c</u><s>d</s>", "abcd",
			[]Entity{entity("bold", 0, 1), entity("italic", 1, 1), entity("underline", 2, 1), entity("strikethrough", 3, 1)}},
		{"synonyms", "<strong>a</strong><em>b</em><ins>c</ins><del>d</del><strike>e</strike>", "abcde",
			[]Entity{entity("bold", 0, 1), entity("italic", 1, 1), entity("underline", 2, 1), entity("strikethrough", 3, 1),
				entity("strikethrough", 4, 1)}},
		{"spoilers", `<tg-spoiler>a</tg-spoiler> <span class="tg-spoiler">b</span>`, "a b",
			[]Entity{entity("spoiler", 0, 1), entity("spoiler", 2, 1)}},
		{"offsets are in UTF-16 units", "😀<b>тест😀</b>!", "😀тест😀!", []Entity{entity("bold", 2, 6)}},
		{"nested, outer first", "<b><i>x</i>y</b>", "xy", []Entity{entity("bold", 0, 2), entity("italic", 0, 1)}},
		{"references", "&lt;&gt;&amp;&quot;&#65;&#x42;&#x1F600;", "<>&\"AB😀", nil},
		{"a reference may lack its semicolon", "a &lt b &amp", "a < b &", nil},
		{"unknown references stay", "&nbsp;&copy &unknown; & &; &#; &#x; &#0;", "&nbsp;&copy &unknown; & &; &#; &#x; &#0;", nil},
		{"a bare > is text", "a > b", "a > b", nil},
		{"link", `<a href="http://Example.COM">x</a>`, "x", []Entity{link(0, 1, "http://example.com/")}},
		{"link in single quotes", `<a href='https://example.com/?a=1&amp;b=2'>x</a>`, "x",
			[]Entity{link(0, 1, "https://example.com/?a=1&b=2")}},
		{"link without href links to its text", "<a>example.com/x</a>", "example.com/x",
			[]Entity{link(0, 13, "http://example.com/x")}},
		{"link to nowhere is text", `<a href="http://localhost/">x</a>`, "x", nil},
		{"script link is text", `<a href="javascript:alert(1)">x</a>`, "x", nil},
		{"code", "<code>x</code>", "x", []Entity{entity("code", 0, 1)}},
		{"code outside pre has no language", `<code class="language-go">x</code>`, "x", []Entity{entity("code", 0, 1)}},
		{"pre", "<pre>x</pre>", "x", []Entity{entity("pre", 0, 1)}},
		{"pre with language", `<pre><code class="language-go">x:=1</code></pre>`, "x:=1", []Entity{block}},
		{"quotes", "<blockquote>a</blockquote>\n<blockquote expandable>b</blockquote>", "a\nb",
			[]Entity{entity("blockquote", 0, 1), entity("expandable_blockquote", 2, 1)}},
		{"an empty tag leaves nothing", "a<b></b>c", "ac", nil},
		{"case does not matter", "<B>x</b >", "x", []Entity{entity("bold", 0, 1)}},
		{"</> closes the last", "<b>x</>", "x", []Entity{entity("bold", 0, 1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseHTML(tc.src)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Text{Text: tc.text, Entities: tc.entities}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseHTMLRefuses(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"unknown tag", "a <x>y</x>", `Unsupported start tag "x" at byte offset 2`},
		{"unknown tag in upper case", "<DIV>", `Unsupported start tag "div" at byte offset 0`},
		{"comment", "<!-- x -->", `Unsupported start tag "!--" at byte offset 0`},
		{"line break", "я<br/>", `Unsupported start tag "br/" at byte offset 2`},
		{"heart", "I <3 you>", `Unsupported start tag "3" at byte offset 2`},
		{"bare <", "a < b", `Unsupported start tag "" at byte offset 2`},
		{"< at the end", "a <", `Unclosed start tag at byte offset 2`},
		{"unclosed start tag", "<b", `Unclosed start tag at byte offset 0`},
		{"missing end tag", "<b>x", `Can't find end tag corresponding to start tag "b"`},
		{"missing inner end tag", "<b><i>x", `Can't find end tag corresponding to start tag "i"`},
		{"unexpected end tag", "x</b>", `Unexpected end tag at byte offset 1`},
		{"crossed tags", "<b><i>x</b></i>", `Unmatched end tag at byte offset 7, expected "</i>", found "</b>"`},
		{"unclosed end tag", "<b>x</b", `Unclosed end tag at byte offset 4`},
		{"span without class", "<span>x</span>", `Tag "span" must have class "tg-spoiler" at byte offset 0`},
		{"attribute without value", "<a href>x</a>", `Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0`},
		{"attribute without name", `<a ="x">x</a>`, `Empty attribute name in the tag "a" at byte offset 0`},
		{"bare value with a slash", `<a href=http://x.y>x</a>`, `Unexpected end of name token at byte offset 8`},
		{"open string", `<a href="x`, `Unclosed start tag at byte offset 0`},
		{"half a surrogate pair", "&#xD83D;", string(errSurrogate)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParseHTML(tc.src); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestCompose(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   Text
		want Text
	}{
		{"trims", Text{Text: "  \n x y \n"}, Text{Text: "x y"}},
		{"controls become spaces, returns and marks vanish", Text{Text: "a\tb\r\nc\u2028d\u202ee"}, Text{Text: "a b\ncde"}},
		{"entities move with dropped characters", Text{Text: "\r\nab\rc", Entities: []Entity{entity("bold", 2, 4)}},
			Text{Text: "abc", Entities: []Entity{entity("bold", 0, 3)}}},
		{"entities lose white space before, and blank ones vanish",
			Text{Text: "x  y   z", Entities: []Entity{entity("bold", 1, 3), entity("italic", 4, 3)}},
			Text{Text: "x  y   z", Entities: []Entity{entity("bold", 3, 1)}}},
		{"entities end with the text", Text{Text: "ab  ", Entities: []Entity{entity("bold", 0, 4)}},
			Text{Text: "ab", Entities: []Entity{entity("bold", 0, 2)}}},
		{"touching styles merge", Text{Text: "abcd", Entities: []Entity{entity("bold", 0, 2), entity("bold", 2, 2)}},
			Text{Text: "abcd", Entities: []Entity{entity("bold", 0, 4)}}},
		{"code holds nothing and cuts what is around it",
			Text{Text: "ab code cd", Entities: []Entity{entity("bold", 0, 10), entity("code", 3, 4), entity("italic", 4, 2)}},
			Text{Text: "ab code cd", Entities: []Entity{entity("bold", 0, 3), entity("code", 3, 4), entity("bold", 8, 2)}}},
		{"crossing styles are cut", Text{Text: "abcd", Entities: []Entity{entity("bold", 0, 3), entity("italic", 1, 3)}},
			Text{Text: "abcd", Entities: []Entity{entity("bold", 0, 1), entity("italic", 1, 3), entity("bold", 1, 2)}}},
		{"a quote in a quote goes", Text{Text: "abcd", Entities: []Entity{entity("blockquote", 0, 4), entity("blockquote", 1, 2)}},
			Text{Text: "abcd", Entities: []Entity{entity("blockquote", 0, 4)}}},
		{"tags and links are found", Text{Text: "#bug #new @some_bot /start https://example.com/x. me@example.com"},
			Text{Text: "#bug #new @some_bot /start https://example.com/x. me@example.com", Entities: []Entity{
				entity("hashtag", 0, 4), entity("hashtag", 5, 4), entity("mention", 10, 9), entity("bot_command", 20, 6),
				entity("url", 27, 21), entity("email", 50, 14)}}},
		{"but not in code", Text{Text: "#bug #new", Entities: []Entity{entity("code", 0, 4)}},
			Text{Text: "#bug #new", Entities: []Entity{entity("code", 0, 4), entity("hashtag", 5, 4)}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Compose(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestComposeRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   Text
		want string
	}{
		{"nothing", Text{Text: " \n\u200b "}, "Text must be non-empty"},
		{"bad encoding", Text{Text: "\xff"}, "Strings must be encoded in UTF-8"},
		{"negative offset", Text{Text: "x", Entities: []Entity{entity("bold", -1, 1)}}, "Receive an entity with incorrect offset -1"},
		{"negative length", Text{Text: "x", Entities: []Entity{entity("bold", 0, -1)}}, "Receive an entity with incorrect length -1"},
		{"past the end", Text{Text: "x", Entities: []Entity{entity("bold", 0, 2)}},
			"Entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 2"},
		{"half an emoji", Text{Text: "😀", Entities: []Entity{entity("bold", 1, 1)}},
			"Entity begins in a middle of a UTF-16 symbol at byte offset 4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Compose(tc.in); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestDetect(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"#a #1 #b2 a#c #d#e #баг", "hashtag:#a hashtag:#b2 hashtag:#баг"},
		{"@ab @a x@cd (@ef)", "mention:@ab mention:@ef"},
		{"/start /help@some_bot a/b //c /d/", "bot_command:/start bot_command:/help@some_bot"},
		{"see example.com, http://a.b/c?d=1#e) or tg://resolve?domain=x", "url:example.com url:http://a.b/c?d=1#e url:tg://resolve?domain=x"},
		{"v1.2.3 file.txt 10.5", ""},
		{"(https://example.com/a_(b))", "url:https://example.com/a_(b)"},
		{"pay $USD not $usd", "cashtag:$USD"},
		{"write to a.b@example.com!", "email:a.b@example.com"},
	} {
		var got []string
		for _, e := range Detect(tc.text) {
			b := boundaries(tc.text)
			got = append(got, string(e.Type)+":"+tc.text[b[e.Offset]:b[end(e)]])
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%q: got %s, want %s", tc.text, strings.Join(got, " "), tc.want)
		}
	}
}

// What HTML renders, ParseHTML reads back: the rendering can be trusted wherever a message is compared.
func TestHTMLRoundTrip(t *testing.T) {
	for _, src := range []string{
		"a &lt;b&gt; &amp;amp; c", "<b>x<i>y</i></b>z", `<pre><code class="language-go">x</code></pre>`,
		`<a href="http://example.com/?a=1&amp;b=2">x</a>`, "<blockquote expandable>😀<u>q</u></blockquote>",
		`<a href="tg://user?id=7">x</a>`, "<tg-spoiler>s</tg-spoiler>",
	} {
		first, err := ParseHTML(src)
		if err != nil {
			t.Fatal(err)
		}
		second, err := ParseHTML(first.HTML())
		if err != nil {
			t.Fatalf("%s: %v", first.HTML(), err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", src, diff)
		}
	}
}

func FuzzParseHTML(f *testing.F) {
	for _, seed := range []string{
		"<b>x</b>", "<a href='x'>", "&#x1F600;&lt", "<pre><code class=\"language-\x00\">", "<blockquote expandable", "</",
		"<b><i>#x</b>", "<code>\r\n</code> ", "😀<b> </b>\xff", "<span class=tg-spoiler>http://a.ru</>",
		"/com<tg-spoiler>mand  x</>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		parsed, err := ParseHTML(src)
		if err != nil {
			return
		}
		got, err := Compose(parsed)
		if err != nil {
			return
		}
		checkText(t, got)
		// A sender who gives back what it got leaves out what Telegram found: a style may begin in the middle of that.
		again, err := Compose(Text{Text: got.Text, Entities: slices.DeleteFunc(slices.Clone(got.Entities), isDetected)})
		if err != nil || !Equal(got, again) {
			t.Errorf("not a fixed point: %v\n%+v\n%+v", err, got, again)
		}
	})
}

func isDetected(e Entity) bool {
	return slices.ContainsFunc(Detect("#a @bc /d $E f.ru g@h.ru"), func(d Entity) bool { return d.Type == e.Type })
}

// FuzzEntities is for entities that a sender gave.
func FuzzEntities(f *testing.F) {
	f.Add("ab 😀 cd", []byte{0, 0, 3, 1, 2, 5, 6, 1, 1})
	kinds := []string{"bold", "italic", "code", "pre", "blockquote", "spoiler", "underline"}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		in := Text{Text: text}
		for ; len(raw) >= 3; raw = raw[3:] {
			in.Entities = append(in.Entities, entity(kinds[int(raw[0])%len(kinds)], int(raw[1])-1, int(raw[2])))
		}
		if got, err := Compose(in); err == nil {
			checkText(t, got)
		}
	})
}

// checkText tells what must hold for every composed text.
func checkText(t *testing.T, got Text) {
	t.Helper()
	if !utf8.ValidString(got.Text) || strings.TrimRight(got.Text, " \n") != got.Text || got.Text == "" {
		t.Errorf("text %q", got.Text)
	}
	if _, err := checkEntities(got.Text, got.Entities); err != nil {
		t.Error(err)
	}
	if back, err := ParseHTML(got.HTML()); err != nil || back.Text != got.Text {
		t.Errorf("rendered as %q, which reads %q, %v", got.HTML(), back.Text, err)
	}
}

func BenchmarkCompose(b *testing.B) {
	src := "<b>Ticket</b> #bug #new\n" + strings.Repeat("Текст с &lt;скобками&gt;, 17.10.2025. ", 20)
	b.ReportAllocs()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		t, err := ParseHTML(src)
		if err == nil {
			_, err = Compose(t)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
