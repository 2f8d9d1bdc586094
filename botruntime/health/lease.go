// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// Pace is how soon a bot that fell silent is found out, against how often a live one writes to the API server.
type Pace struct {
	// Duration is how long a bot that stopped renewing is still taken for the active one.
	Duration time.Duration
	// Renew is how often a bot renews its lease, Retry how often it tries again, and how often one that waits looks.
	Renew, Retry time.Duration
}

var (
	// Calm is for a bot that nobody stands by for: its pod has to be made anew, which takes longer.
	Calm = Pace{Duration: 30 * time.Second, Renew: 10 * time.Second, Retry: 2 * time.Second}
	// Brisk is for a bot that another may stand by for.
	Brisk = Pace{Duration: 10 * time.Second, Renew: 3 * time.Second, Retry: time.Second}
)

const (
	// changeInterval is how soon after a write a changed state is written: one that flaps must not flood the API server.
	changeInterval = time.Second
	// countersInterval is how often counters that changed are written when no state did.
	countersInterval = 30 * time.Second
	// releaseTimeout bounds the goodbye of a bot that ends.
	releaseTimeout = 2 * time.Second
)

// ErrLeaseLost means that another bot took the lease: this one must stop.
var ErrLeaseLost = errors.New("another bot holds the lease now")

// Lease is the bot's Lease: who is active, that it lives, and its report.
type Lease struct {
	client   *leaseClient
	identity string
	pace     Pace
	tracker  *Tracker
	now      func() time.Time
	log      *slog.Logger

	seen      *coordinationv1.Lease // as the API server last showed it; nil: ask again
	written   v1alpha1.BotReport
	writtenAt time.Time
}

// LeaseName says which Lease it is, who holds it, and by which account.
type LeaseName struct {
	Namespace, Name string
	// Identity names the pod.
	Identity string
	// ServiceAccount is the directory with the pod's token and the API server's certificate, such as ServiceAccountDir.
	ServiceAccount string
	// Pace is Calm or Brisk.
	Pace Pace
}

// NewLease is the Lease of a bot in a pod.
func NewLease(of LeaseName, tracker *Tracker, now func() time.Time, log *slog.Logger) (*Lease, error) {
	client, err := inClusterClient(of.ServiceAccount, of.Namespace, of.Name)
	if err != nil {
		return nil, err
	}
	// A call that hangs must leave time for another one before the lease runs out.
	client.http.Timeout = min(apiTimeout, of.Pace.Duration*2/5)
	return &Lease{client: client, identity: of.Identity, pace: of.Pace, tracker: tracker, now: now, log: log}, nil
}

// Acquire waits until the lease is this bot's. A holder is given up when its lease did not change for its duration by
// this bot's own clock, so that skewed clocks don't matter.
func (l *Lease) Acquire(ctx context.Context) error {
	var seen observation
	for {
		lease, err := l.client.get(ctx)
		if err == nil {
			if seen.free(lease, l.identity, l.now()) {
				l.tracker.inherit(lease.Annotations[v1alpha1.AnnotationReport])
				if err = l.write(ctx, lease); err == nil {
					return nil
				}
			}
		}
		if err != nil && ctx.Err() == nil {
			l.log.Warn("waiting for the lease", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(l.pace.Retry):
		}
	}
}

// observation is what a bot that waits has seen of the holder.
type observation struct {
	version string
	at      time.Time
}

// free says whether a lease may be taken.
func (o *observation) free(lease *coordinationv1.Lease, identity string, now time.Time) bool {
	holder := lease.Spec.HolderIdentity
	if holder == nil || *holder == "" || *holder == identity {
		return true
	}
	if lease.ResourceVersion != o.version {
		o.version, o.at = lease.ResourceVersion, now
	}
	duration := Calm.Duration
	if s := lease.Spec.LeaseDurationSeconds; s != nil {
		duration = time.Duration(*s) * time.Second
	}
	return now.Sub(o.at) >= duration
}

// Keep renews an acquired lease and writes the report until ctx ends; then it releases the lease, if it can: otherwise the
// lease runs out. While the API server cannot be reached the bot works on. ErrLeaseLost ends it.
func (l *Lease) Keep(ctx context.Context) error {
	renew := time.NewTimer(l.pace.Renew)
	defer renew.Stop()
	changed := l.tracker.Changed() // nil for a changeInterval after each write
	rest := time.NewTimer(changeInterval)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := l.release(context.WithoutCancel(ctx)); err != nil {
				l.log.Warn("the lease is not released; another bot waits until it has run out", "error", err)
			}
			return nil
		case <-rest.C:
			changed = l.tracker.Changed()
			continue
		case <-changed:
		case <-renew.C:
		}
		interval := l.pace.Renew
		switch err := l.renew(ctx); {
		case errors.Is(err, ErrLeaseLost):
			return err
		case err != nil && ctx.Err() == nil:
			l.log.Warn("renew the lease", "error", err)
			interval = l.pace.Retry
		}
		renew.Reset(interval)
		changed = nil
		rest.Reset(changeInterval)
	}
}

func (l *Lease) renew(ctx context.Context) error {
	if l.seen == nil {
		lease, err := l.client.get(ctx)
		if err != nil {
			return err
		}
		if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" && *holder != l.identity {
			return ErrLeaseLost
		}
		l.seen = lease
	}
	err := l.write(ctx, l.seen)
	if errors.Is(err, errConflict) {
		return l.renew(ctx)
	}
	return err
}

// write renews the lease, and with it the report where it is due.
func (l *Lease) write(ctx context.Context, seen *coordinationv1.Lease) error {
	l.seen = nil
	now := l.now()
	patch := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{ResourceVersion: seen.ResourceVersion}}
	patch.Spec = coordinationv1.LeaseSpec{
		HolderIdentity:       &l.identity,
		LeaseDurationSeconds: new(int32(l.pace.Duration.Seconds())),
		RenewTime:            new(metav1.NewMicroTime(now)),
	}
	if holder := seen.Spec.HolderIdentity; holder == nil || *holder != l.identity {
		patch.Spec.AcquireTime = patch.Spec.RenewTime
		transitions := int32(1)
		if n := seen.Spec.LeaseTransitions; n != nil {
			transitions += *n
		}
		patch.Spec.LeaseTransitions = &transitions
	}
	report := l.tracker.Report()
	// A lease that was deleted and made anew has none.
	due := seen.Annotations[v1alpha1.AnnotationReport] == "" || reportDue(l.written, report, now.Sub(l.writtenAt))
	if due {
		data, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("encode the report: %w", err)
		}
		patch.Annotations = map[string]string{v1alpha1.AnnotationReport: string(data)}
	}
	lease, err := l.client.patch(ctx, patch)
	if err != nil {
		return err
	}
	l.seen = lease
	if due {
		l.written, l.writtenAt = report, now
	}
	return nil
}

// reportDue says whether a report has to be written: a changed state at once, changed counters at their interval.
func reportDue(written, report v1alpha1.BotReport, since time.Duration) bool {
	if equalJSON(written, report) {
		return false
	}
	return since >= countersInterval || !equalJSON(states(written), states(report))
}

// states is a report without its counters. The key that the site signs with is among these: a site with several workers
// may take turns; the first use of a key is a state. So is when a token was accepted: sites end connections that are old. Of
// a store's trouble, the words may change with every try.
func states(r v1alpha1.BotReport) v1alpha1.BotReport {
	r.Tickets, r.FramesRefused, r.Reconnects, r.SiteKeyID, r.JWTAcceptedAt = v1alpha1.TicketsStatus{}, nil, 0, "", nil
	r.HMACKeysUsed = slices.Clone(r.HMACKeysUsed)
	for i := range r.HMACKeysUsed {
		r.HMACKeysUsed[i].Last = metav1.Time{}
	}
	if r.Refusing != nil {
		r.Refusing = &v1alpha1.RefusalReport{Since: r.Refusing.Since}
	}
	if r.Storage != nil {
		r.Storage = &v1alpha1.StorageReport{Reason: r.Storage.Reason, Since: r.Storage.Since}
	}
	return r
}

func equalJSON(a, b v1alpha1.BotReport) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// release gives the lease up, so that another bot need not wait for it.
func (l *Lease) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	lease, err := l.client.get(ctx)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if holder := lease.Spec.HolderIdentity; holder == nil || *holder != l.identity {
		return nil
	}
	_, err = l.client.patch(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: lease.ResourceVersion},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new(string)},
	})
	return err
}
