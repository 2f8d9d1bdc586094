// SPDX-License-Identifier: Apache-2.0

package ticket

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxUnits is the length that Telegram allows a message, in UTF-16 units after its entities were parsed.
	MaxUnits = 4096
	// maxParts bounds the messages that one ticket makes: what is longer than that stays at the site.
	maxParts = 32
	// maxField bounds each field of the header, in UTF-16 units.
	maxField = 64
	// statusRoom is kept free in a post for its status line, in UTF-16 units.
	statusRoom = 144
	// partRoom is kept free in each of its other parts, for the lines that it begins and may end with, and for one that says
	// that it may be a repeat.
	partRoom = 288
)

// Options say how a ticket is shown.
type Options struct {
	// Texts is the language.
	Texts *Catalog
	// Location is the time zone of dates.
	Location *time.Location
	// AdminURL is linked where it is an http or https address.
	AdminURL string
	// MaybeRepeat adds that the ticket may have been posted before.
	MaybeRepeat bool
	// Change is the status that it was given; nil for a new ticket.
	Change *Change
	// Categories are those of the spec, if it has any of its own.
	Categories []Category
}

// Render is a ticket's post in Telegram's HTML, and the replies to it that carry the rest of a long message. Each of
// them has at most MaxUnits units, and the first has room for a status line.
func Render(t Ticket, o Options) []string {
	head, foot := o.head(t), o.foot(t)
	message := Clean(t.Message)
	if !isVisible(message) {
		message = "—"
	}
	room := MaxUnits - statusRoom - head.units - foot.units
	if Units(message) > room {
		return o.parts(t, head, foot, message, room)
	}
	head.text(message)
	return []string{head.b.String() + foot.b.String()}
}

// parts spreads a message that does not fit over several posts.
func (o Options) parts(t Ticket, head, foot *markup, message string, room int) []string {
	pieces := split(message, room-Units(o.Texts.Continued)-2, MaxUnits-partRoom)
	cutOff := 0
	if len(pieces) > maxParts {
		for _, p := range pieces[maxParts:] {
			cutOff += len([]rune(p))
		}
		pieces = pieces[:maxParts]
	}
	head.text(pieces[0])
	if len(pieces) > 1 {
		head.text("\n\n")
		head.tagged("i", o.Texts.Continued)
	}
	parts := []string{head.b.String() + foot.b.String()}
	for i, piece := range pieces[1:] {
		var m markup
		m.tagged("i", o.Texts.PartOf.With(Values{"Ticket": Line(t.ID, maxField), "Part": i + 2, "Parts": len(pieces)}))
		m.text("\n" + piece)
		if i+2 == len(pieces) && cutOff > 0 {
			m.text("…\n\n")
			m.tagged("i", o.Texts.CutOff.Count(cutOff))
		}
		parts = append(parts, m.b.String())
	}
	return parts
}

// head is a post up to its message.
func (o Options) head(t Ticket) *markup {
	c := o.Texts
	var m markup
	m.text(statusIcons[o.status()] + " ")
	m.tagged("b", c.Title+" "+Line(t.ID, maxField))
	m.text("\n")
	if o.MaybeRepeat {
		m.text(iconRepeat + " ")
		m.tagged("i", c.MaybeRepeat)
		m.text("\n")
	}
	m.text("\n")
	m.author(t, c)
	if nickname := Line(t.Nickname, maxField); nickname != "" {
		m.label(iconNick, c.Nickname)
		m.text(" ")
		m.inert(nickname)
		m.text("\n")
	}
	o.category(&m, t.Category)
	m.label(iconOr(sourceIcons, t.Source), c.Source)
	m.text(" " + Line(nameOr(c.Sources, t.Source), maxField) + "\n")
	if t.Attachments > 0 {
		m.label(iconFile, c.Attachments)
		m.text(" " + c.AttachmentsBelow + "\n") // how many an album will have nobody knows yet
	}
	m.text("\n")
	m.label(iconMessage, c.Message)
	m.text("\n")
	return &m
}

// CategoryTitle is the icon and the title of a category.
func (o Options) CategoryTitle(category string) string {
	icon, title, _ := o.Texts.Category(category, o.Categories)
	return icon + " " + title
}

// category writes the line of a ticket's category.
func (o Options) category(m *markup, name string) {
	icon, title, known := o.Texts.Category(name, o.Categories)
	m.label(icon, o.Texts.Topic)
	m.text(" ")
	if known {
		m.text(title)
	} else {
		m.inert(title)
	}
	m.text("\n")
}

// foot is a post from behind its message.
func (o Options) foot(t Ticket) *markup {
	var m markup
	m.text("\n\n")
	if !t.CreatedAt.IsZero() {
		m.text(iconDate + " " + o.date(t.CreatedAt) + "\n")
	}
	if isWebAddress(o.AdminURL) {
		m.text(iconLink + " ")
		m.b.WriteString(`<a href="` + escaper.Replace(o.AdminURL) + `">`)
		m.text(o.Texts.AdminLink)
		m.b.WriteString("</a>\n")
	}
	if !t.CreatedAt.IsZero() || isWebAddress(o.AdminURL) {
		m.text("\n")
	}
	if o.Change != nil {
		label, rest := o.Texts.statusLine(*o.Change, o.Location)
		m.tagged("b", label)
		m.text(" " + rest.before)
		if isMention(rest.actor) {
			m.text(rest.actor)
		} else {
			m.inert(rest.actor)
		}
		m.text(rest.after + "\n")
	}
	if tag := Hashtag(t.Category); tag != "" {
		m.text(tag + " ")
	}
	m.text(Hashtag(string(o.status())))
	return &m
}

func (o Options) status() Status {
	if o.Change == nil {
		return StatusNew
	}
	return o.Change.Status
}

// Clock is a time of the near future, rounded up to the minute: its day is left out where it is today's.
func (o Options) Clock(t, now time.Time) string {
	t = t.Add(time.Minute - time.Nanosecond).Truncate(time.Minute).In(o.Location)
	date := o.date(t)
	if today := now.In(o.Location).Format("02.01.2006 "); strings.HasPrefix(date, today) {
		return date[len(today):]
	}
	return date
}

// Date is a time as people read it, without the name of its zone.
func (o Options) Date(t time.Time) string { return t.In(o.Location).Format(dateLayout) }

// date is a time as staff reads it, with the name of its zone.
func (o Options) date(t time.Time) string {
	t = t.In(o.Location)
	zone, _ := t.Zone()
	switch {
	case o.Location.String() == "Europe/Moscow":
		zone = o.Texts.Moscow
	case strings.HasPrefix(zone, "+"), strings.HasPrefix(zone, "-"): // zones without an abbreviation
		zone = "UTC" + zone
	}
	return t.Format(dateLayout) + " " + zone
}

const dateLayout = "02.01.2006 15:04"

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// escaper makes text of what would be markup. Telegram knows no other named references.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// markup is Telegram's HTML under construction, with the length of the text that it will be.
type markup struct {
	b     strings.Builder
	units int
}

func (m *markup) text(s string) {
	m.units += Units(s)
	_, _ = escaper.WriteString(&m.b, s) // a strings.Builder cannot fail
}

// tagged writes text within a tag; empty text leaves no tag.
func (m *markup) tagged(tag, s string) {
	if s == "" {
		return
	}
	m.b.WriteString("<" + tag + ">")
	m.text(s)
	m.b.WriteString("</" + tag + ">")
}

// inert writes text of a stranger's so that Telegram makes no link, mention, hashtag or command of it.
func (m *markup) inert(s string) {
	if IsInert(s) {
		m.text(s)
		return
	}
	m.tagged("code", s)
}

func (m *markup) label(icon, name string) {
	m.text(icon + " ")
	m.tagged("b", name+":")
}

var usernamePattern = regexp.MustCompile(`^[A-Za-z0-9_]{1,32}$`)

// isMention tells @username.
func isMention(s string) bool {
	username, found := strings.CutPrefix(s, "@")
	return found && usernamePattern.MatchString(username)
}

// author writes the line of @username or ID<number>, with the first name in parentheses; none where nothing is known.
func (m *markup) author(t Ticket, c *Catalog) {
	username, name := Line(strings.TrimPrefix(t.Username, "@"), maxField), Line(t.FirstName, maxField)
	if username == "" && name == "" && t.TelegramID == 0 {
		return
	}
	m.label(iconFrom, c.From)
	m.text(" ")
	switch {
	case usernamePattern.MatchString(username):
		m.text("@" + username)
	case username != "":
		m.inert("@" + username)
	case t.TelegramID != 0:
		m.text("ID" + strconv.FormatInt(t.TelegramID, 10))
	default:
		m.inert(name)
		name = ""
	}
	if name != "" {
		m.text(" (")
		m.inert(name)
		m.text(")")
	}
	m.text("\n")
}
