// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// botContainer is the bot's container in its pod.
const botContainer = "bot"

// pods reads the pods of a bridge's bot.
func (s *session) pods(ctx context.Context, b *v1alpha1.FeedbackBridge) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := s.client.List(ctx, &list, client.InNamespace(b.Namespace), client.MatchingLabels{v1alpha1.LabelBridge: b.Name})
	return list.Items, explain(err, right{"list", "pods", b.Namespace})
}

// activePod is the pod whose bot works: the one that the bridge's status names, or else the one that runs.
func activePod(b *v1alpha1.FeedbackBridge, pods []corev1.Pod) (*corev1.Pod, error) {
	var found *corev1.Pod
	for i := range pods {
		if p := &pods[i]; p.DeletionTimestamp == nil && container(p) != nil && (found == nil || p.Name == connectionOf(b).Pod) {
			found = p
		}
	}
	switch {
	case found != nil:
		return found, nil
	case suspended(b):
		return nil, errors.New("the bot does not run: spec.suspend is true")
	}
	return nil, fmt.Errorf("the bot does not run: see `kubectl feedbackbridge doctor %s -n %s`", b.Name, b.Namespace)
}

// container is the bot's container where it runs.
func container(p *corev1.Pod) *corev1.Container {
	running := slices.ContainsFunc(p.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.Name == botContainer && s.State.Running != nil
	})
	i := slices.IndexFunc(p.Spec.Containers, func(c corev1.Container) bool { return c.Name == botContainer })
	if !running || i < 0 {
		return nil
	}
	return &p.Spec.Containers[i]
}

// botCommand is another command of the bot's program, with the flags of the running one that it knows.
func botCommand(c *corev1.Container, name string, known []string, more ...string) ([]string, error) {
	run := append(slices.Clone(c.Command), c.Args...)
	i := slices.Index(run, "run")
	if i < 1 {
		return nil, fmt.Errorf("the bot's container runs no program that is known: %q", run)
	}
	command := append(run[:i:i], name)
	for args := run[i+1:]; len(args) > 1; args = args[1:] {
		if slices.Contains(known, args[0]) {
			command = append(command, args[0], args[1])
		}
	}
	return append(command, more...), nil
}

// ask runs a command of the bot's program beside the running bot.
func (s *session) ask(ctx context.Context, pod *corev1.Pod, patience time.Duration, command []string, stdin string) (execution, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result, err := s.exec.run(ctx, pod, botContainer, command, stdin)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return result, fmt.Errorf("the bot in pod %s did not answer within %s", pod.Name, patience)
	}
	return result, explain(err, right{"create", "pods/exec", pod.Namespace})
}

// complaint is what a command that failed has to say.
func complaint(pod *corev1.Pod, command []string, result execution) error {
	said := strings.TrimPrefix(line(string(result.stderr)), "feedbackbridge-bot: ")
	if strings.HasPrefix(said, "unknown command") || strings.HasPrefix(said, "unknown flag") || strings.HasPrefix(said, "unknown shorthand flag") {
		return fmt.Errorf("the bot in pod %s is older than this plug-in (%s): use the plug-in of its version, or a newer bot", pod.Name, said)
	}
	return fmt.Errorf("%s in pod %s: %s", strings.Join(command[:min(2, len(command))], " "), pod.Name,
		cmp.Or(said, fmt.Sprintf("ended with code %d", result.code)))
}

// askJSON runs a command that prints one JSON document.
func askJSON[T any](ctx context.Context, s *session, pod *corev1.Pod, patience time.Duration, command []string, stdin string) (v T, err error) {
	result, err := s.ask(ctx, pod, patience, command, stdin)
	if err != nil {
		return v, err
	}
	if result.code != 0 {
		return v, complaint(pod, command, result)
	}
	if err := json.NewDecoder(bytes.NewReader(result.stdout)).Decode(&v); err != nil {
		return v, fmt.Errorf("read what the bot in pod %s says: %w", pod.Name, err)
	}
	return v, nil
}

// askActive runs a command that prints one JSON document in the active bot's pod.
func askActive[T any](ctx context.Context, s *session, bridge string, patience time.Duration, name string, args []string, stdin string) (v T, b *v1alpha1.FeedbackBridge, err error) {
	if b, err = s.bridge(ctx, bridge); err != nil {
		return v, nil, err
	}
	pods, err := s.pods(ctx, b)
	if err != nil {
		return v, b, err
	}
	pod, err := activePod(b, pods)
	if err != nil {
		return v, b, err
	}
	command, err := botCommand(container(pod), name, []string{"--state"}, args...)
	if err != nil {
		return v, b, err
	}
	v, err = askJSON[T](ctx, s, pod, patience, command, stdin)
	return v, b, err
}
