// SPDX-License-Identifier: Apache-2.0

package store

import "errors"

// Taken is whether the connection to the database was lost, and another bot works there by now: this one must stop.
func (s *Store) Taken() bool {
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	return errors.Is(s.trouble.commit.why, ErrInUse)
}
