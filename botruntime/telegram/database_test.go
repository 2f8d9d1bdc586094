// SPDX-License-Identifier: Apache-2.0

//go:build linux

package telegram

import (
	"os"
	"testing"
	"testing/synctest"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store/storetest"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onEveryDatabase runs a test in bubbles, in worlds whose stores are in each kind of database.
func onEveryDatabase(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, db := range storetest.Databases() {
		t.Run(db.Name, func(t *testing.T) {
			base := db.Options(t) // outside: a server that is started for it outlives the bubble
			synctest.Test(t, func(t *testing.T) {
				w := newWorldIn(t, sim.Limits{}, base)
				defer w.end()
				test(t, w)
			})
		})
	}
}
