// SPDX-License-Identifier: Apache-2.0

package ticket

import "cmp"

// Catalog is every text that people read, in one language. Its fields are read from locales/active.<language>.json, where
// each is named as it is here, those of nested structs and maps behind a dot: adding a text is adding it in three places.
type Catalog struct {
	// Title stands before the ticket's name; the labels before what they name. AttachmentsBelow says where attachments are.
	Title, From, Nickname, Topic, Source, Message, Status, Attachments, AttachmentsBelow string
	// MaybeRepeat warns that the same ticket may stand in the chat already, MaybeRepeatMessage the same of a message.
	MaybeRepeat, MaybeRepeatMessage string
	// AdminLink is the text of the link to the site's page.
	AdminLink string
	// Continued ends the first part of a long post; PartOf (Ticket, Part, Parts) begins its other parts, and CutOff ends the
	// last with how many characters were left out.
	Continued      string
	PartOf, CutOff Format
	// Moscow is the name of Moscow's time zone.
	Moscow string
	// Categories, Sources and Statuses are names, by what they name.
	Categories map[string]string
	Sources    map[Source]string
	Statuses   map[Status]string
	// Commands and StaffCommands are what the menus of commands say of each, by its name.
	Commands, StaffCommands map[string]string
	// Start, Help and Hint answer /start, /help and everything else where the bot takes no feedback itself.
	Start, Help, Hint string
	// WrongChat and UnknownButton answer a press that does nothing.
	WrongChat, UnknownButton string
	// Test is a test message.
	Test string
	// Minutes, Hours and Days are lengths of time, as they stand behind "in".
	Minutes, Hours, Days Format

	Direct DirectTexts
	Staff  StaffTexts

	language string
}

// DirectTexts are what the bot says to people who write to it, and what of theirs it shows to the staff.
type DirectTexts struct {
	// Start, Help and Hint answer /start, /help and what the bot has no use for.
	Start, Help, Hint string
	// AskNickname, AskCategory and AskText (Min, Max) lead through /feedback; PressCategory repeats the second question and
	// Chosen (Category) takes its place when it is answered.
	AskNickname, AskCategory, PressCategory string
	AskText, Chosen                         Format
	// BadNickname, TooShort and TooLong (Max) refuse what was written, counting characters.
	BadNickname, TooShort, TooLong Format
	// KeptFile asks for the text that belongs to a file; TooManyFiles, with their number, refuses one more.
	KeptFile     string
	TooManyFiles Format
	// Unsupported refuses what is neither text nor a file.
	Unsupported string
	// TooMany (Window, Wait, At) refuses one more ticket than the limit allows, TooMuch (Wait, At) one more addition, and
	// TooFast (Wait) everything.
	TooMany, TooMuch, TooFast Format
	// Accepted, Added and EditNoted (Ticket) confirm.
	Accepted, Added, EditNoted Format
	// SetAside and AnswerByReply follow an answer of the staff's that comes in the middle of a conversation: the one where the
	// conversation is over for it, the other where it goes on.
	SetAside, AnswerByReply string
	// FileRefused (Ticket) says that a file did not reach the staff.
	FileRefused Format
	// Cancelled and NothingToCancel answer /cancel.
	Cancelled, NothingToCancel string
	// MyTickets, NoTickets, TicketLine (Ticket, Category, Status, Date) and MoreTickets answer /status; Waiting is the
	// status of a ticket that the staff does not see yet.
	MyTickets, NoTickets, Waiting string
	TicketLine, MoreTickets       Format
	// Banned is told to whom the staff banned.
	Banned string
	// Elsewhere (Bot) answers a command in a group.
	Elsewhere Format
	// Addition and Edited (Ticket) head what an author added or changed, in the staff's chat.
	Addition, Edited Format
}

const (
	iconMessage = "💬"
	iconFrom    = "👤"
	iconNick    = "🎮"
	iconRepeat  = "⚠️"
	iconDate    = "📅"
	iconLink    = "🔗"
	iconFile    = "📎"
)

var categoryIcons = map[string]string{"bug": "🐛", "wish": "💡", "question": "❓"}

var sourceIcons = map[Source]string{SourceSite: "🌐"}

// statusIcons begin a post, so that its status is seen while scrolling.
var statusIcons = map[Status]string{StatusNew: "🆕", StatusRead: "👀", StatusInProgress: "🔧", StatusReplied: "📨",
	StatusClosed: "✅"}

// StatusIcon is the icon of a status.
func StatusIcon(s Status) string { return iconOr(statusIcons, s) }

// Category is a category of a spec's own.
type Category struct {
	Name, Icon string
	// Titles are what it is called, by languages; its Name unless given.
	Titles map[string]string
}

// Category is how a category is shown, be it one of a spec's own or one that everybody knows. The title of a category that
// is not known is what the site calls it.
func (c *Catalog) Category(name string, own []Category) (icon, title string, known bool) {
	for _, category := range own {
		if category.Name == name {
			title = cmp.Or(category.Titles[c.language], c.Categories[name], name)
			return cmp.Or(category.Icon, iconOr(categoryIcons, name)), Line(title, maxField), true
		}
	}
	icon = iconOr(categoryIcons, name)
	if title, known = c.Categories[name]; known {
		return icon, title, true
	}
	return icon, cmp.Or(Line(name, maxField), c.Categories["other"]), false
}

// iconOr is the icon for a key, or the speech balloon that stands for everything else.
func iconOr[K comparable](icons map[K]string, key K) string {
	if icon, ok := icons[key]; ok {
		return icon
	}
	return iconMessage
}

// nameOr is the name for a key, or the key itself.
func nameOr[K ~string](names map[K]string, key K) string {
	if name, ok := names[key]; ok {
		return name
	}
	return string(key)
}
