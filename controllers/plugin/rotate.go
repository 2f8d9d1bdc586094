// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// fieldManager owns the annotation that rotate writes.
const fieldManager = "kubectl-feedbackbridge"

type rotateOptions struct {
	force, wait bool
	timeout     time.Duration
}

func rotateCommand(connect connector) *cobra.Command {
	var flags connectFlags
	o := rotateOptions{}
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Replace the keys that the operator makes for a bridge, without an outage",
		Long: "Replace the keys that the operator makes for a bridge, and renew its token, without an outage: a new key is used once the site is seen to use it.\n\n" +
			"It sets the annotation " + v1alpha1.AnnotationRotateNow + ". While a rotation runs, another one is refused unless it is forced: the key that was to be next then takes the place of the previous one.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := connect(&flags, cmd)
			if err != nil {
				return err
			}
			return s.rotate(cmd.Context(), args[0], o)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&o.force, "force", false, "even while a rotation runs")
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until the new keys are in use, and print each phase")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait")
	return cmd
}

func (s *session) rotate(ctx context.Context, name string, o rotateOptions) error {
	before, err := s.bridge(ctx, name)
	if err != nil {
		return err
	}
	p := planRotation(before)
	for _, how := range p.yours {
		fmt.Fprintln(s.out, how)
	}
	if p.empty() {
		return errors.New("there is nothing that the operator makes for this bridge, so nothing was changed")
	}
	value := s.now().UTC().Format(time.RFC3339)
	if o.force {
		value = v1alpha1.RotateForce + "-" + value
	}
	if before.Annotations[v1alpha1.AnnotationRotateNow] == value {
		return errors.New("a rotation was asked for in this very second: ask again in the next")
	}
	if err := s.annotate(ctx, before, value); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s (%s=%s)\n", p.sentence(), v1alpha1.AnnotationRotateNow, value)
	if suspended(before) {
		fmt.Fprintln(s.out, "The bridge is suspended: the rotation goes on once its bot runs.")
	}
	if !o.wait {
		_, err := fmt.Fprintf(s.out, "See how it goes: kubectl feedbackbridge status %s -n %s\n", name, s.namespace)
		return err
	}
	return s.follow(ctx, &follower{before: before, value: value, plan: p}, o.timeout)
}

// annotate changes the one annotation, whatever else happens to the object meanwhile.
func (s *session) annotate(ctx context.Context, b *v1alpha1.FeedbackBridge, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationRotateNow: value}}})
	if err != nil {
		return fmt.Errorf("encode the patch: %w", err)
	}
	err = s.client.Patch(ctx, b.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldManager))
	return explain(err, right{"patch", bridges, b.Namespace})
}

// follow prints each phase until the rotation has come to its end, was refused, or the time is over.
func (s *session) follow(ctx context.Context, f *follower, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(s.poll)
	defer tick.Stop()
	for {
		b, err := s.bridge(ctx, f.before.Name)
		var lines []string
		state := followWaits
		switch {
		case ctx.Err() != nil: // the time is over
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
			return err
		case err == nil:
			lines, state = f.look(b)
		default:
			f.waitsFor = "the API server does not answer: " + err.Error()
		}
		for _, text := range lines {
			fmt.Fprintf(s.out, "%s  %s\n", s.now().UTC().Format(time.TimeOnly), text)
		}
		switch state {
		case followDone:
			_, err := fmt.Fprintln(s.out, "Done.")
			return err
		case followRefused:
			return errors.New(s.refusal(ctx, b, f))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return errors.New("interrupted, and the rotation goes on; " + f.waitsFor)
			}
			return fmt.Errorf("not done within %s, and the rotation goes on; %s", timeout, f.waitsFor)
		}
	}
}

// eventRotationRefused is the reason of the operator's event about a rotation that it did not begin.
const eventRotationRefused = "RotationRefused"

// refusal says why a rotation was refused: in the operator's own words, where they can be read.
func (s *session) refusal(ctx context.Context, b *v1alpha1.FeedbackBridge, f *follower) string {
	events, err := s.events(ctx, b)
	if err == nil {
		for _, e := range lastEvents(events, len(events)) {
			if e.Reason == eventRotationRefused {
				return "refused: " + line(e.Message)
			}
		}
	}
	return "refused: a rotation runs already (" + f.waitsFor + "); --force begins another one where there is room for its key"
}
