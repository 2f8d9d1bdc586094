// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Priorities of the outbox: answers to people go before tickets, tickets before edits.
const (
	priorityMessage = iota
	priorityPost
	priorityEdit
)

var priorities = map[JobKind]int{JobMessage: priorityMessage, JobCopy: priorityMessage, JobFile: priorityMessage, JobPost: priorityPost, JobEdit: priorityEdit, JobTopic: priorityEdit}

// queued is a row of the outbox.
type queued struct {
	seq  int64
	kind JobKind
	// ticket is what a post or a topic is of, and post its name once it is claimed; name is the ticket that a message
	// belongs to.
	ticket     int64
	post, name string
	place
	messageID                          int64
	payload                            []byte
	fromChatID, fromMessageID, replyTo int64
	ifRefused                          []byte
	// rank is its priority where that is behind its kind's.
	rank int
}

func (q *queued) priority() int { return max(q.rank, priorities[q.kind]) }

// enqueue puts a job into the outbox, and gives it its number.
func (s *Store) enqueue(tx *txn, q *queued) error {
	q.seq = s.number()
	s.memory.ahead.added(q)
	priority := q.priority()
	var err error
	if q.kind == JobPost { // most of all jobs, and they have nothing else
		_, err = tx.exec(`INSERT INTO outbox (chat_id, priority, seq, kind, ticket, thread_id, topic) VALUES (?, ?, ?, 'post', ?, ?, ?)`,
			q.chatID, priority, q.seq, q.ticket, q.threadID, q.topic)
	} else {
		_, err = tx.exec(`INSERT INTO outbox (chat_id, priority, seq, kind, ticket, name, thread_id, topic, message_id, payload,
			from_chat_id, from_message_id, reply_to, if_refused) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			q.chatID, priority, q.seq, string(q.kind), q.ticket, q.name, q.threadID, q.topic, q.messageID, q.payload,
			q.fromChatID, q.fromMessageID, q.replyTo, q.ifRefused)
	}
	tx.wake.outbox = true
	return err
}

// Advance records how the claimed job of a chat ended (done may be nil) and, if claim, claims the next one, in one
// commit. A nil Job means that nothing waits there.
//
// The commit survives the end of the process at once, and that of the machine a moment later: how at most maxUnsynced
// jobs of a chat ended may be forgotten then, and the store says of as many that they may have been sent.
func (s *Store) Advance(ctx context.Context, chatID int64, done *Outcome, claim bool) (job *Job, err error) {
	for {
		unsynced := false
		if err := s.writer.writeSoon(ctx, func(tx *txn) (err error) {
			job, err = s.advance(tx, chatID, done, claim)
			if unsynced = errors.Is(err, errUnsynced); unsynced {
				err = nil // how the last one ended is not undone for that
			}
			return err
		}); err != nil || !unsynced {
			return job, err
		}
		if err := s.writer.syncer.settled(ctx); err != nil {
			return nil, err
		}
		done = nil
	}
}

func (s *Store) advance(tx *txn, chatID int64, done *Outcome, claim bool) (*Job, error) {
	if held, claimed := s.memory.claims[chatID]; claimed && (done == nil || done.Seq != held.seq) {
		s.memory.ahead.forget(chatID) // the one that is claimed is the next again
	}
	if done != nil {
		if err := s.settle(tx, chatID, done); err != nil {
			return nil, fmt.Errorf("record how a job ended: %w", err)
		}
	}
	if !claim {
		return nil, nil
	}
	job, err := s.claim(tx, chatID)
	if err != nil {
		return nil, fmt.Errorf("claim the next job: %w", err)
	}
	return job, nil
}

// claim takes the next job of a chat, and notes that a call is begun.
func (s *Store) claim(tx *txn, chatID int64) (*Job, error) {
	next, err := s.nextAimed(tx, chatID)
	if err != nil || next == nil {
		return nil, err
	}
	q, job := next.queued, next.job
	if q.kind == JobFile {
		if job.Content, err = fileOf(tx, q.seq); err != nil {
			return nil, err
		}
	}
	if q.topic != "" {
		if job.ThreadID, err = thread(tx, q.place); err != nil {
			return nil, err
		}
		if q.threadID = job.ThreadID; q.threadID == 0 {
			if job.Topics, err = sharedTopics(tx, q.place); err != nil {
				return nil, err
			}
		}
	}
	if !job.MaybeSent {
		_, err = tx.exec(`UPDATE outbox SET claimed = 1 WHERE chat_id = ? AND priority = ? AND seq = ?`, chatID, q.priority(), q.seq)
	}
	tx.afterCommit(func() { s.memory.claims[chatID] = q })
	return &job, err
}

// nextAimed takes the next job of a chat that has something to be done.
func (s *Store) nextAimed(tx *txn, chatID int64) (*aheadJob, error) {
	for {
		next, err := s.next(tx, chatID)
		if err != nil || next == nil || next.queued.kind != JobEdit || next.queued.messageID != 0 {
			return next, err
		}
		if sent, err := aimEdit(tx, next); err != nil || sent {
			return next, err
		}
	}
}

// settle records how a claimed job ended. One that is not claimed any more has ended before, and an edit that was
// replaced while it was sent is gone: its replacement stays.
func (s *Store) settle(tx *txn, chatID int64, o *Outcome) error {
	if o.Kind == Migrated && o.Seq == 0 { // nobody's job told of it
		return s.migrateChat(tx, chatID, o.NewChatID)
	}
	q, claimed := s.memory.claims[chatID]
	if !claimed || q.seq != o.Seq {
		return nil
	}
	tx.afterCommit(func() {
		if s.memory.claims[chatID].seq == q.seq {
			delete(s.memory.claims, chatID)
		}
	})
	if o.ThreadID != 0 && q.topic != "" {
		if err := setThread(tx, q.place, o.ThreadID); err != nil {
			return err
		}
		q.threadID = o.ThreadID
	}
	switch o.Kind {
	case Released:
		s.memory.ahead.forget(q.chatID)
		if o.Progress != nil { // what was sent is known, so nothing of it is sent again
			return keepProgress(tx, &q, o)
		}
		_, err := s.changeJob(tx, releaseJob, &q)
		return err
	case Unsure:
		s.memory.ahead.forget(q.chatID)
		return nil
	case Migrated:
		if _, err := s.changeJob(tx, releaseJob, &q); err != nil {
			return err
		}
		return s.migrateChat(tx, chatID, o.NewChatID)
	}
	ended, err := s.changeJob(tx, endJob, &q)
	if err != nil || ended == 0 {
		return err
	}
	switch q.kind {
	case JobPost:
		return s.settleTicket(tx, &q, o)
	case JobFile:
		if err := s.dropFile(tx, q.seq); err != nil {
			return err
		}
		return s.settleMessage(tx, &q, o)
	case JobMessage, JobCopy:
		return s.settleMessage(tx, &q, o)
	}
	return nil
}

// keepProgress releases a post that goes on where it was left. One that moved meanwhile begins anew in its other chat, and stays
// claimed for that.
func keepProgress(tx *txn, q *queued, o *Outcome) error {
	_, err := tx.exec(`UPDATE outbox SET claimed = 0, payload = ? WHERE chat_id = ? AND priority = ? AND seq = ?`,
		o.Progress, q.chatID, q.priority(), q.seq)
	return err
}

const (
	endJob     = `DELETE FROM outbox WHERE chat_id = ? AND priority = ? AND seq = ?`
	releaseJob = `UPDATE outbox SET claimed = 0 WHERE chat_id = ? AND priority = ? AND seq = ?`
)

// changeJob changes a job where it is: it moved if its chat did since it was claimed, in this very transaction perhaps.
func (s *Store) changeJob(tx *txn, query string, q *queued) (rows int64, err error) {
	rows, err = tx.change(query, q.chatID, q.priority(), q.seq)
	if err != nil || rows > 0 {
		return rows, err
	}
	var now int64
	moved, err := tx.get(`SELECT new_id FROM chats WHERE id = ?`, []any{q.chatID}, &now)
	if err != nil || !moved {
		return 0, err
	}
	s.memory.ahead.forget(now)
	return tx.change(query, now, q.priority(), q.seq)
}

// settleTicket ends a ticket's wait and makes the results due that were asked for.
func (s *Store) settleTicket(tx *txn, q *queued, o *Outcome) error {
	state := StatePosted
	if o.Kind == Refused {
		state = StateFailed
	}
	at := millis(o.At)
	if _, err := tx.exec(`UPDATE tickets SET state = ?, chat_id = ?, thread_id = ?, message_id = ?, settled_at = ?, active_at = ?,
		failure = ? WHERE id = ?`, string(state), q.chatID, q.threadID, o.MessageID, at, at, text(o.Failure), q.ticket); err != nil {
		return err
	}
	// The counters first: who sees a result must not see counters from before it.
	tx.afterCommit(func() {
		s.count(func(c *Counts) {
			c.Pending--
			if state == StateFailed {
				c.Failed++
				return
			}
			c.Posted++
			c.LastPosted = fromMillis(at)
		})
	})
	if state == StatePosted {
		if err := s.releaseHeld(tx, q, o.MessageID); err != nil {
			return err
		}
	}
	for _, id := range o.MoreMessages {
		if err := link(tx, &Link{ChatID: q.chatID, MessageID: id, Ticket: q.post, At: o.At}); err != nil {
			return err
		}
	}
	return s.answerAll(tx, q, Result{TicketID: q.post, MessageID: o.MessageID, SentAt: fromMillis(at), Failure: whyFailed(state, text(o.Failure))})
}

func (s *Store) settleMessage(tx *txn, q *queued, o *Outcome) error {
	if o.Kind == Refused {
		return s.refused(tx, q, o)
	}
	return linkSent(tx, q, o)
}

// refused records that a message will never arrive: at somebody who blocked the bot, perhaps. What was to follow from
// that follows; of a file for somebody who takes nothing at all it is the message before it that tells.
func (s *Store) refused(tx *txn, q *queued, o *Outcome) error {
	if o.Unreachable {
		if _, err := tx.exec(`UPDATE persons SET blocked = 1 WHERE id = ?`, q.chatID); err != nil {
			return err
		}
	}
	if len(q.ifRefused) == 0 || o.Unreachable && q.kind == JobFile {
		return nil
	}
	var then []Outgoing
	if err := json.Unmarshal(q.ifRefused, &then); err != nil {
		return fmt.Errorf("decode what follows from a refusal: %w", err)
	}
	for i := range then {
		if err := s.send(tx, &then[i]); err != nil && !isNotFound(err) { // its ticket may be forgotten by now: nobody waits for it
			return err
		}
	}
	return nil
}

// WaitingChats returns the chats that jobs wait for.
func (s *Store) WaitingChats(ctx context.Context) ([]int64, error) {
	// From one chat to the next, rather than over all jobs.
	chats, err := read(ctx, s, scanOne[int64], `WITH RECURSIVE waiting (id) AS (SELECT min(chat_id) FROM outbox
		UNION ALL SELECT (SELECT min(chat_id) FROM outbox WHERE chat_id > waiting.id) FROM waiting WHERE id IS NOT NULL)
		SELECT id FROM waiting WHERE id <> 0`)
	if err != nil {
		return nil, fmt.Errorf("list the chats that jobs wait for: %w", err)
	}
	return chats, nil
}
