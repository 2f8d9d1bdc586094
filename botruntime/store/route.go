// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
)

// waiting is a ticket that a job waits for, with the job.
type waiting struct {
	ticketRow
	priority, seq int64
}

// serves tells whether a chat is one of the staff's, or has become of one.
func (s *Store) serves(chatID int64) bool {
	return s.opts.Chats == nil || slices.ContainsFunc(s.opts.Chats, func(id int64) bool { return s.EffectiveChat(id) == chatID })
}

// reroute leads what waits to where the settings have it go by now.
func (s *Store) reroute(ctx context.Context) error {
	if err := s.reroutePosts(ctx); err != nil {
		return err
	}
	chats, err := s.WaitingChats(ctx)
	if err != nil {
		return err
	}
	for _, id := range chats {
		if id < 0 && !s.serves(id) { // not a person's
			if err := s.rerouteMessages(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// rerouteMessages leads what people added to their tickets away from a chat that is none of the staff's any more.
func (s *Store) rerouteMessages(ctx context.Context, chatID int64) error {
	for after, more := int64(0), true; more; {
		err := s.writer.write(ctx, func(tx *txn) error {
			rows, err := tx.rows(`SELECT o.priority, o.seq, `+ticketColumns+` FROM outbox o JOIN tickets t ON t.name = o.name
				WHERE o.chat_id = ? AND o.seq > ? AND o.kind IN ('message', 'copy') AND o.from_chat_id > 0 ORDER BY o.seq LIMIT ?`,
				chatID, after, sweepRows)
			found, err := collect(rows, err, func(row scanner) (w waiting, err error) {
				w.ticketRow, err = scanTicket(row, &w.priority, &w.seq)
				return w, err
			})
			if err != nil {
				return err
			}
			for i := range found {
				now := s.place(found[i].Ticket)
				s.memory.ahead.forget(now.chatID)
				if _, err := tx.exec(`UPDATE outbox SET chat_id = ?, thread_id = ?, topic = ?, reply_to = 0
					WHERE chat_id = ? AND priority = ? AND seq = ?`, now.chatID, now.threadID, now.topic, chatID, found[i].priority, found[i].seq); err != nil {
					return err
				}
			}
			s.memory.ahead.forget(chatID)
			if more = len(found) == sweepRows; more {
				after = found[len(found)-1].seq
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reroutePosts leads the tickets that wait to where their categories go by now.
func (s *Store) reroutePosts(ctx context.Context) error {
	for after, more := int64(0), true; more; {
		err := s.writer.write(ctx, func(tx *txn) error {
			rows, err := tx.rows(`SELECT o.seq, `+ticketColumns+` FROM outbox o JOIN tickets t ON t.id = o.ticket
				WHERE o.kind = 'post' AND t.id > ? ORDER BY t.id LIMIT ?`, after, sweepRows)
			found, err := collect(rows, err, func(row scanner) (w waiting, err error) {
				w.ticketRow, err = scanTicket(row, &w.seq)
				return w, err
			})
			if err != nil {
				return err
			}
			for i := range found {
				if err := s.lead(tx, &found[i]); err != nil {
					return err
				}
			}
			if more = len(found) == sweepRows; more {
				after = found[len(found)-1].row
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lead moves a ticket that waits to where its category goes by now.
func (s *Store) lead(tx *txn, w *waiting) error {
	was, now := place{w.ChatID, w.ThreadID, w.topic}, s.place(w.Ticket)
	if now == was {
		return nil
	}
	s.memory.ahead.forget(was.chatID)
	s.memory.ahead.forget(now.chatID)
	if _, err := tx.exec(`UPDATE tickets SET chat_id = ?, thread_id = ?, topic = ? WHERE id = ?`,
		now.chatID, now.threadID, now.topic, w.row); err != nil {
		return err
	}
	_, err := tx.exec(`UPDATE outbox SET chat_id = ?, thread_id = ?, topic = ? WHERE chat_id = ? AND priority = ? AND seq = ?`,
		now.chatID, now.threadID, now.topic, was.chatID, priorityPost, w.seq)
	return err
}
