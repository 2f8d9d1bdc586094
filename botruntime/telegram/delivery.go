// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

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
	api  *api
	show ticket.Options
	job  *store.Job

	parts     []string // of a post; rendered when first needed
	sent      int      // parts that Telegram has
	messageID int
	at        time.Time
}

// step makes the next call of the job; finished is whether it was the last.
func (d *delivery) step(ctx context.Context) (finished bool, err error) {
	ctx, cancel := callContext(ctx)
	defer cancel()
	switch d.job.Kind {
	case store.JobPost:
		return d.postNext(ctx)
	case store.JobEdit:
		return true, d.edit(ctx)
	case store.JobMessage:
		return true, d.send(ctx)
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

func (d *delivery) postNext(ctx context.Context) (finished bool, err error) {
	if d.parts == nil {
		show := d.show
		show.MaybeRepeat = d.job.MaybeSent
		d.parts = ticket.Render(d.job.Ticket, show)
	}
	params := d.params(payload{Text: d.parts[d.sent], HTML: true})
	if d.sent == 0 {
		params.ReplyMarkup = keyboard(d.job.Ticket.ID, d.show.Texts)
	} else {
		params.ReplyParameters = &models.ReplyParameters{MessageID: d.messageID, AllowSendingWithoutReply: true}
	}
	if err := d.call(ctx, params); err != nil {
		return false, err
	}
	return d.sent == len(d.parts), nil
}

func (d *delivery) send(ctx context.Context) error {
	p, err := decodePayload(d.job.Payload)
	if err != nil {
		return err
	}
	return d.call(ctx, d.params(p))
}

func (d *delivery) params(p payload) *bot.SendMessageParams {
	return &bot.SendMessageParams{
		ChatID: d.job.ChatID, Text: p.Text, ParseMode: p.parseMode(), Entities: p.Entities, ReplyMarkup: p.markup(),
		LinkPreviewOptions: &models.LinkPreviewOptions{IsDisabled: bot.True()},
	}
}

// call sends a message and counts it.
func (d *delivery) call(ctx context.Context, params *bot.SendMessageParams) error {
	ctx, body := keepAnswer(ctx)
	_, err := d.api.bot().SendMessage(ctx, params)
	answer, ok := readAcceptance(*body)
	if err != nil && !ok {
		return err
	}
	if d.sent == 0 {
		d.messageID, d.at = answer.Result.MessageID, time.Unix(answer.Result.Date, 0)
	}
	d.sent++
	return nil
}

func (d *delivery) edit(ctx context.Context) error {
	p, err := decodePayload(d.job.Payload)
	if err != nil {
		return err
	}
	_, err = d.api.bot().EditMessageText(ctx, &bot.EditMessageTextParams{
		ChatID: d.job.ChatID, MessageID: int(d.job.MessageID), Text: p.Text, ParseMode: p.parseMode(), Entities: p.Entities,
		ReplyMarkup: p.markup(), LinkPreviewOptions: &models.LinkPreviewOptions{IsDisabled: bot.True()},
	})
	if err != nil {
		return err
	}
	d.messageID, d.at = int(d.job.MessageID), time.Now()
	return nil
}

// accepted is the outcome of a job that Telegram took.
func (d *delivery) accepted() *store.Outcome {
	return &store.Outcome{Seq: d.job.Seq, Kind: store.Sent, MessageID: int64(d.messageID), At: d.at}
}

// refused is the outcome of a job that Telegram will never take.
func (d *delivery) refused(why string) *store.Outcome {
	return &store.Outcome{Seq: d.job.Seq, Kind: store.Refused, At: time.Now(), Failure: why}
}

// released is the outcome of a job that Telegram has certainly not taken; nil where that is not certain. An edit may as
// well be made twice.
func (d *delivery) released() *store.Outcome {
	if d.sent > 0 || d.job.MaybeSent && d.job.Kind != store.JobEdit {
		return nil
	}
	return &store.Outcome{Seq: d.job.Seq, Kind: store.Released}
}

// judge reads the error of a step, nil for none. A message to a person who does not want it is refused for good, and so is what not
// even the bot understands. From a verdict that is not certain on, the job may have been sent.
func (d *delivery) judge(err error) verdict {
	if err == nil {
		return verdict{done: true}
	}
	if errors.Is(err, errBadJob) {
		return verdict{final: true, message: err.Error()}
	}
	v := judge(err, d.job.ChatID)
	if d.job.Kind == store.JobMessage && (v.reason == v1alpha1.ReasonNoRights || v.reason == v1alpha1.ReasonChatNotFound) {
		return verdict{final: true, message: v.message}
	}
	if v.maybe && d.sent == 0 && !d.job.MaybeSent {
		d.job.MaybeSent, d.parts = true, nil
	}
	return v
}
