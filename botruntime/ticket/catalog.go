// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed locales/active.*.json
var locales embed.FS

// Languages are the languages that the bot speaks.
var Languages = []string{"ru", "en"}

// Texts is the catalog of a language: "ru", else English.
func Texts(language string) *Catalog {
	all := catalogs()
	if language == "ru" {
		return all["ru"]
	}
	return all["en"]
}

// catalogs are all languages: a post may have been written in another one than is spoken now.
var catalogs = sync.OnceValue(func() map[string]*Catalog {
	all, err := readCatalogs()
	if err != nil {
		panic(err) // they are part of the program, and a test reads them
	}
	return all
})

func readCatalogs() (map[string]*Catalog, error) {
	all := map[string]*Catalog{}
	for _, name := range Languages {
		path := "locales/active." + name + ".json"
		data, err := locales.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		file, err := i18n.ParseMessageFileBytes(data, path, nil)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		r := catalogReader{language: file.Tag, messages: map[string]*i18n.Message{}}
		for _, m := range file.Messages {
			r.messages[m.ID] = m
		}
		c := &Catalog{language: name}
		r.read(reflect.ValueOf(c).Elem(), "")
		for id := range r.messages {
			r.errs = append(r.errs, fmt.Errorf("nothing is called %s", id))
		}
		if err := errors.Join(r.errs...); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		all[name] = c
	}
	return all, nil
}

// catalogReader fills a Catalog with messages, and forgets those that have found their place.
type catalogReader struct {
	language language.Tag
	messages map[string]*i18n.Message
	errs     []error
}

// read fills a struct whose messages' names begin with prefix.
func (r *catalogReader) read(v reflect.Value, prefix string) {
	for i := range v.NumField() {
		field, id := v.Field(i), prefix+v.Type().Field(i).Name
		switch {
		case !v.Type().Field(i).IsExported():
		case field.Type() == reflect.TypeFor[Format]():
			if m := r.take(id); m != nil {
				field.Set(reflect.ValueOf(Format{message: m, language: r.language}))
			}
		case field.Kind() == reflect.Struct:
			r.read(field, id+".")
		case field.Kind() == reflect.Map:
			r.readMap(field, id+".")
		default:
			if m := r.take(id); m != nil {
				field.SetString(m.Other)
			}
		}
	}
}

func (r *catalogReader) readMap(v reflect.Value, prefix string) {
	v.Set(reflect.MakeMap(v.Type()))
	for id, m := range r.messages {
		if key, found := strings.CutPrefix(id, prefix); found {
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), reflect.ValueOf(m.Other))
			delete(r.messages, id)
		}
	}
}

func (r *catalogReader) take(id string) *i18n.Message {
	m, ok := r.messages[id]
	if !ok || m.Other == "" {
		r.errs = append(r.errs, fmt.Errorf("%s is missing", id))
		return nil
	}
	delete(r.messages, id)
	return m
}

// Format is a text with placeholders, such as {{.Ticket}}. The texts are go-i18n's, and its Localizer is not used: with it,
// text/template would be part of the program, and for its sake every method of everything that is in there.
type Format struct {
	message  *i18n.Message
	language language.Tag
}

// Values are what placeholders stand for, by their names.
type Values map[string]any

// With is the text with values.
func (f Format) With(values Values) string { return f.expand(f.message.Other, values) }

// Count is the text for a number of things, which is the value of {{.Count}}: it has the form that its language has for
// the number. There may be further values.
func (f Format) Count(n int, values ...Values) string {
	data := Values{"Count": n}
	for _, v := range values {
		maps.Copy(data, v)
	}
	return f.expand(cmp.Or(f.form(n), f.message.Other), data)
}

// form is the text for a number; empty where it is that for all others.
func (f Format) form(n int) string {
	switch plural.Cardinal.MatchPlural(f.language, max(n, -n), 0, 0, 0, 0) {
	case plural.Zero:
		return f.message.Zero
	case plural.One:
		return f.message.One
	case plural.Two:
		return f.message.Two
	case plural.Few:
		return f.message.Few
	case plural.Many:
		return f.message.Many
	}
	return f.message.Other
}

// expand puts values where a text has placeholders. Where one is missing it is the text's name: that tells more than silence.
func (f Format) expand(text string, values Values) string {
	var b strings.Builder
	for {
		before, behind, found := strings.Cut(text, "{{.")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, rest, _ := strings.Cut(behind, "}}")
		value, known := values[name]
		if !known {
			return f.message.ID
		}
		_, _ = fmt.Fprint(&b, value) // a strings.Builder cannot fail
		text = rest
	}
}

// Wait is a length of time in words, rounded up: minutes, or hours or days where that says enough.
func (c *Catalog) Wait(d time.Duration) string {
	up := func(unit time.Duration) int { return max(1, int(math.Ceil(float64(d)/float64(unit)))) }
	switch {
	case d <= 90*time.Minute:
		return c.Minutes.Count(up(time.Minute))
	case d <= 36*time.Hour:
		return c.Hours.Count(up(time.Hour))
	}
	return c.Days.Count(up(24 * time.Hour))
}
