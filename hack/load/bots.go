// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// heartbeatInterval is how often a bot renews its Lease, and leaseSeconds what it asks for.
	heartbeatInterval = 10 * time.Second
	leaseSeconds      = 30
)

// runBots plays the Deployment controller, the kubelet and the bot of every bridge, up to the bot's first report.
func runBots(ctx context.Context, p *plane, bridges []*bridge) error {
	return each(ctx, len(bridges), adminParallel, func(ctx context.Context, i int) error {
		b := bridges[i]
		var d appsv1.Deployment
		if err := p.admin.Get(ctx, b.bot(), &d); err != nil {
			return err
		}
		if err := runPod(ctx, p, &d); err != nil {
			return err
		}
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
			Conditions: []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable"},
				{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
			},
		}
		if err := p.admin.Status().Update(ctx, &d); err != nil {
			return err
		}
		return beat(ctx, p, b, true)
	})
}

func runPod(ctx context.Context, p *plane, d *appsv1.Deployment) error {
	pod := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = d.Namespace, d.Name+"-7d5b8c9f4-x2x2x"
	if err := p.admin.Create(ctx, pod); err != nil {
		return err
	}
	now := metav1.Now()
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, HostIP: "192.0.2.1", PodIP: "192.0.2.2", StartTime: &now,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image, Ready: true, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	for _, kind := range []corev1.PodConditionType{
		corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled,
	} {
		pod.Status.Conditions = append(pod.Status.Conditions,
			corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	return p.admin.Status().Update(ctx, pod)
}

// beat renews a bot's Lease as the bot does, by a merge patch; the first time with its report.
func beat(ctx context.Context, p *plane, b *bridge, first bool) error {
	now := metav1.NowMicro()
	key := b.bot()
	patch := coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{
		HolderIdentity: new(key.Name + "-7d5b8c9f4-x2x2x"), LeaseDurationSeconds: new(int32(leaseSeconds)), RenewTime: &now,
	}}
	if first {
		report, err := json.Marshal(goodReport(b))
		if err != nil {
			return err
		}
		patch.Annotations = map[string]string{v1alpha1.AnnotationReport: string(report)}
		patch.Spec.AcquireTime, patch.Spec.LeaseTransitions = &now, new(int32(1))
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	return p.admin.Patch(ctx, lease, client.RawPatch(types.MergePatchType, text))
}

// goodReport is what a bot says that is connected and has carried some tickets.
func goodReport(b *bridge) v1alpha1.BotReport {
	now := metav1.Now()
	id := v1alpha1.KeyID([]byte(b.hmacKey()))
	return v1alpha1.BotReport{
		Version: "load", StartedAt: now,
		Site:        v1alpha1.PeerReport{OK: true, Reason: v1alpha1.ReasonConnected, Since: now},
		Telegram:    v1alpha1.PeerReport{OK: true, Reason: v1alpha1.ReasonReachable, Since: now},
		SiteKeyID:   id,
		HMACKeyIDs:  []string{id},
		BotUsername: "load_bot", ChatTitle: "Support",
		Tickets: v1alpha1.TicketsStatus{Received: 12, Posted: 12, LastPostedTime: &now},
	}
}

// heartbeats lets every bot renew its Lease until it is stopped, one after the other, evenly over the interval.
func heartbeats(ctx context.Context, p *plane, bridges []*bridge) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		start := time.Now()
		done <- each(ctx, int(^uint(0)>>1), adminParallel, func(ctx context.Context, i int) error {
			due := start.Add(time.Duration(i) * heartbeatInterval / time.Duration(len(bridges)))
			if late := time.Since(due); late > heartbeatInterval*3/2 {
				return fmt.Errorf("this machine is too slow for the bots' heartbeats: they are %s late", late)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Until(due)):
			}
			return beat(ctx, p, bridges[i%len(bridges)], false)
		})
	}()
	return func() error {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			return fmt.Errorf("simulate heartbeats: %w", err)
		}
		return nil
	}
}

// countReady is how many bridges are Ready.
func countReady(ctx context.Context, p *plane) (int, error) {
	var list v1alpha1.FeedbackBridgeList
	if err := p.admin.List(ctx, &list); err != nil {
		return 0, err
	}
	ready := 0
	for i := range list.Items {
		if meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, v1alpha1.ConditionReady) {
			ready++
		}
	}
	return ready, nil
}
