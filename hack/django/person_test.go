// SPDX-License-Identifier: Apache-2.0

package django

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// words are what a person looks for on the pages.
type words struct {
	code, nickname, message, topic, mine, sent, inProgress, press, replied, answer, more, added string
}

var inLanguages = []words{
	{code: "en", nickname: "Rider <3", message: "Since the update the map does not open & stays grey.", topic: "bug", mine: "My feedback", sent: "New",
		press: "In progress", inProgress: "In progress", answer: "Thank you! It will be mended today.", replied: "Replied", more: "It works again.", added: "It was added"},
	{code: "ru", nickname: "Всадник <3", message: "После обновления карта не открывается & остаётся серой.", topic: "bug", mine: "Мои обращения", sent: "Новое",
		press: "В работе", inProgress: "В работе", answer: "Спасибо! Исправим сегодня.", replied: "Ответили", more: "Снова работает.", added: "Добавлено"},
}

// A person's whole way, in a browser: the form, the ticket in the group, a button, a reply, both of them on the person's page, and a word
// more, which comes to the group. PICTURES=docs/images keeps what is seen.
func TestPersonsPath(t *testing.T) {
	for _, say := range inLanguages {
		t.Run(say.code, func(t *testing.T) {
			b := startBrowser(t, say.code)
			w := newWorld(t, plan{kind: Portal, language: say.code})
			w.connected()
			pictures := os.Getenv("PICTURES")
			if pictures == "" {
				pictures = w.dir
			}
			picture := func(p *page, name string) { p.picture(filepath.Join(pictures, name+"."+say.code+".png")) }

			site := b.open("http://"+w.proxy.Address()+"/", 420, 690)
			site.write("#id_nickname", say.nickname)
			site.eval("document.querySelector('#id_category').value = '"+say.topic+"'", new(string))
			site.write("#id_message", say.message)
			picture(site, "site-write")
			site.click("form.feedback button", "")
			site.sees("h1", say.mine)
			site.sees(".words", say.message)

			chat := b.open("http://"+strings.TrimPrefix(w.botConfig.Telegram, "http://")+"/#"+strconv.FormatInt(group, 10), 420, 690)
			chat.sees(".msg .text", say.message)
			chat.sees(".msg .text", say.nickname)
			site.sees(".state dd", "ticket_site_")
			site.sees(".state dd", say.sent)

			chat.click(".msg .row button", say.press)
			site.sees(".state dd.in_progress", say.inProgress)

			chat.click(".msg .answer", "")
			chat.write("#text", say.answer)
			chat.key("Enter", 13)
			site.sees(".replies .staff", say.answer)
			site.sees(".state dd.replied", say.replied)

			site.write("article textarea", say.more)
			site.click("article .more button", "")
			site.sees(".said", say.added)
			chat.sees(".msg .text", say.more)
			site.sees(".replies .user", say.more)
			site.eval("scrollTo(0, 0), ''", new(string))
			picture(site, "site-mine")
			picture(chat, "site-chat")
		})
	}
}
