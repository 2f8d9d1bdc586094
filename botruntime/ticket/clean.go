// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean is what a person wrote, without what only machines would see: control characters, characters that change the
// direction of the text around them, what is not UTF-8, what Telegram drops anyway (so that lengths stay true). Lines
// stay lines.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.Contains(s, "\r\n") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return strings.TrimSpace(strings.Map(cleanRune, s))
}

func cleanRune(r rune) rune {
	switch {
	case r == '\n', r == ' ':
		return r
	case r == '\r', r == '\v', r == '\f', r == 0x85, r == 0x2028, r == 0x2029: // ends of lines
		return '\n'
	case r == '\t':
		return ' '
	case unicode.IsControl(r), isDirection(r), r == 0xFEFF, r == 0x030A, r == 0x0333, r == 0x033F:
		return -1
	}
	return r
}

// isDirection tells the characters that override, embed or isolate a direction.
func isDirection(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }

// Line is Clean in one line of at most limit UTF-16 units, cut with an ellipsis. It is empty where nothing is visible.
func Line(s string, limit int) string {
	s = strings.Join(strings.Fields(Clean(headOf(s, limit))), " ")
	if !isVisible(s) {
		return ""
	}
	if Units(s) <= limit {
		return s
	}
	return strings.TrimRight(s[:cut(s, limit-1)], " ") + "…"
}

// headOf bounds the work on a text of which only the first units will be seen, however much of it is dropped.
func headOf(s string, limit int) string {
	most := 64 * limit
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// isVisible tells whether any character of s leaves a mark.
func isVisible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		switch r {
		case 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0: // letters and symbols that are blank
			return false
		}
		return unicode.IsGraphic(r) && !unicode.IsSpace(r)
	})
}

// Units is the length of s as Telegram counts it, in UTF-16 code units.
func Units(s string) int {
	n := 0
	for _, r := range s {
		n += unitsOf(r)
	}
	return n
}

func unitsOf(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// maxCluster bounds, in bytes, how far back cut looks for the beginning of a character that readers see as one.
const maxCluster = 256

// cut returns the greatest number of bytes of s that have at most limit units and end where a visible character ends.
func cut(s string, limit int) int {
	end, n := len(s), 0
	for i, r := range s {
		if n += unitsOf(r); n > limit {
			end = i
			break
		}
	}
	for i := end; i > 0 && end-i < maxCluster; {
		if isBoundary(s, i) {
			return i
		}
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return end
}

// isBoundary tells whether s may be cut at byte i without taking apart what is shown as one character.
func isBoundary(s string, i int) bool {
	if i == 0 || i >= len(s) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i:])
	switch {
	case before == 0x200D, after == 0x200D, unicode.Is(unicode.M, after):
		return false
	case after >= 0x1F3FB && after <= 0x1F3FF, after >= 0xE0020 && after <= 0xE007F: // skin tones, tags of flags
		return false
	case after >= 0x1160 && after <= 0x11FF: // vowels and finals of Hangul
		return false
	case isRegional(before) && isRegional(after):
		return regionalsBefore(s[:i])%2 == 0
	}
	return true
}

// isRegional tells the letters of which two make a flag.
func isRegional(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

func regionalsBefore(s string) int {
	n := 0
	for len(s) > 0 {
		r, size := utf8.DecodeLastRuneInString(s)
		if !isRegional(r) {
			break
		}
		s = s[:len(s)-size]
		n++
	}
	return n
}

// split cuts s into pieces of at most first units, then rest units each; where it can, between lines or words. Pieces
// that would show nothing are left out.
func split(s string, first, rest int) []string {
	var pieces []string
	for limit := first; s != ""; limit = rest {
		i := cut(s, limit)
		if i < len(s) {
			i = breakBefore(s, i)
		}
		if piece := strings.TrimRight(s[:i], " \n"); isVisible(piece) || len(pieces) == 0 {
			pieces = append(pieces, piece)
		}
		s = strings.TrimLeft(s[i:], "\n")
	}
	return pieces
}

// breakBefore moves a cut back to the end of a line in the last quarter, or else of a word in the last eighth.
func breakBefore(s string, i int) int {
	if j := strings.LastIndexByte(s[:i], '\n'); j > i-i/4 {
		return j + 1
	}
	if j := strings.LastIndexByte(s[:i], ' '); j > i-i/8 {
		return j + 1
	}
	return i
}

// Hashtag is a word as a hashtag, such as #in_progress: other characters than letters, digits and underscores become
// underscores. It is empty where nothing is left.
func Hashtag(word string) string {
	tag := strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return ' '
	}, Line(word, maxField))
	if tag = strings.Join(strings.Fields(tag), "_"); tag == "" {
		return ""
	}
	return "#" + tag
}

// IsInert tells whether Telegram makes nothing of s by itself: no link, mention, hashtag or command.
func IsInert(s string) bool { return !strings.ContainsAny(s, "./@#$:") }
