// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rawCatalog is a catalog's file: a text, or the forms of one, by names; those of nested ones behind a dot.
func rawCatalog(t *testing.T, language string) map[string]map[string]string {
	t.Helper()
	data, err := locales.ReadFile("locales/active." + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	var read func(prefix string, raw map[string]any)
	read = func(prefix string, raw map[string]any) {
		for key, value := range raw {
			switch v := value.(type) {
			case string:
				out[prefix+key] = map[string]string{"other": v}
			case map[string]any:
				if _, plural := v["other"]; !plural {
					read(prefix+key+".", v)
					continue
				}
				forms := map[string]string{}
				for form, text := range v {
					forms[form] = fmt.Sprint(text)
				}
				out[prefix+key] = forms
			}
		}
	}
	read("", raw)
	return out
}

var placeholder = regexp.MustCompile(`\{\{[^}]*\}\}`)

// placeholders are those of a text, sorted. {{.Count}} may be left out where the form says it: "one more".
func placeholders(text string) []string {
	found := append([]string{}, placeholder.FindAllString(text, -1)...)
	slices.Sort(found)
	return slices.DeleteFunc(slices.Compact(found), func(s string) bool { return s == "{{.Count}}" })
}

func TestCatalogsSayTheSame(t *testing.T) {
	ru, en := rawCatalog(t, "ru"), rawCatalog(t, "en")
	for id := range ru {
		if en[id] == nil {
			t.Errorf("%s is not in the English catalog", id)
		}
	}
	for id, english := range en {
		russian := ru[id]
		if russian == nil {
			t.Errorf("%s is not in the Russian catalog", id)
			continue
		}
		want := placeholders(english["other"])
		for language, forms := range map[string]map[string]string{"ru": russian, "en": english} {
			for form, text := range forms {
				if diff := cmp.Diff(want, placeholders(text)); diff != "" {
					t.Errorf("%s, %s, %q has other placeholders (-want +got):\n%s", id, language, form, diff)
				}
				if text != strings.TrimSpace(text) || text == "" {
					t.Errorf("%s, %s, %q is empty or has spaces around it: %q", id, language, form, text)
				}
			}
		}
		if len(english) > 1 && (len(english) != 2 || len(russian) != 4) {
			t.Errorf("%s: English has %d forms, want one and other; Russian %d, want one, few, many and other", id, len(english), len(russian))
		}
		if (len(english) > 1) != (len(russian) > 1) {
			t.Errorf("%s has forms for numbers in one language only", id)
		}
	}
}

func TestEveryTextHasItsPlace(t *testing.T) {
	all, err := readCatalogs()
	if err != nil {
		t.Fatal(err)
	}
	for language, c := range all {
		for _, s := range append(slices.Clone(Statuses), StatusNew) {
			if c.Statuses[s] == "" {
				t.Errorf("%s: the status %s has no name", language, s)
			}
		}
		for name := range categoryIcons {
			if c.Categories[name] == "" {
				t.Errorf("%s: the category %s has no name", language, name)
			}
		}
	}
	if Texts("de") != Texts("en") || Texts("ru") == Texts("en") {
		t.Error("who speaks neither language gets no English")
	}
}

func TestNumbersInWords(t *testing.T) {
	tests := []struct {
		wait   time.Duration
		ru, en string
	}{
		{0, "1 минуту", "1 minute"},
		{time.Second, "1 минуту", "1 minute"},
		{61 * time.Second, "2 минуты", "2 minutes"},
		{5 * time.Minute, "5 минут", "5 minutes"},
		{11 * time.Minute, "11 минут", "11 minutes"},
		{21 * time.Minute, "21 минуту", "21 minutes"},
		{24*time.Minute - 1, "24 минуты", "24 minutes"},
		{91 * time.Minute, "2 часа", "2 hours"},
		{21 * time.Hour, "21 час", "21 hours"},
		{36 * time.Hour, "36 часов", "36 hours"},
		{37 * time.Hour, "2 дня", "2 days"},
		{12 * 24 * time.Hour, "12 дней", "12 days"},
	}
	for _, tc := range tests {
		if ru, en := Texts("ru").Wait(tc.wait), Texts("en").Wait(tc.wait); ru != tc.ru || en != tc.en {
			t.Errorf("%s: got %q and %q, want %q and %q", tc.wait, ru, en, tc.ru, tc.en)
		}
	}
}

func TestFormat(t *testing.T) {
	ru := Texts("ru")
	if got := ru.PartOf.With(Values{"Ticket": "<b>{{.Part}}", "Part": 2, "Parts": 3}); got != "<b>{{.Part}}, часть 2 из 3" {
		t.Errorf("got %q: what people wrote is no template", got)
	}
	if got := ru.PartOf.With(Values{"Part": 2}); got != "PartOf" {
		t.Errorf("without a value the text is %q, want its name", got)
	}
	if got := ru.Direct.TooLong.Count(2001, Values{"Max": 2000}); !strings.Contains(got, "2001 символ, а можно не больше 2000") {
		t.Errorf("got %q", got)
	}
}

func TestCategory(t *testing.T) {
	own := []Category{{Name: "pay", Icon: "💳", Titles: map[string]string{"ru": "Оплата"}}, {Name: "bug"}, {Name: "lag"}}
	tests := []struct{ language, name, want string }{
		{"ru", "pay", "💳 Оплата true"},
		{"en", "pay", "💳 pay true"},
		{"en", "bug", "🐛 Bug true"},
		{"en", "lag", "💬 lag true"},
		{"ru", "wish", "💡 Пожелание true"},
		{"ru", "Лаги\n", "💬 Лаги false"},
		{"ru", "", "💬 Другое false"},
	}
	for _, tc := range tests {
		icon, title, known := Texts(tc.language).Category(tc.name, own)
		if got := fmt.Sprint(icon, " ", title, " ", known); got != tc.want {
			t.Errorf("%s in %s is %q, want %q", tc.name, tc.language, got, tc.want)
		}
	}
}

func TestClock(t *testing.T) {
	o := options(t, "ru")
	now := time.Date(2026, 11, 22, 20, 50, 0, 0, time.UTC)
	for want, at := range map[string]time.Time{
		"23:51 МСК":            now.Add(time.Minute),
		"23:52 МСК":            now.Add(time.Minute + time.Second),
		"23.11.2026 00:00 МСК": now.Add(9*time.Minute + time.Second),
	} {
		if got := o.Clock(at, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func BenchmarkReadCatalogs(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readCatalogs(); err != nil {
			b.Fatal(err)
		}
	}
}
