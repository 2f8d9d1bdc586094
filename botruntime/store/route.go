// SPDX-License-Identifier: Apache-2.0

package store

import "context"

// waiting is a ticket that waits to be posted, with its job.
type waiting struct {
	ticketRow
	seq int64
}

// reroute leads the tickets that wait to where their categories go by now.
func (s *Store) reroute(ctx context.Context) error {
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
