// SPDX-License-Identifier: Apache-2.0

package ticket

// Catalog is every text that people read, in one language.
type Catalog struct {
	// Title stands before the ticket's name; the labels before what they name.
	Title, From, Nickname, Topic, Source, Message, Status string
	// MaybeRepeat warns that the same ticket may stand in the chat already.
	MaybeRepeat string
	// AdminLink is the text of the link to the site's page.
	AdminLink string
	// Continued ends the first part of a long post; PartOf and CutOff are formats for its other parts.
	Continued, PartOf, CutOff string
	// Moscow is the name of Moscow's time zone.
	Moscow string
	// Categories, Sources and Statuses are names, by what they name.
	Categories map[string]string
	Sources    map[Source]string
	Statuses   map[Status]string
	// Start, Help and Hint answer /start, /help and everything else in a direct message.
	Start, Help, Hint string
	// WrongChat and UnknownButton answer a press that does nothing.
	WrongChat, UnknownButton string
	// Test is a test message.
	Test string
}

// Texts is the catalog of a language: "ru", else English.
func Texts(language string) *Catalog {
	if language == "ru" {
		return &russian
	}
	return &english
}

// catalogs are all languages: a post may have been written in another one than is spoken now.
var catalogs = []*Catalog{&russian, &english}

var russian = Catalog{
	Title:       "Обращение",
	From:        "От",
	Nickname:    "Ник",
	Topic:       "Тема",
	Source:      "Источник",
	Message:     "Сообщение",
	Status:      "Статус",
	MaybeRepeat: "Возможно, повтор: это обращение могло уже прийти в чат.",
	AdminLink:   "Открыть на сайте",
	Continued:   "Продолжение — в ответах на это сообщение.",
	PartOf:      "%s, часть %d из %d",
	CutOff:      "Дальше текст обрезан: ещё %d символов.",
	Moscow:      "МСК",
	Categories:  map[string]string{"bug": "Баг / ошибка", "wish": "Пожелание", "question": "Вопрос", "other": "Другое"},
	Sources:     map[Source]string{SourceSite: "Сайт", SourceTelegram: "Личное сообщение"},
	Statuses: map[Status]string{StatusNew: "Новое", StatusRead: "Прочитано", StatusInProgress: "В работе",
		StatusReplied: "Ответили", StatusClosed: "Закрыто"},
	Start: "Здравствуйте! Это бот обратной связи: он передаёт команде обращения, оставленные на сайте.\n\n" +
		"Чтобы написать нам, воспользуйтесь формой обратной связи на сайте.\n/help — справка",
	Help: "Этот бот передаёт команде обращения, оставленные на сайте.\n\n" +
		"Написать обращение можно через форму обратной связи на сайте.\n\n" +
		"/start — о боте\n/help — эта справка",
	Hint:          "Здесь сообщения не читают. Чтобы написать нам, воспользуйтесь формой обратной связи на сайте. /help — справка",
	WrongChat:     "Эта кнопка работает только в чате команды.",
	UnknownButton: "Эта кнопка больше не работает.",
	Test:          "Проверка связи: бот обратной связи может писать в этот чат. Это не обращение, отвечать на него не нужно.",
}

var english = Catalog{
	Title:       "Feedback",
	From:        "From",
	Nickname:    "Nickname",
	Topic:       "Topic",
	Source:      "Source",
	Message:     "Message",
	Status:      "Status",
	MaybeRepeat: "This may be a repeat: the same feedback may be in the chat already.",
	AdminLink:   "Open on the site",
	Continued:   "Continued in the replies to this message.",
	PartOf:      "%s, part %d of %d",
	CutOff:      "The text is cut here: %d more characters.",
	Moscow:      "MSK",
	Categories:  map[string]string{"bug": "Bug", "wish": "Wish", "question": "Question", "other": "Other"},
	Sources:     map[Source]string{SourceSite: "Site", SourceTelegram: "Direct message"},
	Statuses: map[Status]string{StatusNew: "New", StatusRead: "Read", StatusInProgress: "In progress",
		StatusReplied: "Replied", StatusClosed: "Closed"},
	Start: "Hello! This is the feedback bot: it brings the team what people write on the site.\n\n" +
		"To write to us, use the feedback form on the site.\n/help for help",
	Help: "This bot brings the team what people write on the site.\n\n" +
		"To write feedback, use the feedback form on the site.\n\n" +
		"/start: about the bot\n/help: this text",
	Hint:          "Nobody reads messages here. To write to us, use the feedback form on the site. /help for help",
	WrongChat:     "This button works in the team's chat only.",
	UnknownButton: "This button no longer works.",
	Test:          "Connection test: the feedback bot can post to this chat. This is not a ticket; no reply is needed.",
}

const (
	iconMessage = "💬"
	iconFrom    = "👤"
	iconNick    = "🎮"
	iconRepeat  = "⚠️"
	iconDate    = "📅"
	iconLink    = "🔗"
)

var categoryIcons = map[string]string{"bug": "🐛", "wish": "💡", "question": "❓"}

var sourceIcons = map[Source]string{SourceSite: "🌐"}

// statusIcons begin a post, so that its status is seen while scrolling.
var statusIcons = map[Status]string{StatusNew: "🆕", StatusRead: "👀", StatusInProgress: "🔧", StatusReplied: "📨",
	StatusClosed: "✅"}

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
