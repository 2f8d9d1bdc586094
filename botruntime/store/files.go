// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
)

// maxFiles bounds, in bytes and roughly, what the files take together that wait to be sent.
const maxFiles = 256 << 20

// ErrNoRoom means that so many files wait that no other is kept.
var ErrNoRoom = errors.New("too many files wait to be sent")

// keepFile keeps what a job will upload.
func (s *Store) keepFile(tx *txn, seq int64, content []byte) error {
	if len(content) == 0 { // Telegram is to fetch it
		return nil
	}
	if _, err := tx.exec(`INSERT INTO files (seq, content) VALUES (?, ?)`, seq, content); err != nil {
		return fmt.Errorf("keep a file: %w", err)
	}
	tx.afterCommit(func() { s.memory.files += len(content) })
	return nil
}

// fileOf is what a job uploads.
func fileOf(tx *txn, seq int64) (content []byte, err error) {
	if _, err := tx.get(`SELECT content FROM files WHERE seq = ?`, []any{seq}, &content); err != nil {
		return nil, fmt.Errorf("read a file: %w", err)
	}
	return content, nil
}

// dropFile forgets what a job uploaded that has ended.
func (s *Store) dropFile(tx *txn, seq int64) error {
	size := 0
	kept, err := tx.get(`SELECT length(content) FROM files WHERE seq = ?`, []any{seq}, &size)
	if err == nil && kept {
		_, err = tx.exec(`DELETE FROM files WHERE seq = ?`, seq)
	}
	if err != nil {
		return fmt.Errorf("forget a file: %w", err)
	}
	tx.afterCommit(func() { s.memory.files -= size })
	return nil
}

// filesSize is how many bytes all files have.
func filesSize(tx *txn) (size int, err error) {
	_, err = tx.get(`SELECT CAST(coalesce(sum(length(content)), 0) AS BIGINT) FROM files`, nil, &size)
	return size, err
}

// sweepFiles takes away the files of jobs that went with their tickets.
func (s *Store) sweepFiles(ctx context.Context) error {
	if err := s.sweepRows(ctx, `DELETE FROM files WHERE seq IN (SELECT f.seq FROM files f
		WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.seq = f.seq AND o.kind = 'file') LIMIT ?)`, []any{sweepRows}); err != nil {
		return err
	}
	return s.writer.write(ctx, func(tx *txn) error {
		size, err := filesSize(tx)
		tx.afterCommit(func() { s.memory.files = size })
		return err
	})
}
