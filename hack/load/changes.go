// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// changeTimeout bounds the wait for one change.
const changeTimeout = time.Minute

// measureChanges changes the HMAC keys of some bridges, one after the other, and returns how long each took to be in
// its bot's Secret, sorted.
func measureChanges(ctx context.Context, p *plane, bridges []*bridge, count int) ([]time.Duration, error) {
	count = min(count, len(bridges))
	out := make([]time.Duration, 0, count)
	for i := range count {
		took, err := changeSecret(ctx, p, bridges[i*len(bridges)/count])
		if err != nil {
			return nil, err
		}
		out = append(out, took)
	}
	slices.Sort(out)
	return out, nil
}

func changeSecret(ctx context.Context, p *plane, b *bridge) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	key := b.bot()
	events, err := p.admin.Watch(ctx, &corev1.SecretList{}, client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name})
	if err != nil {
		return 0, err
	}
	defer events.Stop()
	value := fmt.Sprintf("obviously not a key either, of %d", time.Now().UnixNano())
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"stringData":{%q:%q}}`, keyHMAC, value))
	start := time.Now()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: b.name + "-site"}}
	if err := p.admin.Patch(ctx, secret, patch); err != nil {
		return 0, err
	}
	for {
		select {
		case e, open := <-events.ResultChan():
			if !open {
				return 0, errors.New("the watch of a bot's Secret ended")
			}
			if arrived(e, value) {
				return time.Since(start), nil
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for the change of %s: %w", b.name, ctx.Err())
		}
	}
}

// arrived is whether a bot's Secret has a value under any of the keys that a bot accepts.
func arrived(e watch.Event, value string) bool {
	secret, ok := e.Object.(*corev1.Secret)
	if !ok {
		return false
	}
	for _, file := range []string{v1alpha1.FileHMACCurrent, v1alpha1.FileHMACNext} {
		if string(secret.Data[file]) == value {
			return true
		}
	}
	return false
}

// percentile is of sorted durations.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}
