// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Change is a status that somebody gave to a ticket.
type Change struct {
	Status Status
	// Actor is who did, as ActorName writes it.
	Actor string
	At    time.Time
}

// ActorName is how a person is named in a status line: @username, else the name, else the id.
func ActorName(username, firstName, lastName string, id int64) string {
	if usernamePattern.MatchString(username) {
		return "@" + username
	}
	if name := Line(firstName+" "+lastName, maxField); name != "" {
		return name
	}
	return "ID" + strconv.FormatInt(id, 10)
}

// Entity is a stretch of a post with a meaning, such as bold text. Offset and Length are in UTF-16 units.
type Entity struct {
	Type           string
	Offset, Length int
	// Origin is the caller's own form of it, carried along.
	Origin any
}

func (e Entity) end() int { return e.Offset + e.Length }

// Post is a message as Telegram shows it: text, and what its stretches mean.
type Post struct {
	Text     string
	Entities []Entity
}

// ApplyStatus writes a status into a post, whoever laid it out: the icon at its beginning and the status's hashtag at
// its end are replaced where there are such, and the status line stands above the trailing line of hashtags, or at the
// end. Everything else keeps its text and its entities, unless the post would be too long: then the text above its
// last line loses its end.
func ApplyStatus(p Post, change Change, o Options) Post {
	d := newDocument(p)
	d.replaceIcon(change.Status)
	tail := d.tagLine()
	d.replaceTag(tail, change.Status)
	at := d.removeStatusLine(tail)
	d.insertStatusLine(at, change, o)
	slices.SortStableFunc(d.entities, func(a, b Entity) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(b.Length, a.Length), cmp.Compare(a.Type, b.Type))
	})
	return Post{Text: d.string(0, len(d.text)), Entities: d.entities}
}

// statusText is a status line without its label: the actor stands between before and after.
type statusText struct{ before, actor, after string }

func (c *Catalog) statusLine(change Change, location *time.Location) (label string, rest statusText) {
	return c.Status + ":", statusText{
		before: nameOr(c.Statuses, change.Status) + " — ",
		actor:  Line(change.Actor, maxField),
		after:  ", " + change.At.In(location).Format(dateLayout),
	}
}

// document is a post in the units that entities count in.
type document struct {
	text     []uint16
	entities []Entity
}

// newDocument takes a post apart. White space at its end goes, and so do entities that do not fit its text.
func newDocument(p Post) *document {
	text := strings.TrimRight(strings.ToValidUTF8(p.Text, "\uFFFD"), " \n")
	d := &document{text: utf16.Encode([]rune(text))}
	for _, e := range p.Entities {
		if e.Offset < 0 || e.Length <= 0 || e.Offset >= len(d.text) {
			continue
		}
		e.Length = min(e.Length, len(d.text)-e.Offset)
		if d.isBoundary(e.Offset) && d.isBoundary(e.end()) {
			d.entities = append(d.entities, e)
		}
	}
	return d
}

func (d *document) string(from, to int) string { return string(utf16.Decode(d.text[from:to])) }

// isBoundary tells whether i is between characters: not within a surrogate pair.
func (d *document) isBoundary(i int) bool {
	return i <= 0 || i >= len(d.text) || d.text[i] < 0xDC00 || d.text[i] > 0xDFFF
}

// replace puts other text where the units from..to are. Entities around it stretch, those within it go with it, save
// one that covers exactly it.
func (d *document) replace(from, to int, with string) {
	units := utf16.Encode([]rune(with))
	delta := len(units) - (to - from)
	d.text = slices.Replace(d.text, from, to, units...)
	kept := d.entities[:0]
	for _, e := range d.entities {
		a, b := e.Offset, e.end()
		exact := from < to && a == from && b == to && e.Type != "custom_emoji"
		switch {
		case b <= from:
		case a >= to:
			a, b = a+delta, b+delta
		case exact, a < from && b > to, a == from && b > to, a < from && b == to:
			b += delta
		case a >= from && b <= to:
			continue
		case a < from:
			b = from
		default:
			a, b = from+len(units), b+delta
		}
		if e.Offset, e.Length = a, b-a; e.Length > 0 {
			kept = append(kept, e)
		}
	}
	d.entities = kept
}

// lineStart is where the line that ends at end begins.
func (d *document) lineStart(end int) int {
	for end > 0 && d.text[end-1] != '\n' {
		end--
	}
	return end
}

// replaceIcon changes the icon that the post begins with, if it is a status's.
func (d *document) replaceIcon(status Status) {
	text := d.string(0, min(len(d.text), 4))
	for _, icon := range statusIcons {
		if strings.HasPrefix(text, icon+" ") {
			d.replace(0, Units(icon), statusIcons[status])
			return
		}
	}
}

// maxTagLine is the length that a line of hashtags may have, in units.
const maxTagLine = 512

// tagLine is where the trailing line of hashtags begins: the text's length where there is none.
func (d *document) tagLine() int {
	start := d.lineStart(len(d.text))
	words := strings.Fields(d.string(start, len(d.text)))
	isTag := func(word string) bool { return len(word) > 1 && word[0] == '#' }
	if len(words) == 0 || len(d.text)-start > maxTagLine || slices.ContainsFunc(words, func(w string) bool { return !isTag(w) }) {
		return len(d.text)
	}
	return start
}

// replaceTag changes the last hashtag of the line that begins at start which is a status's.
func (d *document) replaceTag(start int, status Status) {
	line := d.string(start, len(d.text))
	end := len(line)
	for end > 0 {
		begin := strings.LastIndexAny(line[:end], " \t") + 1
		if word := strings.TrimPrefix(line[begin:end], "#"); word != "" {
			if _, known := statusIcons[Status(word)]; known {
				from := start + Units(line[:begin])
				d.replace(from, from+Units(line[begin:end]), Hashtag(string(status)))
				return
			}
		}
		end = max(begin-1, 0)
	}
}

// removeStatusLine takes an earlier status line out, which ends where the line of hashtags begins, or at the text's
// end. It returns where the new one goes.
func (d *document) removeStatusLine(tail int) int {
	end := tail
	if tail < len(d.text) {
		end = tail - 1 // the line's own end
	}
	if end <= 0 {
		return tail
	}
	start := d.lineStart(end)
	if !d.isStatusLine(start, end) {
		return tail
	}
	if tail == len(d.text) { // the empty line above it was added with it
		for start > 0 && d.text[start-1] == '\n' {
			start--
		}
	}
	d.replace(start, tail, "")
	return start
}

// isStatusLine tells a line that ApplyStatus or Render wrote: in words, and by its bold label, which nobody's message
// has.
func (d *document) isStatusLine(start, end int) bool {
	line := d.string(start, end)
	for _, c := range catalogs() {
		label := c.Status + ":"
		if !strings.HasPrefix(line, label+" ") {
			continue
		}
		for _, name := range c.Statuses {
			if strings.HasPrefix(line[len(label)+1:], name+" — ") {
				return slices.ContainsFunc(d.entities, func(e Entity) bool {
					return e.Type == "bold" && e.Offset == start && e.Length == Units(label)
				})
			}
		}
	}
	return false
}

func (d *document) insertStatusLine(at int, change Change, o Options) {
	label, rest := o.Texts.statusLine(change, o.Location)
	before, after := "", "\n"
	if at == len(d.text) {
		before, after = "\n\n", ""
		if at == 0 {
			before = ""
		}
	}
	line := label + " " + rest.before + rest.actor + rest.after
	at -= d.makeRoom(at, Units(before+line+after))
	d.replace(at, at, before+line+after)
	start := at + Units(before)
	d.entities = append(d.entities, Entity{Type: "bold", Offset: start, Length: Units(label)})
	if !IsInert(rest.actor) && !isMention(rest.actor) {
		offset := start + Units(label+" "+rest.before)
		d.entities = append(d.entities, Entity{Type: "code", Offset: offset, Length: Units(rest.actor)})
	}
}

// maxLastLine is the length up to which the last line above the hashtags is spared when a post has to be cut: it has
// the date.
const maxLastLine = 200

// makeRoom cuts text that ends before the line above at, or at at, until n more units fit. It returns how many units
// shorter the text before at has become.
func (d *document) makeRoom(at, n int) int {
	excess := len(d.text) + n - MaxUnits
	if excess <= 0 {
		return 0
	}
	excess++ // for the ellipsis
	end := at
	for end > 0 && d.text[end-1] == '\n' {
		end--
	}
	if start := d.lineStart(end); end-start <= maxLastLine && start > excess+maxCluster {
		for end = start; end > 0 && d.text[end-1] == '\n'; {
			end--
		}
	}
	head := d.string(0, end)
	from := Units(head[:cut(head, max(0, end-excess))])
	old := len(d.text)
	d.replace(from, end, "…")
	return old - len(d.text)
}
