// SPDX-License-Identifier: Apache-2.0

package richtext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-telegram/bot/models"
)

// topDomains are those after which a name without a scheme is taken for a link. Telegram knows all of them; these are
// the ones a text in a test is likely to hold.
var topDomains = map[string]bool{
	"com": true, "org": true, "net": true, "info": true, "io": true, "dev": true, "app": true, "me": true, "ru": true,
	"su": true, "ua": true, "by": true, "kz": true, "de": true, "fr": true, "uk": true, "eu": true, "us": true,
	"co": true, "gg": true, "tv": true, "online": true, "site": true, "shop": true, "рф": true,
}

// span is a found entity in bytes of the text.
type span struct {
	kind       models.MessageEntityType
	begin, end int
}

// Detect finds the mentions, hashtags, cashtags, bot commands, links and mail addresses of a text. Where two meet, the
// one that begins first stays.
func Detect(text string) []Entity {
	if !strings.ContainsAny(text, "@#$/.") {
		return nil
	}
	var spans []span
	links := strings.Contains(text, ".") || strings.Contains(text, "://")
	inWord := false
	for i := 0; i < len(text); {
		r, size := runeAt(text, i)
		var s span
		found := false
		switch word := isWord(r); {
		case !word:
			s, found = markAt(text, i)
			inWord = false
		case !inWord:
			if links {
				s, found = linkAt(text, i)
			}
			inWord = true
		}
		if !found {
			i += size
			continue
		}
		spans = append(spans, s)
		i = s.end
		last, _ := runeBefore(text, i)
		inWord = isWord(last)
	}
	return toEntities(text, spans)
}

// toEntities converts ordered byte spans to UTF-16 ranges in one pass.
func toEntities(text string, spans []span) []Entity {
	entities := make([]Entity, 0, len(spans))
	at, offset := 0, 0
	for _, s := range spans {
		offset += Length(text[at:s.begin])
		length := Length(text[s.begin:s.end])
		entities = append(entities, Entity{Type: s.kind, Offset: offset, Length: length})
		at, offset = s.end, offset+length
	}
	return entities
}

// markAt finds what begins with a sign at byte i: #hashtag, @mention, /command, $CASHTAG.
func markAt(text string, i int) (span, bool) {
	switch text[i] {
	case '#':
		return hashtagAt(text, i)
	case '@':
		before, size := runeBefore(text, i)
		stop := i + 1 + asciiWord(text[i+1:])
		after, more := runeAt(text, stop)
		n := stop - i - 1
		ok := (size == 0 || !isWord(before)) && n >= 2 && n <= 32 && (more == 0 || !isWord(after))
		return span{models.MessageEntityTypeMention, i, stop}, ok
	case '/':
		return commandAt(text, i)
	case '$':
		before, size := runeBefore(text, i)
		stop := i + 1
		for stop < len(text) && text[stop] >= 'A' && text[stop] <= 'Z' {
			stop++
		}
		after, more := runeAt(text, stop)
		n := stop - i - 1
		ok := (size == 0 || !isTagRune(before) && before != '$') && n >= 1 && n <= 8 &&
			(more == 0 || !isTagRune(after) && after != '$')
		return span{models.MessageEntityTypeCashtag, i, stop}, ok
	}
	return span{}, false
}

func hashtagAt(text string, i int) (span, bool) {
	if before, size := runeBefore(text, i); size > 0 && isTagRune(before) {
		return span{}, false
	}
	stop, n, letter := i+1, 0, false
	for stop < len(text) && n < 256 {
		r, size := runeAt(text, stop)
		if !isTagRune(r) {
			break
		}
		letter = letter || unicode.IsLetter(r)
		stop += size
		n++
	}
	ok := n > 0 && letter && !strings.HasPrefix(text[stop:], "#")
	return span{models.MessageEntityTypeHashtag, i, stop}, ok
}

func commandAt(text string, i int) (span, bool) {
	outside := func(r rune, size int) bool { return size == 0 || !isWord(r) && r != '/' && r != '<' && r != '>' }
	if !outside(runeBefore(text, i)) {
		return span{}, false
	}
	stop := i + 1 + asciiWord(text[i+1:])
	if n := stop - i - 1; n < 1 || n > 64 {
		return span{}, false
	}
	if strings.HasPrefix(text[stop:], "@") {
		n := asciiWord(text[stop+1:])
		if n < 3 || n > 32 {
			return span{}, false
		}
		stop += 1 + n
	}
	return span{models.MessageEntityTypeBotCommand, i, stop}, outside(runeAt(text, stop))
}

// linkAt finds a link or a mail address whose first character is at byte i, which begins a word.
func linkAt(text string, i int) (span, bool) {
	first, _ := runeAt(text, i)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) {
		return span{}, false
	}
	if before, size := runeBefore(text, i); size > 0 && strings.ContainsRune("@.-+/:", before) {
		return span{}, false
	}
	word := linkWord(text[i:])
	if word == "" {
		return span{}, false
	}
	if word = trimLink(word); isAddress(word) {
		return span{models.MessageEntityTypeEmail, i, i + len(word)}, true
	}
	return span{models.MessageEntityTypeURL, i, i + len(word)}, isLink(word)
}

// linkWord returns what text begins with up to the next character that ends every link, or "" if that has nothing of a
// link in it.
func linkWord(text string) string {
	marked := false
	for i, r := range text {
		switch {
		case r <= ' ', r == '<', r == '>', r == '"', r == '«', r == '»', r > '~' && unicode.IsSpace(r):
			text = text[:i]
		case r == '.', r == ':', r == '@':
			marked = true
			continue
		default:
			continue
		}
		break
	}
	if !marked {
		return ""
	}
	return text
}

// trimLink takes off the punctuation that ends a sentence rather than a link, and an unmatched closing bracket.
func trimLink(word string) string {
	for {
		cut := strings.TrimRight(word, ".:;,'?!`")
		if strings.HasSuffix(cut, ")") && strings.Count(cut, ")") > strings.Count(cut, "(") {
			cut = strings.TrimSuffix(cut, ")")
		}
		if cut == word {
			return word
		}
		word = cut
	}
}

func isAddress(word string) bool {
	local, domain, found := strings.Cut(word, "@")
	return found && local != "" && len(local) <= 64 && !strings.ContainsAny(local, "/:") && isDomain(domain, true)
}

func isLink(word string) bool {
	scheme, rest, found := strings.Cut(word, "://")
	if !found {
		rest = word
	}
	host := rest
	if n := strings.IndexAny(rest, "/?#"); n >= 0 {
		host = rest[:n]
	}
	if name, port, hasPort := strings.Cut(host, ":"); hasPort {
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return false
		}
		host = name
	}
	switch strings.ToLower(scheme) {
	case "tg", "ton":
		return found && host != ""
	case "http", "https", "ftp":
		return found && isDomain(host, false)
	}
	return !found && isDomain(host, true)
}

// isDomain tells whether host has labels and, when known is set, one of the known top-level domains.
func isDomain(host string, known bool) bool {
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool { return !isWord(r) && r != '-' }) {
			return false
		}
	}
	return len(labels) > 1 && (!known || topDomains[strings.ToLower(labels[len(labels)-1])])
}

// asciiWord returns how many bytes of [A-Za-z0-9_] s begins with.
func asciiWord(s string) int {
	n := 0
	for n < len(s) && (isAlpha(s[n]) || isDigit(s[n]) || s[n] == '_') {
		n++
	}
	return n
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return isAlpha(byte(r)) || isDigit(byte(r)) || r == '_'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

func isTagRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == 0x200c || r == 0xb7 || r >= 0xd80 && r <= 0xdff
}
