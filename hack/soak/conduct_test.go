// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"time"
)

// conductor leads through a plan.
type conductor struct {
	w     *world
	site  *siteFeedback
	book  *ledger
	sabot *saboteur
	stop  <-chan struct{}
	count map[fault]int
}

// play does one step after the other. It gives up where the bot does not come back.
func (c *conductor) play(steps []step, full bool) {
	connections := c.connections()
	for i, s := range steps {
		if !s.early && !c.back(connections) {
			c.w.fail("step %d: the bot does not connect\n%s", i, tail(c.w.logFile()))
			return
		}
		if full && i == len(steps)/3 {
			c.sabot.timeOut(c.stop)
		}
		c.site.send(s.feedback)
		if !wait(c.stop, s.after) {
			return
		}
		if bot := c.w.running(); bot.ended() {
			c.w.fail("step %d: the bot ended by itself: %v\n%s", i, bot.err, tail(c.w.logFile()))
			c.w.startBot()
		}
		if s.fault != faultDiskFull || c.w.disk {
			connections = c.befall(s)
		}
	}
	if !c.back(connections) {
		c.w.fail("in the end the bot does not connect\n%s", tail(c.w.logFile()))
	}
}

// befall has the fault happen. It returns how many connections the bot had made until then.
func (c *conductor) befall(s step) (connections int64) {
	c.count[s.fault]++
	switch s.fault {
	case faultKill:
		c.w.kill()
		connections = c.connections()
		wait(nil, s.down)
		c.w.startBot()
		return connections
	case faultDiskFull:
		c.site.send(50)
		c.w.sufferFullDisk()
		return 0 // it may have connected since
	case faultMigrate:
		c.w.migrate(c.book)
		return 0
	}
	connections = c.connections()
	switch s.fault {
	case faultClose:
		c.w.site.CloseConnections(s.code, "soak")
	case faultReset:
		c.w.site.Drop()
	case faultHalfOpen:
		c.w.site.Freeze()
	}
	return connections
}

// back waits until the bot has connected once more.
func (c *conductor) back(connections int64) bool {
	return poll(45*time.Second*slowness, func() bool { return c.connections() > connections })
}

func (c *conductor) connections() int64 { return c.w.site.Opened() }
