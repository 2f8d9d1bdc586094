// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// order is what SOAK and its like ask for.
type order struct {
	size  size
	full  bool
	lasts time.Duration
	seed  uint64
	dsn   string
}

func readOrder(t *testing.T) order {
	t.Helper()
	o := order{size: shortSize, seed: rand.Uint64() >> 1, dsn: os.Getenv("SOAK_DSN")}
	if s := os.Getenv("SOAK"); s != "" {
		o.size, o.full = fullSize, true
		if s != "full" {
			var err error
			o.lasts, err = time.ParseDuration(s)
			must(t, err)
		}
	}
	if s := os.Getenv("SOAK_SEED"); s != "" {
		var err error
		o.seed, err = strconv.ParseUint(s, 10, 64)
		must(t, err)
	}
	if os.Getenv("SOAK_DATABASE") == "postgres" && o.dsn == "" {
		o.dsn = pgtest.Database(t)
	}
	return o
}

func TestNothingIsLost(t *testing.T) {
	for _, protocol := range []string{simsite.ProtocolV1, simsite.ProtocolV2} {
		t.Run(protocol, func(t *testing.T) { nothingIsLost(t, readOrder(t), protocol) })
	}
}

func nothingIsLost(t *testing.T, o order, protocol string) {
	t.Logf("seed %d: SOAK_SEED=%d repeats this run", o.seed, o.seed)
	w := newOffice(t, o.dsn, o.seed)
	must(t, w.site.SetProtocol(protocol))
	w.v2 = protocol == simsite.ProtocolV2
	t.Logf("topics: %s", w.topics)
	if !w.disk {
		t.Log("the disk is not filled: this machine allows no mount namespaces, or the state is in a database")
	}
	seen := newWatch(w.telegram)
	site := &siteFeedback{w: w, seen: seen, dice: lane(o.seed, "feedback", 0)}
	book := &ledger{histories: map[string]*history{}}
	sabot := &saboteur{w: w, dice: lane(o.seed, "telegram", 0), hits: map[telegram.FaultKind]int64{}}
	count := map[fault]int{}

	began := time.Now()
	w.startBot()
	for round := 0; round == 0 || time.Since(began) < o.lasts; round++ {
		crowd := func(stop <-chan struct{}) {
			var all sync.WaitGroup
			all.Go(func() { newStaff(w, book, seen, o.seed, round).work(stop) })
			for i := range o.size.people {
				all.Go(func() {
					if p := newPerson(w, book, o.seed, round*1000+i, stop); isOutlaw(p.user.ID) {
						p.offend(seen)
					} else {
						p.live(seen)
					}
				})
			}
			all.Wait()
		}
		c := &conductor{w: w, site: site, book: book, sabot: sabot, count: count}
		runRound(c, plan(o.seed, round, o.size), o.full, crowd)
		j := &judge{w: w, site: site, book: book, seen: seen, tolerable: w.kills + sabot.lost, tolerableTopics: w.kills + sabot.lostTopics}
		last := time.Since(began) >= o.lasts || w.failing()
		j.settle(began, count, last)
		if w.failing() {
			break
		}
	}
	w.report()
}

// runRound has everybody at work while the plan is played, and until they have ended what they began.
func runRound(c *conductor, steps []step, full bool, crowd func(stop <-chan struct{})) {
	stop, over := make(chan struct{}), make(chan struct{})
	c.stop = over
	var people, others sync.WaitGroup
	people.Go(func() { crowd(stop) })
	others.Go(func() {
		for wait(over, 50*time.Millisecond) {
			c.site.seen.scan()
		}
	})
	others.Go(func() {
		for wait(over, time.Second) {
			c.site.insist()
		}
	})
	quiet := make(chan struct{})
	var trouble sync.WaitGroup
	trouble.Go(func() { c.sabot.run(quiet) })
	c.play(steps, full)
	close(stop)
	people.Wait()
	close(quiet)
	trouble.Wait()
	j := &judge{w: c.w, site: c.site, book: c.book, seen: c.site.seen}
	pollEvery(500*time.Millisecond, 3*time.Minute*slowness, func() bool {
		n, _ := j.missing()
		return n == 0 && c.w.telegram.Stats().PendingUpdates == 0 && c.w.idle()
	})
	close(over)
	others.Wait()
	c.site.seen.scan()
	c.site.insist()
}

// settle stops the bot, judges, says what happened, and starts it again for another round.
func (j *judge) settle(began time.Time, count map[fault]int, last bool) {
	if n, first := j.missing(); n > 0 {
		j.w.fail("%d things did not come, even when all faults had ended: first %s", n, first)
	}
	if !j.w.running().ended() {
		j.w.stopBot()
	}
	j.all()
	j.judgeStore()
	j.judgeLog()
	s := j.w.site.Stats()
	j.w.t.Logf("after %s: %d feedbacks, %d conversations, %d additions, %d replies, tickets with statuses: %d, presses answered: %d of %d",
		time.Since(began).Round(time.Second), len(j.site.all), len(j.book.conversations), len(j.book.additions), len(j.book.replies),
		len(j.book.histories), j.answered(), len(j.book.presses))
	j.w.t.Logf("faults: %v, kills in all %d, connections %d, feedback sent again %d times, results that came again %d",
		count, j.w.kills, s.Connections, j.site.again, s.Repeated)
	j.w.t.Logf("of Telegram: %v, of them answers lost %d", j.w.telegram.Stats().Faults, j.tolerable-j.w.kills)
	j.w.t.Logf("repeats, at most %d a chat: tickets %d, messages %d, files %d; not judged, for a person used one of two copies: %d",
		j.tolerable, j.repeatedPosts, j.repeatedMessages, j.repeatedCopies, j.unclear)
	j.w.t.Logf("topics %d, messages of the banned %d, replies that the staff was told are lost %d", len(j.w.telegram.Topics(group)), j.book.outlawed, len(j.seen.lost))
	if j.w.v2 {
		j.w.t.Logf("the site was told %d things besides results", len(j.told()))
	}
	if !last {
		j.w.startBot()
	}
}

func (j *judge) answered() (n int) {
	for _, id := range j.book.presses {
		if _, ok := j.w.telegram.CallbackAnswer(id); ok {
			n++
		}
	}
	return n
}
