// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// maxPieces bounds the messages that one text of the site's makes: what is longer stays there.
const maxPieces = 8

// written are the messages that bring a text below a header and the name of its writer, if any.
func written(header, who, text string, texts *ticket.Catalog) []payload {
	const most = ticket.MaxUnits - repeatRoom
	first := new(composer).bold(header)
	if who != "" {
		first.text("\n👤 ").inert(who)
	}
	pieces, cutOff := ticket.Pieces(text, most-first.units-2, most-repeatRoom, maxPieces)
	out := make([]payload, 0, max(1, len(pieces)))
	for i, piece := range pieces {
		c := new(composer)
		if i == 0 {
			c = first.text("\n\n")
		}
		c.text(piece)
		if i == len(pieces)-1 && cutOff > 0 {
			c.text("…\n\n" + texts.CutOff.Count(cutOff))
		}
		out = append(out, c.payload())
	}
	if len(out) == 0 {
		out = append(out, first.payload())
	}
	return out
}

// sendAll sends messages, one after the other. What is to follow from a refusal follows from that of the last.
func (h handlers) sendAll(tx store.Tx, to store.Outgoing, all []payload, language string) error {
	ifRefused := to.IfRefused
	for i, p := range all {
		to.IfRefused, p.Language = nil, language
		if i == len(all)-1 {
			to.IfRefused = ifRefused
		}
		if err := send(tx, to, p); err != nil {
			return wrapped("pass on what the site says", err)
		}
	}
	return nil
}

// sendFiles sends files of the site's. Of each that Telegram will not take, or that is one too many, the staff is told under
// the ticket.
func (h handlers) sendFiles(tx store.Tx, to store.Outgoing, files []wire.Attachment, language string, refused ticket.Format) error {
	for _, f := range files {
		err := h.sendFile(tx, to, f, language, refused)
		if errors.Is(err, store.ErrNoRoom) {
			err = h.sayMissing(tx, to.Ticket, f, h.texts().Staff.SiteFileNoRoom)
		}
		if err != nil {
			return wrapped("pass on a file of the site's", err)
		}
	}
	return nil
}

// sendFile sends a file of the site's. One that the site only names is said to be there: once, under the ticket.
func (h handlers) sendFile(tx store.Tx, to store.Outgoing, f wire.Attachment, language string, refused ticket.Format) error {
	if f.URL == "" && len(f.Content) == 0 {
		if to.ChatID != 0 {
			return nil
		}
		return h.sayMissing(tx, to.Ticket, f, h.texts().Staff.SiteFileAbsent)
	}
	notice, err := h.missing(to.Ticket, f, refused)
	if err != nil {
		return err
	}
	to.File, to.Content, to.IfRefused = true, f.Content, []store.Outgoing{notice}
	return send(tx, to, payload{Text: fileMark + to.Ticket, Language: language, File: &upload{Name: fileName(f.Name), MIME: f.MIME, URL: f.URL}})
}

// sayMissing tells the staff of a file that is not there.
func (h handlers) sayMissing(tx store.Tx, name string, f wire.Attachment, why ticket.Format) error {
	notice, err := h.missing(name, f, why)
	if err != nil {
		return err
	}
	return tx.Send(notice)
}

// missing is what tells the staff of a file that is not there. Where it can be had at an address, its name leads there.
func (h handlers) missing(name string, f wire.Attachment, why ticket.Format) (store.Outgoing, error) {
	c := new(composer).text(about(why, name) + "\n" + fileMark)
	if f.URL != "" {
		c.link(fileName(f.Name), f.URL)
	} else {
		c.inert(fileName(f.Name))
	}
	body, err := c.payload().encode()
	if err != nil {
		return store.Outgoing{}, errors.Join(errBadUpdate, err)
	}
	return store.Outgoing{Ticket: name, Payload: body}, nil
}

// fileName is a file's name as a person sees it: the last part of what may be a path.
func fileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if name = ticket.Line(name, maxFileName); strings.Trim(name, ". ") == "" {
		return "file"
	}
	return name
}
