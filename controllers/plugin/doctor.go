// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// operatorLease is the Lease of the active operator, in the operator's own namespace, where it elects a leader.
const operatorLease = "operator." + v1alpha1.GroupName

// examinePatience bounds the bot's own checks, which call Telegram.
const examinePatience = time.Minute

func doctorCommand(connect connector) *cobra.Command {
	var flags connectFlags
	var format string
	cmd := &cobra.Command{
		Use:   "doctor NAME",
		Short: "Check all that a bridge needs, and say what to mend",
		Long: "Check all that a bridge needs, from the operator to the chat, and say what to mend. What your rights don't show is skipped. It changes nothing, and exits with 1 where something is wrong.\n\n" +
			"-o json prints {verdict, healthy, checks: [{result, subject, message, todo}]}, where result is pass, fail or skip.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := connect(&flags, cmd)
			if err != nil {
				return err
			}
			return s.doctor(cmd.Context(), args[0], format)
		},
	}
	flags.register(cmd)
	formatFlag(cmd, &format, formatJSON)
	return cmd
}

// errSick is the end of a doctor who found something wrong; what it is was printed.
var errSick = errors.New("something has to be mended, see above")

func (s *session) doctor(ctx context.Context, name, format string) error {
	b, err := s.bridge(ctx, name)
	if err != nil {
		return err
	}
	checks := examine(s.gather(ctx, b))
	d := diagnosisOf(b, checks)
	if format == formatJSON {
		err = printJSON(s.out, d)
	} else {
		err = printDiagnosis(s.out, d)
	}
	if err == nil && !d.Healthy {
		err = errSick
	}
	return err
}

// found is an object that was looked for: it, or why it cannot be seen.
type found[T any] struct {
	object T
	err    error
}

// facts are what the doctor judges by.
type facts struct {
	now        time.Time
	bridge     *v1alpha1.FeedbackBridge
	operator   found[*coordinationv1.Lease] // nil: there is none
	secrets    []secretFact
	deployment found[*appsv1.Deployment]
	claim      found[*corev1.PersistentVolumeClaim]
	pods       found[[]corev1.Pod]
	heartbeat  found[*coordinationv1.Lease]
	bot        found[[]botFinding]
}

// secretFact is a Secret that a bridge depends on. Of its data only the names of its keys are kept.
type secretFact struct {
	name, use string
	key       string // the key that is needed; empty for none in particular
	mine      bool   // the person's own to write; else the operator writes it
	keys      []string
	err       error
}

// botFinding is a line of the bot's own doctor.
type botFinding struct {
	OK      bool   `json:"ok"`
	Peer    string `json:"peer"`
	Message string `json:"message"`
}

// gather looks at everything, whatever else is wrong.
func (s *session) gather(ctx context.Context, b *v1alpha1.FeedbackBridge) facts {
	f := facts{now: s.now(), bridge: b, secrets: secretsOf(b)}
	bot := client.ObjectKey{Namespace: b.Namespace, Name: v1alpha1.BotName(b.Name)}
	f.operator.object, f.operator.err = s.operatorLease(ctx)
	for i := range f.secrets {
		s.lookAtSecret(ctx, b.Namespace, &f.secrets[i])
	}
	f.deployment = look(ctx, s, bot, &appsv1.Deployment{}, "deployments.apps")
	if b.Spec.Storage.Ephemeral == nil && b.Spec.Storage.Postgres == nil {
		f.claim = look(ctx, s, bot, &corev1.PersistentVolumeClaim{}, "persistentvolumeclaims")
	}
	f.heartbeat = look(ctx, s, bot, &coordinationv1.Lease{}, "leases.coordination.k8s.io")
	f.pods.object, f.pods.err = s.pods(ctx, b)
	f.bot.object, f.bot.err = s.askDoctor(ctx, b, f.pods)
	return f
}

func look[T client.Object](ctx context.Context, s *session, key client.ObjectKey, object T, resource string) found[T] {
	err := s.client.Get(ctx, key, object)
	return found[T]{object, explain(err, right{"get", resource, key.Namespace})}
}

// operatorLease finds the active operator's Lease, in whatever namespace it is; nil where there is none. Of several it is
// the one that was renewed last: an operator that has moved leaves its Lease behind.
func (s *session) operatorLease(ctx context.Context) (*coordinationv1.Lease, error) {
	var list coordinationv1.LeaseList
	if err := s.client.List(ctx, &list, client.MatchingFields{"metadata.name": operatorLease}); err != nil {
		return nil, explain(err, right{verb: "list", resource: "leases.coordination.k8s.io"})
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return freshest(list.Items), nil
}

// freshest is the Lease that was renewed last.
func freshest(leases []coordinationv1.Lease) *coordinationv1.Lease {
	return new(slices.MaxFunc(leases, func(a, b coordinationv1.Lease) int { return renewed(&a).Compare(renewed(&b)) }))
}

// renewed is when a Lease was last renewed; zero where it never was, or nobody holds it.
func renewed(lease *coordinationv1.Lease) time.Time {
	if lease.Spec.RenewTime == nil || holderOf(lease) == "" {
		return time.Time{}
	}
	return lease.Spec.RenewTime.Time
}

// secretsOf are the Secrets that a bridge depends on.
func secretsOf(b *v1alpha1.FeedbackBridge) []secretFact {
	var out []secretFact
	mine := func(ref *v1alpha1.SecretKeyRef, use string) {
		if ref != nil {
			out = append(out, secretFact{name: ref.Name, key: ref.Key, use: use, mine: true})
		}
	}
	c := &b.Spec.Credentials
	mine(&b.Spec.Telegram.TokenSecretRef, "the Telegram bot's token (spec.telegram.tokenSecretRef)")
	if p := b.Spec.Storage.Postgres; p != nil {
		mine(&p.DSNSecretRef, "the database's connection string (spec.storage.postgres.dsnSecretRef)")
	}
	mine(c.JWT.SigningKeySecretRef, "the key that tokens are signed with (spec.credentials.jwt.signingKeySecretRef)")
	mine(c.JWT.TokenSecretRef, "the token for the site (spec.credentials.jwt.tokenSecretRef)")
	mine(c.HMAC.SecretRef, "the HMAC key (spec.credentials.hmac.secretRef)")
	if tls := b.Spec.Site.TLS; tls != nil {
		mine(tls.CASecretRef, "the site's CA (spec.site.tls.caSecretRef)")
	}
	out = append(out, secretFact{name: v1alpha1.BotName(b.Name), use: "what the bot runs by", key: v1alpha1.FileHMACCurrent})
	if name := b.SiteSecretName(); name != "" {
		out = append(out, secretFact{name: name, use: "what the site needs"})
	}
	return out
}

// lookAtSecret reads the names of a Secret's keys. The values are dropped at once.
func (s *session) lookAtSecret(ctx context.Context, namespace string, f *secretFact) {
	var secret corev1.Secret
	err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: f.name}, &secret)
	f.err = explain(err, right{"get", "secrets", namespace})
	for key := range secret.Data {
		f.keys = append(f.keys, key)
	}
	slices.Sort(f.keys)
}

// askDoctor has the bot's own doctor look at Telegram and the site.
func (s *session) askDoctor(ctx context.Context, b *v1alpha1.FeedbackBridge, pods found[[]corev1.Pod]) ([]botFinding, error) {
	if pods.err != nil {
		return nil, pods.err
	}
	pod, err := activePod(b, pods.object)
	if err != nil {
		return nil, err
	}
	command, err := botCommand(container(pod), "doctor", []string{"--bridge", "--credentials", "--state"}, "-o", formatJSON)
	if err != nil {
		return nil, err
	}
	result, err := s.ask(ctx, pod, examinePatience, command, "")
	if err != nil {
		return nil, err
	}
	var findings []botFinding
	lines := json.NewDecoder(bytes.NewReader(result.stdout))
	for lines.More() {
		var f botFinding
		if err := lines.Decode(&f); err != nil {
			return nil, fmt.Errorf("read what the bot's doctor says: %w", err)
		}
		findings = append(findings, f)
	}
	// It ends with an error where something is wrong; without a finding, it could not look.
	if result.code != 0 && !slices.ContainsFunc(findings, func(f botFinding) bool { return !f.OK }) {
		return findings, complaint(pod, command, result)
	}
	return findings, nil
}
