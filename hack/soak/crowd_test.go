// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"slices"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// role is what kind of person it is, by the person's id.
func role(id int64) int64 { return (id - 5000) % 1000 % 6 }

// blocks tells a person who blocks the bot at times.
func blocks(id int64) bool { return id >= 5000 && role(id) == 5 }

// isOutlaw tells a person whom the staff bans and forgives, again and again.
func isOutlaw(id int64) bool { return id >= 5000 && role(id) == 4 }

// hasArrived waits for the files of the person's last ticket: of somebody who blocks the bot it can copy nothing, and says so.
func (p *person) hasArrived(seen *watch) bool {
	last := p.book.lastOf(p.user.ID)
	return last == nil || poll(90*time.Second*slowness, func() bool {
		return !slices.ContainsFunc(last.files, func(f string) bool { return len(seen.copies(f)) == 0 })
	})
}

// block has the person block the bot for a while.
func (p *person) block() {
	if err := p.w.telegram.Block(p.user.ID); err != nil {
		p.w.fail("%s blocks the bot: %v", p.user.Username, err)
	}
	wait(nil, time.Second+time.Duration(p.dice.IntN(4000))*time.Millisecond)
	if err := p.w.telegram.Unblock(p.user.ID); err != nil {
		p.w.fail("%s unblocks the bot: %v", p.user.Username, err)
	}
}

// album writes a text with photos.
func (p *person) album(text string, files []string) {
	var media []telegram.Media
	for _, f := range files {
		media = append(media, telegram.Media{Kind: telegram.Photo, FileID: f})
	}
	if _, err := p.w.telegram.Album(p.user.ID, p.user, text, media...); err != nil {
		p.w.fail("%s sends an album: %v", p.user.Username, err)
	}
}

// offend has the person write feedback, be banned for it, write all the same, and be forgiven.
func (p *person) offend(seen *watch) {
	p.categories = []string{"bug", "other"} // which stay in one chat
	for p.pause() {
		before := p.book.lastOf(p.user.ID)
		if !p.converse() {
			return
		}
		last := p.book.lastOf(p.user.ID)
		if last == before { // it was set aside
			continue
		}
		name := last.name
		if !poll(90*time.Second*slowness, func() bool { return seen.lastPost(name).id != 0 }) {
			p.w.fail("%s is not in the group", name)
			return
		}
		if !p.sentence(seen, name, "/ban spam, and more of it", banned) {
			return
		}
		p.say(telegram.Incoming{Text: "/feedback"})
		if _, ok := p.await("word of the ban", texts.Direct.Banned); !ok {
			return
		}
		p.think()
		n := p.book.outlaw()
		p.say(telegram.Incoming{Text: mark('B', n, 'a') + " " + words(p.dice, 3) + mark('B', n, 'z')})
		p.think()
		if !p.sentence(seen, name, "/unban said sorry", forgiven) {
			return
		}
	}
}

// sentence has the boss give a command in reply to a ticket, and wants the bot's answer. Where Telegram does not say whether
// he is one, he gives it again.
func (p *person) sentence(seen *watch, name, command, want string) bool {
	to := seen.lastPost(name)
	id, err := p.w.telegram.Write(telegram.Incoming{ChatID: to.chat, By: boss, ReplyTo: to.id, Text: command})
	if err != nil {
		p.w.fail("%s: %v", command, err)
		return false
	}
	at := place{to.chat, id}
	answered := poll(90*time.Second*slowness, func() bool { return seen.answer(at) != "" })
	switch answer := seen.answer(at); {
	case answered && strings.Contains(answer, texts.Staff.AdminUnknown):
		return p.sentence(seen, name, command, want)
	case !answered || !strings.Contains(answer, want):
		p.w.fail("%s about %s is answered with %q", command, name, seen.answer(at))
		return false
	}
	return true
}

// outlaw numbers what somebody writes who is banned.
func (l *ledger) outlaw() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outlawed++
	return l.outlawed
}

// lastOf is the last conversation of a person's.
func (l *ledger) lastOf(who int64) (last *conversation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conversations {
		if c.who == who {
			last = c
		}
	}
	return last
}

// judgeBans wants nothing of what people wrote who were banned to be in the staff's chats.
func (j *judge) judgeBans() {
	for n := range j.book.outlawed {
		if j.seen.has(mark('B', n+1, 'a')) {
			j.w.fail("message %d of somebody who is banned reached the staff", n+1)
		}
	}
}
