// SPDX-License-Identifier: Apache-2.0

package django

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// fault is what befalls a part of the way from the site's database to the group.
type fault struct {
	part, name   string
	strike, mend func(*world)
}

var faults = []fault{
	{"site", "site killed", func(w *world) { must(w.t, w.site.Kill()) }, (*world).startSite},
	{"Redis", "Redis killed", func(w *world) { must(w.t, w.redis.Kill()) }, (*world).startRedis},
	{"bot", "bot killed", (*world).killBot, func(w *world) { must(w.t, w.bot.Start()) }},
	{"network", "network cut", func(w *world) { w.proxy.Cut() }, func(w *world) { w.proxy.Heal() }},
	{"network", "network silent", func(w *world) { w.proxy.Freeze() }, func(w *world) { w.proxy.Heal() }},
	{"Redis", "Redis hangs", func(w *world) { must(w.t, w.redis.Pause()) }, func(w *world) { must(w.t, w.redis.Resume()) }},
}

// pairs are all pairs of faults of two parts. In the full form they come in both orders, and Redis may also hang.
func pairs(full bool) (all [][2]fault) {
	for i, a := range faults {
		for j, b := range faults {
			short := i < j && j < len(faults)-1
			if a.part != b.part && (full || short) {
				all = append(all, [2]fault{a, b})
			}
		}
	}
	return all
}

// Whatever two parts fail while feedback is being created, in transactions of which some are rolled back: each feedback that was
// committed ends as one ticket and is confirmed, and none that was rolled back ever appears. MATRIX=full is 1,000 feedbacks in each pair, in
// both orders, instead of 100 in all, and takes 20 minutes.
func TestKillMatrix(t *testing.T) {
	full := os.Getenv("MATRIX") == "full"
	each, rate := 12, 30
	if full {
		each, rate = 1000, 250
	}
	for _, protocols := range []string{"v1", "v2,v1"} {
		t.Run(protocols, func(t *testing.T) {
			p := plan{kind: Portal, flags: []string{"--ping-interval", "1", "--ping-timeout", "2"}}
			p.settings.More = []string{"FEEDBACK_BRIDGE_PROTOCOLS=" + protocols}
			if protocols != "v1" || full {
				p.settings.Database = pgtest.Database(t)
			}
			w := newWorld(t, p)
			var outcomes []outcome
			for i, pair := range pairs(full) {
				if i > 0 { // a new bot: connections that never live a minute have the old one wait longer and longer between dials
					must(t, w.bot.End(syscall.SIGTERM))
				}
				w.connected()
				t.Logf("%s, then %s", pair[0].name, pair[1].name)
				outcomes = append(outcomes, w.suffer(pair, 1+i*each, each, rate)...)
			}
			judge(t, outcomes, w.ledger(patience), w.telegram.Messages(group), w.botKills)
			committed := len(slices.DeleteFunc(slices.Clone(outcomes), func(o outcome) bool { return !o.Committed }))
			if committed < len(outcomes)/2 || committed == len(outcomes) {
				t.Errorf("%d of %d were committed: that is no test of both", committed, len(outcomes))
			}
			t.Logf("%d feedbacks committed, %d not; the bot was killed %d times", committed, len(outcomes)-committed, w.botKills)
		})
	}
}

// suffer has a pair of faults befall the way in the middle of a burst, the second one while the first one lasts.
func (w *world) suffer(pair [2]fault, first, count, rate int) []outcome {
	w.t.Helper()
	b := w.begin(first, count, "--rate", fmt.Sprint(rate))
	w.until("a third of the burst", func() bool { return b.over() >= count/3 })
	pair[0].strike(w)
	w.until("two thirds of the burst", func() bool { return b.over() >= count*2/3 })
	pair[1].strike(w)
	outcomes := b.finish(w.t, count, patience)
	pair[0].mend(w)
	pair[1].mend(w)
	w.until(fmt.Sprintf("the group has what was committed (%s, %s)", pair[0].name, pair[1].name), func() bool {
		return w.lacks(outcomes) == 0
	})
	return outcomes
}

// lacks is how many of the committed feedbacks have no post.
func (w *world) lacks(outcomes []outcome) (n int) {
	there := map[string]bool{}
	for _, m := range w.telegram.Messages(group) {
		there[markOf.FindString(m.Text)] = true
	}
	for _, o := range outcomes {
		if o.Committed && !there[o.mark()] {
			n++
		}
	}
	return n
}
