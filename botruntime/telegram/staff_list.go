// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

const (
	pageSize = 10
	// listExcerpt and cardExcerpt are how much of a message lists and cards show, in UTF-16 units.
	listExcerpt = 64
	cardExcerpt = 500
	// maxName bounds names and nicknames.
	maxName = 64

	staffDate = "02.01.2006 15:04"
)

// openPage is a page, from 1 on, of the open tickets that a chat may see. Beyond the last one it is the last one.
func (h handlers) openPage(tx store.Tx, chatID int64, page int) (payload, error) {
	query := store.TicketQuery{Open: true, Limit: pageSize}
	if chatID != h.effectiveChat(h.cfg.ChatID) {
		query.ChatID = chatID
	}
	for {
		page = max(page, 1)
		query.Offset = (page - 1) * pageSize
		tickets, total, err := tx.Tickets(query)
		if err != nil {
			return payload{}, fmt.Errorf("list the open tickets: %w", err)
		}
		pages := max((total+pageSize-1)/pageSize, 1)
		if page > pages {
			page = pages
			continue
		}
		return h.list(tickets, total, page, pages), nil
	}
}

func (h handlers) list(tickets []store.TicketRecord, total, page, pages int) payload {
	texts := h.texts()
	if total == 0 {
		return payload{Text: texts.Staff.NothingOpen}
	}
	c := new(composer).bold(texts.Staff.OpenTickets.Count(total))
	for _, t := range tickets {
		c.text("\n\n"+ticket.StatusIcon(t.Status)+" ").link(t.ID, postAddress(t))
		c.text(" · " + h.dateOf(t) + " · ").inert(authorOf(t.Ticket))
		if t.State != store.StatePosted {
			c.text(" · " + stateText(texts, t.State))
		}
		c.text("\n").excerpt(t.Message, listExcerpt)
	}
	p := c.payload()
	if pages > 1 {
		c.text("\n\n" + texts.Staff.PageOf.With(ticket.Values{"Page": page, "Pages": pages}))
		p = c.payload()
		p.Keyboard = pageButtons(page, pages)
	}
	return p
}

// pageButtons lead to the pages around one.
func pageButtons(page, pages int) *models.InlineKeyboardMarkup {
	var row []models.InlineKeyboardButton
	add := func(text string, page int) {
		row = append(row, models.InlineKeyboardButton{Text: text, CallbackData: openPrefix + strconv.Itoa(page)})
	}
	if page > 1 {
		add("◀️ "+strconv.Itoa(page-1), page-1)
	}
	add("🔄", page)
	if page < pages {
		add(strconv.Itoa(page+1)+" ▶️", page+1)
	}
	return &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{row}}
}

// card is all that is known of a ticket; of one that Telegram refused, with a button that tries again.
func (h handlers) card(t store.TicketRecord) payload {
	texts := h.texts()
	c := new(composer).text(ticket.StatusIcon(t.Status)+" ").link(texts.Title+" "+t.ID, postAddress(t))
	label := func(name string) *composer { return c.text("\n").bold(name + ":").text(" ") }
	label(texts.Status).text(texts.Statuses[t.Status])
	if t.StatusBy != "" {
		c.text(" — ").inert(ticket.Line(t.StatusBy, maxName)).text(", " + t.StatusAt.In(h.cfg.Location).Format(staffDate))
	}
	if name := personOf(t.Ticket); name != "" {
		label(texts.From).inert(name)
	}
	if t.TelegramID > 0 {
		c.text(" (ID" + strconv.FormatInt(t.TelegramID, 10) + ")")
	}
	if nickname := ticket.Line(t.Nickname, maxName); nickname != "" {
		label(texts.Nickname).inert(nickname)
	}
	if _, topic, known := texts.Category(t.Category, h.cfg.Intake.Categories); known {
		label(texts.Topic).text(topic)
	} else { // a word of the site's
		label(texts.Topic).inert(topic)
	}
	label(texts.Source).text(texts.Sources[t.Source])
	label(texts.Staff.Received).text(t.ReceivedAt.In(h.cfg.Location).Format(staffDate))
	if t.State != store.StatePosted {
		c.text("\n⚠️ ").bold(stateText(texts, t.State))
		if t.Failure != "" {
			c.text(": ").inert(ticket.Line(t.Failure, cardExcerpt))
		}
	}
	c.text("\n\n").excerpt(t.Message, cardExcerpt)
	p := c.payload()
	if t.State == store.StateFailed {
		p.Keyboard = &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{{
			{Text: texts.Staff.RetryButton, CallbackData: retryPrefix + t.ID}}}}
	}
	return p
}

func stateText(texts *ticket.Catalog, s store.State) string {
	if s == store.StateFailed {
		return texts.Staff.Failed
	}
	return texts.Staff.Pending
}

// dateOf is when a ticket was written, or else when the bot got it.
func (h handlers) dateOf(t store.TicketRecord) string {
	at := t.CreatedAt
	if at.IsZero() {
		at = t.ReceivedAt
	}
	return at.In(h.cfg.Location).Format(staffDate)
}

// authorOf names a ticket's author by the best that is known.
func authorOf(t ticket.Ticket) string {
	return cmp.Or(ticket.Line(t.Nickname, maxName), personOf(t), "—")
}

// personOf is what Telegram calls a ticket's author; "" where it is not known there.
func personOf(t ticket.Ticket) string {
	if t.Username == "" && t.FirstName == "" && t.TelegramID == 0 {
		return ""
	}
	return ticket.ActorName(t.Username, t.FirstName, "", t.TelegramID)
}

// postAddress leads to a ticket's post; "" where messages have no address, which is everywhere but in supergroups and
// channels.
func postAddress(t store.TicketRecord) string {
	number, ok := strings.CutPrefix(strconv.FormatInt(t.ChatID, 10), "-100")
	if !ok || t.MessageID == 0 || t.ChatID > -1_000_000_000_000 {
		return ""
	}
	return "https://t.me/c/" + number + "/" + strconv.FormatInt(t.MessageID, 10)
}

// statistics are the numbers of some days.
func statistics(texts *ticket.Catalog, s store.TicketStats, days int) payload {
	c := new(composer).bold(texts.Staff.Stats.Count(days))
	total := 0
	for _, status := range append([]ticket.Status{ticket.StatusNew}, ticket.Statuses...) {
		total += s.ByStatus[status]
	}
	c.text("\n" + texts.Staff.Total + ": " + strconv.Itoa(total))
	for _, source := range []ticket.Source{ticket.SourceSite, ticket.SourceTelegram} {
		c.text("\n• " + texts.Sources[source] + ": " + strconv.Itoa(s.BySource[source]))
	}
	c.text("\n")
	for _, status := range append([]ticket.Status{ticket.StatusNew}, ticket.Statuses...) {
		c.text("\n" + ticket.StatusIcon(status) + " " + texts.Statuses[status] + ": " + strconv.Itoa(s.ByStatus[status]))
	}
	if s.FirstReaction > 0 {
		c.text("\n\n" + texts.Staff.FirstReaction + ": " + duration(texts, s.FirstReaction))
	}
	if s.Failed > 0 {
		c.text("\n⚠️ " + texts.Staff.Failed + ": " + strconv.Itoa(s.Failed))
	}
	c.text("\n\n" + texts.Staff.OpenNow + ": " + strconv.Itoa(s.Open))
	return c.payload()
}

// duration is a length of time in its two greatest units.
func duration(texts *ticket.Catalog, d time.Duration) string {
	minutes := int(d.Round(time.Minute) / time.Minute)
	days, hours, minutes := minutes/60/24, minutes/60%24, minutes%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d %s %d %s", days, texts.Staff.Day, hours, texts.Staff.Hour)
	case hours > 0:
		return fmt.Sprintf("%d %s %d %s", hours, texts.Staff.Hour, minutes, texts.Staff.Minute)
	}
	return fmt.Sprintf("%d %s", max(minutes, 1), texts.Staff.Minute)
}
