// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// filesSize is how long all files of a frame may be together, in base64; filesPatience is how long Telegram has to give them.
const (
	filesSize     = 700 << 10
	filesPatience = 20 * time.Second
)

// controlQueue is what the bot tells the site of itself: it is not kept for the next session.
type controlQueue struct {
	ready chan struct{}

	mu      sync.Mutex
	last    int64
	parcels []parcel
}

// add puts a frame at the end, which says what body says when it is sent.
func (q *controlQueue) add(body func() wire.Body) parcel {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	p := parcel{seq: q.last, id: uuid.NewString(), body: func(context.Context) wire.Body { return body() }}
	q.parcels = append(q.parcels, p)
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return p
}

func (q *controlQueue) next(_ context.Context, after int64, limit int) (due []parcel, _ error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.parcels {
		if p.seq > after && len(due) < limit {
			due = append(due, p)
		}
	}
	return due, nil
}

func (q *controlQueue) settle(_ context.Context, seqs []int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.parcels = slices.DeleteFunc(q.parcels, func(p parcel) bool { return slices.Contains(seqs, p.seq) })
	return nil
}

// dueResults are the results that the site waits for, whichever version it asked in.
func (v *v2) dueResults(ctx context.Context, after int64, limit int) ([]parcel, error) {
	due, err := v.store.DueResults(ctx, after, limit)
	parcels := make([]parcel, 0, len(due))
	for _, r := range due {
		a := wire.Answer{OK: r.Failure == "", Error: r.Failure}
		if a.OK {
			a.TicketID, a.MessageID, a.SentAt = r.TicketID, r.MessageID, r.SentAt.UTC().Format(sentAtLayout)
		} else {
			a.Code = wire.CodeDeliveryRefused
		}
		parcels = append(parcels, parcel{seq: r.Seq, id: frameID(r.RequestID), body: func(context.Context) wire.Body { return a }})
	}
	return parcels, err
}

// frameID is the id of a request as version 2 can say it. One of version 1 may have an id that it cannot; the site reads
// from the result's data then which ticket that is.
func frameID(requestID string) string {
	if wire.IsLabel(requestID) {
		return requestID
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(requestID)).String()
}

// eventCapabilities are the capabilities that a site needs to be told of events.
var eventCapabilities = map[store.EventKind]string{
	store.EventCreated: wire.CapabilityCreated, store.EventStatus: wire.CapabilityStatuses,
	store.EventReply: wire.CapabilityReplies, store.EventMessage: wire.CapabilityReplies,
}

// dueEvents are the events that the site takes; none before it has said which.
func (v *v2) dueEvents(ctx context.Context, after int64, limit int) ([]parcel, error) {
	if err := v.meet(ctx); err != nil {
		return nil, err
	}
	v.mu.Lock()
	files := v.peer.takes(wire.CapabilityAttachments)
	var kinds []store.EventKind
	for kind, capability := range eventCapabilities {
		if v.peer.takes(capability) {
			kinds = append(kinds, kind)
		}
	}
	v.mu.Unlock()
	if len(kinds) == 0 {
		return nil, nil
	}
	due, err := v.store.DueEvents(ctx, after, kinds, limit)
	parcels := make([]parcel, 0, len(due))
	for _, e := range due {
		parcels = append(parcels, parcel{seq: e.Seq, id: e.ID, alone: files && len(e.Attachments) > 0,
			body: func(ctx context.Context) wire.Body { return v.event(ctx, &e, files) }})
	}
	return parcels, err
}

// meet has the desk know, once, whether replies reach the site.
func (v *v2) meet(ctx context.Context) error {
	v.mu.Lock()
	due, takes := v.peer.greeted && !v.met && v.cfg.Desk != nil, v.peer.takes(wire.CapabilityReplies)
	v.met = v.met || due
	v.mu.Unlock()
	if !due {
		return nil
	}
	return v.cfg.Desk.Meet(ctx, takes)
}

// event is what the site is told of an event.
func (v *v2) event(ctx context.Context, e *store.DueEvent, files bool) wire.Body {
	if e.Kind == store.EventStatus {
		return wire.StatusUpdate{TicketID: e.Ticket, FeedbackID: e.FeedbackID, Status: string(e.Status), Actor: actorOf(e), At: e.At}
	}
	text, attachments := v.content(ctx, e, files)
	if e.Kind == store.EventCreated {
		t := e.Written
		return wire.Created{TicketID: e.Ticket, TelegramID: t.TelegramID, Username: t.Username, FirstName: t.FirstName, Nickname: t.Nickname,
			Category: orOther(t.Category), Message: text, CreatedAt: e.At, Locale: e.Locale, Attachments: attachments}
	}
	from := wire.FromStaff
	if e.Kind == store.EventMessage {
		from = wire.FromUser
	}
	return wire.Reply{TicketID: e.Ticket, FeedbackID: e.FeedbackID, From: from, Text: text, Attachments: attachments,
		Author: actorOf(e), At: e.At}
}

// content is what somebody wrote, and sent with it. A site that takes no files reads their names; something without words
// was a file, also where nobody noted which.
func (v *v2) content(ctx context.Context, e *store.DueEvent, files bool) (text string, attachments []wire.Attachment) {
	sent := e.Attachments
	if e.Text == "" && len(sent) == 0 {
		sent = []store.Attachment{{}}
	}
	switch {
	case files:
		return e.Text, v.attachments(ctx, sent)
	case e.Text == "":
		return namesOf(sent), nil
	}
	return e.Text, nil
}

// orOther is the category of a ticket that the store has no more.
func orOther(category string) string {
	if category == "" {
		return "other"
	}
	return category
}

// actorOf is who an event is about: what is known in full, or what its name for people says.
func actorOf(e *store.DueEvent) wire.Actor {
	a := wire.Actor{TelegramID: e.By.TelegramID, Username: e.By.Username, Name: e.By.Name}
	if a.Username == "" && a.Name == "" {
		nameOf(&a, e.Actor)
	}
	return a
}

// nameOf reads a name as ticket.ActorName writes it.
func nameOf(a *wire.Actor, name string) {
	if username, ok := strings.CutPrefix(name, "@"); ok {
		a.Username = username
	} else if id, err := strconv.ParseInt(strings.TrimPrefix(name, "ID"), 10, 64); err != nil || !strings.HasPrefix(name, "ID") {
		a.Name = name
	} else if a.TelegramID == 0 {
		a.TelegramID = id
	}
}

// namesOf stands for files in a text.
func namesOf(files []store.Attachment) string {
	text := "📎"
	for _, f := range files {
		if f.Name != "" {
			text += " " + f.Name
		}
	}
	return text
}

// attachments are files for the site, with their contents as far as all of them fit into a frame and Telegram gives them.
func (v *v2) attachments(ctx context.Context, files []store.Attachment) (out []wire.Attachment) {
	ctx, cancel := context.WithTimeout(ctx, filesPatience)
	defer cancel()
	room := filesSize
	for i, f := range files {
		if i == wire.MaxAttachments {
			break
		}
		a := wire.Attachment{Name: f.Name, MIME: f.MIME, Size: f.Size}
		if most := base64.StdEncoding.DecodedLen(room); v.cfg.Desk != nil && f.FileID != "" && f.Size <= int64(most) {
			content, err := v.cfg.Desk.Fetch(ctx, f, most)
			switch {
			case err != nil:
				v.log.Warn("a file of a message cannot be fetched for the site", "error", err)
			case base64.StdEncoding.EncodedLen(len(content)) <= room:
				room -= base64.StdEncoding.EncodedLen(len(content))
				a.Content, a.Size = append([]byte{}, content...), int64(len(content))
			}
		}
		out = append(out, a)
	}
	return out
}
