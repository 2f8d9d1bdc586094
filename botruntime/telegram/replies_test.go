// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

func TestForwarded(t *testing.T) {
	bold := func(offset, length int) models.MessageEntity {
		return models.MessageEntity{Type: models.MessageEntityTypeBold, Offset: offset, Length: length}
	}
	italic := func(offset, length int) models.MessageEntity {
		return models.MessageEntity{Type: models.MessageEntityTypeItalic, Offset: offset, Length: length}
	}
	link := models.MessageEntity{Type: models.MessageEntityTypeURL, Offset: 0, Length: 5}
	photo := media{Photo: []present{{}}}
	tests := map[string]struct {
		message message
		header  string
		want    []piece
	}{
		"words keep their formatting": {
			message{Text: "😀 yes", Entities: []models.MessageEntity{italic(3, 3), link, italic(4, 9)}}, "Re 😀",
			[]piece{{payload: payload{Text: "Re 😀\n\n😀 yes", Entities: []models.MessageEntity{bold(0, 5), italic(10, 3)}}}}},
		"words that fill a message come behind the header": {
			message{Text: strings.Repeat("x", ticket.MaxUnits)}, "Re",
			[]piece{{payload: payload{Text: "Re", Entities: []models.MessageEntity{bold(0, 2)}}}, {copied: true}}},
		"a picture gets the header": {
			message{media: photo}, "Re",
			[]piece{{copied: true, payload: payload{Text: "Re", Entities: []models.MessageEntity{bold(0, 2)}}}}},
		"a picture's words follow the header": {
			message{media: photo, Caption: "look", CaptionEntities: []models.MessageEntity{italic(0, 4)}}, "Re",
			[]piece{{copied: true, payload: payload{Text: "Re\n\nlook", Entities: []models.MessageEntity{bold(0, 2), italic(4, 4)}}}}},
		"many words under a picture stay with it": {
			message{media: photo, Caption: strings.Repeat("x", maxCaption)}, "Re",
			[]piece{{payload: payload{Text: "Re", Entities: []models.MessageEntity{bold(0, 2)}}}, {copied: true}}},
		"the next picture of an album comes as it is": {
			message{media: photo, Caption: "second"}, "",
			[]piece{{copied: true}}},
		"what can have no words comes behind the header": {
			message{media: media{VideoNote: &present{}}}, "Re",
			[]piece{{payload: payload{Text: "Re", Entities: []models.MessageEntity{bold(0, 2)}}}, {copied: true}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := forwarded(&tc.message, tc.header)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(piece{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReachOf(t *testing.T) {
	seen := store.Person{ID: 5, SeenAt: time.Unix(1, 0)}
	blocked := store.Person{ID: 5, SeenAt: time.Unix(1, 0), Blocked: true}
	site, direct := ticket.SourceSite, ticket.SourceTelegram
	tests := []struct {
		name   string
		ticket ticket.Ticket
		author store.Person
		want   reach
	}{
		{"wrote to the bot", ticket.Ticket{Source: direct, TelegramID: 5}, seen, reachable},
		{"wrote on the site, and to the bot before", ticket.Ticket{Source: site, TelegramID: 5}, seen, reachable},
		{"wrote on the site alone", ticket.Ticket{Source: site, TelegramID: 5}, store.Person{ID: 5}, reachNobody},
		{"is not in Telegram", ticket.Ticket{Source: site}, store.Person{}, reachNobody},
		{"blocked the bot", ticket.Ticket{Source: direct, TelegramID: 5}, blocked, reachBlocked},
		{"is a group, says the site", ticket.Ticket{Source: site, TelegramID: -100}, seen, reachNobody},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := reachOf(tc.ticket, tc.author); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestActor(t *testing.T) {
	chat := models.Chat{ID: -100, Title: "Team"}
	person := &models.User{ID: 7, FirstName: "Ann", Username: "ann_k"}
	anonymous := &models.User{ID: 1087968824, FirstName: "Group", IsBot: true}
	tests := map[string]struct {
		message message
		name    string
		id      int64
	}{
		"a person":                  {message{Chat: chat, From: person}, "@ann_k", 7},
		"an anonymous one":          {message{Chat: chat, From: anonymous, SenderChat: &chat}, "Team", 0},
		"an anonymous one's title":  {message{Chat: chat, From: anonymous, SenderChat: &chat, AuthorSignature: "Duty"}, "Duty", 0},
		"somebody in a channel":     {message{Chat: chat, SenderChat: &chat, AuthorSignature: "Ann"}, "Ann", 0},
		"nobody that Telegram says": {message{Chat: chat}, "ID-100", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if name, id := tc.message.actor(), tc.message.actorID(); name != tc.name || id != tc.id {
				t.Errorf("%q, %d; want %q, %d", name, id, tc.name, tc.id)
			}
		})
	}
}
