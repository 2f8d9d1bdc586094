// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"testing"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// database is one that conversations are tested on.
type database struct{ name string }

// databases are those that are there to be tested on.
func databases(*testing.T) []database { return []database{{name: "sqlite"}} }

// onDatabase runs a test in a bubble, in a world whose store is in a database.
func onDatabase(t *testing.T, _ database, test func(t *testing.T, w *world)) {
	inBubble(t, sim.Limits{}, test)
}
