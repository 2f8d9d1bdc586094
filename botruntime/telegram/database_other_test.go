// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package telegram

import (
	"testing"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// onEveryDatabase runs a test in a bubble, in a world whose store is in SQLite: the others' servers are started on Linux.
func onEveryDatabase(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { inBubble(t, sim.Limits{}, test) })
}
