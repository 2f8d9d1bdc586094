// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

func TestWhatAnEarlierBotLeftIsTakenOverOnce(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 0)) // ticket_site_1
		legacy := Legacy{Counters: map[ticket.Source]int64{ticket.SourceSite: 41, ticket.SourceTelegram: 7}, Uses: []LegacyUse{
			{PersonID: author, At: epoch.Add(-time.Minute)}, {PersonID: author, At: epoch.Add(-2 * time.Minute)},
			{PersonID: author, At: epoch.Add(time.Minute)}, {PersonID: author, At: epoch.Add(-LegacyWindow)}}}
		for want := 2; want >= 0; want -= 2 {
			got, err := s.Import(t.Context(), legacy)
			if diff := cmp.Diff(Imported{Counters: legacy.Counters, Uses: want}, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		}
		admit(t, s, request("b", 0))
		if name := addDirectBehind(t, s); name != "ticket_tg_8" {
			t.Errorf("the next ticket of Telegram: %s", name)
		}
		older := Legacy{Counters: map[ticket.Source]int64{ticket.SourceSite: 5}}
		if got, err := s.Import(t.Context(), older); err != nil || got.Counters[ticket.SourceSite] != 42 {
			t.Errorf("a counter that would go back: %+v %v", got, err)
		}
		inTx(t, s, func(tx Tx) error {
			if ok, _, err := tx.Take(LimitFeedback, author, Limit{Uses: 3, Window: 10 * time.Minute}, epoch); !ok || err != nil {
				t.Errorf("the third within the window: %v %v", ok, err)
			}
			ok, next, err := tx.Take(LimitFeedback, author, Limit{Uses: 3, Window: 10 * time.Minute}, epoch)
			if ok || !next.Equal(epoch.Add(8*time.Minute)) {
				t.Errorf("the fourth: %v %v", ok, next)
			}
			return err
		})
	})
}

// addDirectBehind adds a ticket of a direct message that waits.
func addDirectBehind(t testing.TB, s *Store) (name string) {
	t.Helper()
	inTx(t, s, func(tx Tx) (err error) {
		name, err = tx.AddTicket(direct("text"), epoch)
		return err
	})
	return name
}
