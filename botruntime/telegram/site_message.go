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
		u := upload{Name: fileName(f.Name), MIME: f.MIME, URL: f.URL}
		out := to
		out.File, out.Content = true, f.Content
		var err error
		if out.IfRefused, err = h.missing(to.Ticket, u, refused); err != nil {
			return err
		}
		err = send(tx, out, payload{Text: fileMark + to.Ticket, Language: language, File: &u})
		if errors.Is(err, store.ErrNoRoom) {
			var instead []store.Outgoing
			if instead, err = h.missing(to.Ticket, u, h.texts().Staff.SiteFileNoRoom); err == nil {
				err = tx.Send(instead[0])
			}
		}
		if err != nil {
			return wrapped("pass on a file of the site's", err)
		}
	}
	return nil
}

// missing tells the staff of a file that is not there. Where it can be had at an address, its name leads there.
func (h handlers) missing(name string, u upload, why ticket.Format) ([]store.Outgoing, error) {
	c := new(composer).text(about(why, name) + "\n" + fileMark)
	if u.URL != "" {
		c.link(u.Name, u.URL)
	} else {
		c.inert(u.Name)
	}
	body, err := c.payload().encode()
	if err != nil {
		return nil, errors.Join(errBadUpdate, err)
	}
	return []store.Outgoing{{Ticket: name, Payload: body}}, nil
}

// fileName is a file's name as a person sees it: the last part of what may be a path.
func fileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if name = ticket.Line(name, maxFileName); strings.Trim(name, ". ") == "" {
		return "file"
	}
	return name
}
