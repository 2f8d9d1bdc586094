// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"slices"
	"strconv"
)

// aheadRows is how many jobs of a chat are read at once. They may be large, so they are few.
const aheadRows = 8

// readAhead is what comes next in the outbox, by chats: the first rows of each chat, without those that were claimed. It
// belongs to the writer.
type readAhead map[int64][]aheadJob

type aheadJob struct {
	queued queued
	job    Job
}

// added keeps the rows of a chat the first ones when another one comes: that has the highest number of all, so it is
// behind them unless it has precedence.
func (a readAhead) added(q *queued) {
	if rows := a[q.chatID]; len(rows) > 0 && q.priority() < rows[len(rows)-1].queued.priority() {
		a.forget(q.chatID)
	}
}

// forget has a chat's jobs read again.
func (a readAhead) forget(chatID int64) { delete(a, chatID) }

// errUnsynced means that jobs wait whose commits are not synced.
var errUnsynced = errors.New("the jobs are not synced")

// next takes the next job of a chat; nil where nothing waits. A job is taken once the commit that it came with is synced
// (errUnsynced until then): what it tells of must not be undone when it was told.
func (s *Store) next(tx *txn, chatID int64) (*aheadJob, error) {
	rows := s.memory.ahead[chatID]
	if len(rows) == 0 {
		found, err := tx.rows(selectNext, chatID)
		if rows, err = collect(found, err, scanJob); err != nil || len(rows) == 0 {
			return nil, err
		}
	}
	s.memory.ahead[chatID] = rows
	durable := s.writer.syncer.durable()
	i := slices.IndexFunc(rows, func(a aheadJob) bool { return a.queued.seq <= durable })
	if i < 0 {
		return nil, errUnsynced
	}
	next := rows[i]
	if rows = slices.Delete(rows, i, i+1); len(rows) == 0 {
		delete(s.memory.ahead, chatID)
	} else {
		s.memory.ahead[chatID] = rows
	}
	return &next, nil
}

// selectNext has its limit as a constant: SQLite would prepare it anew for each bound one.
var selectNext = `
	SELECT o.chat_id, o.priority, o.seq, o.kind, o.ticket, o.name, o.thread_id, o.topic, o.message_id, o.payload, o.from_chat_id,
		o.from_message_id, o.reply_to, o.if_refused, o.claimed, coalesce(t.status, ''), coalesce(t.status_by, ''),
		coalesce(t.status_at, 0), coalesce(t.name, ''), coalesce(t.source, ''), coalesce(t.feedback_id, 0),
		coalesce(t.telegram_id, 0), coalesce(t.username, ''), coalesce(t.first_name, ''), coalesce(t.nickname, ''),
		coalesce(t.category, ''), coalesce(t.message, ''), coalesce(t.attachments, 0), coalesce(t.created_at, 0)
	FROM outbox o LEFT JOIN tickets t ON t.id = o.ticket
	WHERE o.chat_id = ? ORDER BY o.priority, o.seq LIMIT ` + strconv.Itoa(aheadRows)

func scanJob(row scanner) (a aheadJob, err error) {
	q, job := &a.queued, &a.job
	t := &job.Ticket
	var statusAt, created int64
	if err := row.Scan(&q.chatID, &q.rank, &q.seq, &q.kind, &q.ticket, &q.name, &q.threadID, &q.topic, &q.messageID, &q.payload, &q.fromChatID,
		&q.fromMessageID, &q.replyTo, &q.ifRefused, &job.MaybeSent, &job.Status, &job.StatusBy, &statusAt, &t.ID, &t.Source, &t.FeedbackID,
		&t.TelegramID, &t.Username, &t.FirstName, &t.Nickname, &t.Category, &t.Message, &t.Attachments, &created); err != nil {
		return a, err
	}
	if q.ticket == 0 {
		t.ID = q.name
	} else {
		q.post = t.ID
		t.CreatedAt, job.StatusAt = fromMillis(created), fromStamp(statusAt)
	}
	job.Seq, job.ChatID, job.ThreadID, job.Kind, job.Topic = q.seq, q.chatID, q.threadID, q.kind, q.topic
	job.MessageID, job.Payload, job.ReplyTo = q.messageID, q.payload, q.replyTo
	job.FromChatID, job.FromMessageID = q.fromChatID, q.fromMessageID
	return a, nil
}
