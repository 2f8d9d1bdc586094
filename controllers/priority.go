// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"maps"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	crevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Most of what the watches tell is the echo of the operator's own writes: a child that it made, a status that it wrote.
// Echoes wait behind all other work, as does what a starting operator finds: while many bridges are new, the next
// bridge's children come before the status of the one before, and what a person changed comes before both.

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// lastQueue adds behind all other work.
type lastQueue struct {
	priorityqueue.PriorityQueue[reconcile.Request]
}

// Add implements workqueue.TypedInterface.
func (q lastQueue) Add(item reconcile.Request) {
	q.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, item)
}

func last(q queue) queue {
	if ordered, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		return lastQueue{ordered}
	}
	return q
}

// bridgeEvents queues a bridge that changed; last where nothing changed that a person writes.
func bridgeEvents() handler.EventHandler {
	all := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(o)}}
	})
	return handler.Funcs{
		CreateFunc: all.Create,
		UpdateFunc: func(ctx context.Context, e crevent.UpdateEvent, q queue) {
			if isOwnEcho(e.ObjectOld, e.ObjectNew) {
				q = last(q)
			}
			all.Update(ctx, e, q)
		},
		DeleteFunc: all.Delete,
	}
}

// isOwnEcho is whether a bridge changed in no more than its status, which nobody else writes.
func isOwnEcho(before, after client.Object) bool {
	return before.GetGeneration() == after.GetGeneration() && maps.Equal(before.GetAnnotations(), after.GetAnnotations()) &&
		before.GetDeletionTimestamp().Equal(after.GetDeletionTimestamp())
}

// childEvents queues the bridges of an object that changed; last where it is new, and so the operator's own.
func childEvents(bridges handler.MapFunc) handler.EventHandler {
	all := handler.EnqueueRequestsFromMapFunc(bridges)
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e crevent.CreateEvent, q queue) { all.Create(ctx, e, last(q)) },
		UpdateFunc: all.Update,
		DeleteFunc: all.Delete,
	}
}
