// SPDX-License-Identifier: Apache-2.0

package django

import (
	"slices"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// BenchmarkLatency measures the way of a feedback: from the commit in the site's database, through the outbox, Redis, the consumer, the
// WebSocket and the bot's store, to Telegram's acceptance of the post; 20 a second. Its figures stand in docs/performance.md.
func BenchmarkLatency(b *testing.B) {
	for _, protocols := range []string{"v1", "v2"} {
		b.Run(protocols, func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				all = append(all, latencies(b, protocols, 400)...)
			}
			slices.Sort(all)
			for name, share := range map[string]float64{"p50": 0.5, "p99": 0.99} {
				b.ReportMetric(float64(all[int(share*float64(len(all)-1))].Microseconds())/1000, name+"-ms")
			}
			b.ReportMetric(0, "ns/op") // it is the pace of the burst
		})
	}
}

func latencies(b *testing.B, protocols string, count int) (all []time.Duration) {
	b.Helper()
	w := newWorld(b, plan{kind: Portal, settings: Settings{Database: pgtest.Database(b), More: []string{"FEEDBACK_BRIDGE_PROTOCOLS=" + protocols}}})
	w.connected()
	outcomes := w.begin(1, count, "--rate", "20", "--plain").finish(b, count, time.Minute)
	w.until("everything is posted", func() bool { return w.lacks(outcomes) == 0 })
	accepted := map[string]time.Time{}
	for _, m := range w.telegram.Messages(group) {
		accepted[markOf.FindString(m.Text)] = m.Date
	}
	for _, o := range outcomes[20:] { // the first ones warm up
		all = append(all, accepted[o.mark()].Sub(time.UnixMicro(int64(o.At*1e6))))
	}
	w.end()
	return all
}
