// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// callTimeout bounds a call; lastCall bounds what is left of it when the bot is to stop.
const (
	callTimeout = 30 * time.Second
	lastCall    = 4 * time.Second
)

// delivery is one claimed job on its way to Telegram.
type delivery struct {
	api   *api
	cfg   *Config
	job   *store.Job
	forum *forum // of the job's chat
	staff bool   // it goes to a chat of the staff's

	parts []string // of a post; rendered when first needed
	sent  int      // parts that Telegram has
	first accepted
	more  []int64
	at    time.Time // of the first

	unsure  bool // the part that comes next may be there already
	repeats bool // ... and so may each that follows it
	apart   bool // the first part stands in a group that became a supergroup meanwhile

	thread   int64 // the topic that was made on the way
	justMade bool  // ... by the last step
	noTopic  bool  // it goes to no topic, for there is none to be had
	nobody   bool  // Telegram refuses because of the person

	plainly    bool // a file goes as a document, whatever it is
	unanswered int  // calls for a file that may have been carried out
}

func newDelivery(c *chat, job *store.Job) *delivery {
	d := &delivery{api: c.api, cfg: c.cfg, job: job, forum: &c.forum, staff: c.staff}
	if job.Kind == store.JobPost && len(job.Payload) > 0 {
		d.resume()
	}
	return d
}

// step makes the next call of the job; finished is whether it was the last.
func (d *delivery) step(ctx context.Context) (finished bool, err error) {
	ctx, cancel := callContext(ctx)
	defer cancel()
	d.justMade = false
	if d.wantsTopic() {
		return false, d.makeTopic(ctx)
	}
	switch d.job.Kind {
	case store.JobPost:
		return d.postNext(ctx)
	case store.JobEdit:
		return true, d.edit(ctx)
	case store.JobMessage:
		return true, d.send(ctx)
	case store.JobCopy:
		return true, d.copy(ctx)
	case store.JobFile:
		return true, d.sendFile(ctx)
	case store.JobTopic:
		return true, d.toggleTopic(ctx)
	}
	return false, errBadJob
}

// errBadJob is a job that this version of the bot does not understand: another one may have left it behind.
var errBadJob = errors.New("this version of the bot does not understand the job")

// callContext outlives the bot's own context for a moment: a call that was begun had better be ended and recorded.
func callContext(ctx context.Context) (context.Context, context.CancelFunc) {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(lastCall, cancel)
		context.AfterFunc(call, func() { timer.Stop() })
	})
	return call, func() { stop(); cancel() }
}

func (d *delivery) send(ctx context.Context) error {
	p, err := decodePayload(d.job.Payload)
	if err != nil {
		return err
	}
	if d.job.MaybeSent {
		p = p.repeated(d.texts(p), ticket.MaxUnits)
	}
	return d.call(ctx, "sendMessage", p.message(d.job))
}

// texts are those of whom a message is for.
func (d *delivery) texts(p payload) *ticket.Catalog {
	return ticket.Texts(cmp.Or(p.Language, d.cfg.Language))
}

func (d *delivery) copy(ctx context.Context) error {
	var p payload
	if len(d.job.Payload) > 0 {
		var err error
		if p, err = decodePayload(d.job.Payload); err != nil {
			return err
		}
	}
	if d.job.MaybeSent && p.Text != "" { // what keeps the words that it has keeps them alone
		p = p.repeated(d.texts(p), maxCaption)
	}
	return d.call(ctx, "copyMessage", p.copy(d.job))
}

func (d *delivery) edit(ctx context.Context) error {
	p, err := decodePayload(d.job.Payload)
	if err != nil {
		return err
	}
	var answer struct{} // the message, or true
	method := "editMessageText"
	if p.Caption {
		method = "editMessageCaption"
	}
	if err := d.api.call(ctx, method, p.edit(d.job), &answer); err != nil {
		return err
	}
	d.first.MessageID, d.at = d.job.MessageID, time.Now()
	return nil
}

// call sends a message and counts it.
func (d *delivery) call(ctx context.Context, method string, params any) error {
	m, err := d.api.deliver(ctx, method, params)
	if err != nil {
		return err
	}
	if d.sent == 0 {
		d.first, d.at = m, m.at()
	} else {
		d.more = append(d.more, m.MessageID)
	}
	d.sent++
	return nil
}

// outcome is how the job ended.
func (d *delivery) outcome(kind store.OutcomeKind) *store.Outcome {
	return &store.Outcome{Seq: d.job.Seq, Kind: kind, ThreadID: d.thread}
}

// accepted is the outcome of a job that Telegram took.
func (d *delivery) accepted() *store.Outcome {
	o := d.outcome(store.Sent)
	o.MessageID, o.MoreMessages, o.At = d.first.MessageID, d.more, d.at
	return o
}

// refused is the outcome of a job that Telegram will never take.
func (d *delivery) refused(why string) *store.Outcome {
	o := d.outcome(store.Refused)
	o.Failure, o.Unreachable, o.At = why, d.nobody, time.Now()
	return o
}

// released is the outcome of a job that Telegram has certainly not taken; nil where that is not certain. An edit may as
// well be made twice.
func (d *delivery) released() *store.Outcome {
	if d.sent > 0 || d.job.MaybeSent && d.job.Kind != store.JobEdit && d.job.Kind != store.JobTopic {
		return nil
	}
	return d.outcome(store.Released)
}

// routed is the outcome of a job that has got its topic, so that no crash leaves one that nobody knows of; nil where the job has to
// go on as it is.
func (d *delivery) routed() *store.Outcome {
	if o := d.released(); o != nil || d.sent > 0 {
		return o
	}
	return d.outcome(store.Unsure)
}

// moved is the outcome of a job whose group has become a supergroup; nil where some of it was sent already.
func (d *delivery) moved(to int64) *store.Outcome {
	if d.sent > 0 {
		d.job.ChatID, d.job.ThreadID, d.noTopic, d.apart = to, 0, true, true
		return nil
	}
	o := d.outcome(store.Migrated)
	if o.NewChatID = to; d.job.MaybeSent {
		o.Seq = 0 // it stays claimed, so that it says of itself that it may be a repeat
	}
	return o
}

// judge reads the error of a step, nil for none. A message to a person who does not want it is refused for good, and so is what not
// even the bot understands. From a verdict that is not certain on, the job may have been sent.
func (d *delivery) judge(ctx context.Context, err error) verdict {
	if err == nil {
		return verdict{done: true}
	}
	if errors.Is(err, errBadJob) {
		return verdict{final: true, message: err.Error()}
	}
	v := judge(err, d.job.ChatID)
	switch {
	case d.isOthersMove(v):
		return d.judgeOthersMove(v)
	case v.topic != topicFine:
		return d.judgeTopic(v)
	case d.job.Kind == store.JobTopic && (v.final || v.reason == v1alpha1.ReasonNoRights):
		return d.judgeTopic(v)
	case d.wantsTopic() && v.final: // Telegram refuses the topic, not what was to go there
		return d.judgeTopic(verdict{topic: topicBarred})
	case d.isPersonal(ctx, v):
		d.nobody = d.job.ChatID > 0 && (v.person || d.job.Kind != store.JobCopy) // of a copy either chat may be gone
		return verdict{final: true, message: v.message}
	}
	if v.maybe {
		d.mayBeThere()
	}
	if d.job.Kind == store.JobFile {
		return d.judgeFile(ctx, v)
	}
	return v
}

// isPersonal tells whether a refusal is about one person or message, and will not be mended by anybody: everything in a chat that is
// not the staff's, and of a copy to the staff what is wrong with the chat that it comes from.
func (d *delivery) isPersonal(ctx context.Context, v verdict) bool {
	if v.reason != v1alpha1.ReasonNoRights && v.reason != v1alpha1.ReasonChatNotFound {
		return false
	}
	switch {
	case !d.staff && d.job.Kind != store.JobPost:
		return true
	case d.job.Kind != store.JobCopy:
		return false
	case v.person:
		return true
	}
	if v.reason != v1alpha1.ReasonChatNotFound {
		return false
	}
	_, err := d.api.chat(ctx, d.job.ChatID) // which of the two chats is it?
	return err == nil
}
