// SPDX-License-Identifier: Apache-2.0

// Package person is a person in front of a browser.
package person

import (
	"path/filepath"
	"testing"
)

// words are what a person looks for on the pages.
type words struct {
	nickname, message, topic, mine, sent, inProgress, press, replied, answer, more, added string
}

var inLanguages = map[string]words{
	"en": {nickname: "Rider <3", message: "Since the update the map does not open & stays grey.", topic: "bug", mine: "My feedback", sent: "New",
		press: "In progress", inProgress: "In progress", answer: "Thank you! It will be mended today.", replied: "Replied", more: "It works again.", added: "It was added"},
	"ru": {nickname: "Всадник <3", message: "После обновления карта не открывается & остаётся серой.", topic: "bug", mine: "Мои обращения", sent: "Новое",
		press: "В работе", inProgress: "В работе", answer: "Спасибо! Исправим сегодня.", replied: "Ответили", more: "Снова работает.", added: "Добавлено"},
}

// Path is a person's whole way, in a browser of the language "en" or "ru", between the portal's form at the address site and the chat at the
// address chat: the form, the ticket in the group, a button, a reply, both of them on the person's page, and a word more, which comes to the
// group. What is seen is kept as pictures. The test is skipped where there is no Chromium.
func Path(t *testing.T, language, site, chat, pictures string) {
	t.Helper()
	say, b := inLanguages[language], startBrowser(t, language)
	picture := func(p *page, name string) { p.picture(filepath.Join(pictures, name+"."+language+".png")) }

	form := b.open(site, 420, 690)
	form.write("#id_nickname", say.nickname)
	form.eval("document.querySelector('#id_category').value = '"+say.topic+"'", new(string))
	form.write("#id_message", say.message)
	picture(form, "site-write")
	form.click("form.feedback button", "")
	form.sees("h1", say.mine)
	form.sees(".words", say.message)

	group := b.open(chat, 420, 690)
	group.sees(".msg .text", say.message)
	group.sees(".msg .text", say.nickname)
	form.sees(".state dd", "ticket_site_")
	form.sees(".state dd", say.sent)

	group.click(".msg .row button", say.press)
	form.sees(".state dd.in_progress", say.inProgress)

	group.click(".msg .answer", "")
	group.write("#text", say.answer)
	group.key("Enter", 13)
	form.sees(".replies .staff", say.answer)
	form.sees(".state dd.replied", say.replied)

	form.write("article textarea", say.more)
	form.click("article .more button", "")
	form.sees(".said", say.added)
	group.sees(".msg .text", say.more)
	form.sees(".replies .user", say.more)
	form.eval("scrollTo(0, 0), ''", new(string))
	picture(form, "site-mine")
	picture(group, "site-chat")
}
