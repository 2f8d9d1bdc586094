// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

type statusOptions struct {
	names         []string
	allNamespaces bool
	format        string
}

func statusCommand(connect connector) *cobra.Command {
	var flags connectFlags
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [NAME...]",
		Short: "Show how bridges are: a table, and a verdict in one line",
		Long: "Show how bridges are: a table, and a verdict in one line. Of one bridge by its name, show all that is known.\n\n" +
			"-o json prints {verdict, ready, total, items}, where items are the FeedbackBridge objects.",
		Args: func(_ *cobra.Command, args []string) error {
			if o.allNamespaces && len(args) > 0 {
				return errors.New("names and --all-namespaces exclude each other: name the namespace with -n")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := connect(&flags, cmd)
			if err != nil {
				return err
			}
			o.names = args
			return s.status(cmd.Context(), o)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "the bridges of all namespaces")
	formatFlag(cmd, &o.format, formatJSON, formatWide)
	return cmd
}

// statusDocument is what -o json prints.
type statusDocument struct {
	Verdict string                    `json:"verdict"`
	Ready   int                       `json:"ready"`
	Total   int                       `json:"total"`
	Items   []v1alpha1.FeedbackBridge `json:"items"`
}

func (s *session) status(ctx context.Context, o statusOptions) error {
	list, err := s.bridges(ctx, o)
	if err != nil {
		return err
	}
	where := "in namespace " + s.namespace
	if o.allNamespaces {
		where = "in this cluster"
	}
	verdict := listVerdict(list, where, o.allNamespaces)
	if len(o.names) == 1 {
		verdict = bridgeVerdict(&list[0])
	}
	switch {
	case o.format == formatJSON:
		return printJSON(s.out, document(list, verdict))
	case len(o.names) == 1 && o.format == formatText:
		events, err := s.events(ctx, &list[0])
		return printPage(s.out, &list[0], events, err, s.now())
	}
	if len(list) > 0 {
		if err := printTable(s.out, list, s.now(), o.allNamespaces, o.format == formatWide); err != nil {
			return err
		}
		fmt.Fprintln(s.out)
	}
	_, err = fmt.Fprintln(s.out, verdict)
	return err
}

func document(list []v1alpha1.FeedbackBridge, verdict string) statusDocument {
	d := statusDocument{Verdict: verdict, Total: len(list), Items: list}
	for i := range list {
		if state, _ := judge(&list[i]); state == standsReady {
			d.Ready++
		}
		list[i].SetManagedFields(nil)
		list[i].SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	}
	return d
}

// bridges reads those that were asked for, in the order of their names.
func (s *session) bridges(ctx context.Context, o statusOptions) ([]v1alpha1.FeedbackBridge, error) {
	if len(o.names) > 0 {
		list := make([]v1alpha1.FeedbackBridge, len(o.names))
		for i, name := range o.names {
			b, err := s.bridge(ctx, name)
			if err != nil {
				return nil, err
			}
			list[i] = *b
		}
		return list, nil
	}
	namespace := s.namespace
	if o.allNamespaces {
		namespace = ""
	}
	var list v1alpha1.FeedbackBridgeList
	if err := s.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, explain(err, right{"list", bridges, namespace})
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.FeedbackBridge) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	if list.Items == nil {
		list.Items = []v1alpha1.FeedbackBridge{}
	}
	return list.Items, nil
}

// bridge reads one bridge.
func (s *session) bridge(ctx context.Context, name string) (*v1alpha1.FeedbackBridge, error) {
	var b v1alpha1.FeedbackBridge
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, &b)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no bridge %s in namespace %s: see `kubectl get feedbackbridges -A`: %w", name, s.namespace, err)
	}
	return &b, explain(err, right{"get", bridges, s.namespace})
}

// events reads what was recorded of a bridge.
func (s *session) events(ctx context.Context, b *v1alpha1.FeedbackBridge) ([]corev1.Event, error) {
	var list corev1.EventList
	err := s.client.List(ctx, &list, client.InNamespace(b.Namespace), client.MatchingFields{
		"involvedObject.kind": v1alpha1.Kind, "involvedObject.name": b.Name, "involvedObject.uid": string(b.UID),
	})
	return list.Items, explain(err, right{"list", "events", b.Namespace})
}
