// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// TicketStats counts tickets.
type TicketStats struct {
	// ByStatus and BySource count those received since the time.
	ByStatus map[ticket.Status]int
	BySource map[ticket.Source]int
	// Failed are those of them that Telegram refused.
	Failed int
	// Open are those that are not closed, whenever they were received.
	Open int
	// FirstReaction is the median time from the post to its first status; 0 where none has one.
	FirstReaction time.Duration
}

// TicketStats counts the tickets received since a time, and looks how fast they were answered. It reads every one of them, so
// it does that beside the writer, which nobody has to wait for then.
func (s *Store) TicketStats(ctx context.Context, since time.Time) (stats TicketStats, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("count tickets: %w", err)
		}
	}()
	stats = TicketStats{ByStatus: map[ticket.Status]int{}, BySource: map[ticket.Source]int{}}
	_, err = read(ctx, s, func(row scanner) (none struct{}, err error) {
		var (
			status ticket.Status
			source ticket.Source
			state  State
			n      int
		)
		if err := row.Scan(&status, &source, &state, &n); err != nil {
			return none, err
		}
		stats.ByStatus[status] += n
		stats.BySource[source] += n
		if state == StateFailed {
			stats.Failed += n
		}
		return none, nil
	}, `SELECT status, source, state, count(*) FROM tickets WHERE received_at >= ? GROUP BY status, source, state`, millis(since))
	if err != nil {
		return stats, err
	}
	open, err := read(ctx, s, scanOne[int], `SELECT count(*) FROM tickets WHERE status <> ?`, string(ticket.StatusClosed))
	if err != nil {
		return stats, err
	}
	stats.Open = open[0]
	stats.FirstReaction, err = s.firstReaction(ctx, since)
	return stats, err
}

// firstReaction is the median, by the database: half of the reactions are as fast.
func (s *Store) firstReaction(ctx context.Context, since time.Time) (time.Duration, error) {
	took, err := read(ctx, s, scanOne[int64], `SELECT took FROM (
		SELECT took, row_number() OVER (ORDER BY took) AS place, count(*) OVER () AS n FROM (
			SELECT min(s.at) - t.settled_at AS took FROM tickets t JOIN statuses s ON s.ticket = t.name
			WHERE t.received_at >= ? AND t.state = 'posted' GROUP BY t.id, t.settled_at) reactions
		WHERE took >= 0) ordered WHERE place = (n + 1) / 2`, millis(since))
	if err != nil || len(took) == 0 {
		return 0, err
	}
	return time.Duration(took[0]) * time.Millisecond, nil
}
