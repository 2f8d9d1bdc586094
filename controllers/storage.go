// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// storageVerdict is what the bot says of its store, where there is something to say.
func storageVerdict(o *observation) verdict {
	if suspended(o.bridge) || !o.health.fresh || o.health.report == nil || o.health.report.Storage == nil {
		return absent
	}
	s := o.health.report.Storage
	return verdict{metav1.ConditionTrue, s.Reason, advised(o.bridge, s.Reason, s.Message)}
}

// hindrance is what the store's trouble means for Ready: True where the bot works all the same. A database that was set
// aside is loud, and no reason to take a bridge that works for one that does not.
func hindrance(storage verdict) verdict {
	if storage.status == metav1.ConditionTrue && storage.reason != v1alpha1.ReasonStorageCorrupt {
		return verdict{metav1.ConditionFalse, storage.reason, storage.message}
	}
	return verdict{status: metav1.ConditionTrue}
}

// storageAdvice says where room can be made.
func storageAdvice(b *v1alpha1.FeedbackBridge) string {
	const keepLess = ", or keep less by spec.storage.retention"
	switch {
	case b.Spec.Storage.Postgres != nil:
		return "give the database more room" + keepLess
	case b.Spec.Storage.PersistentVolumeClaim != nil:
		return "raise spec.storage.persistentVolumeClaim.size where the storage class lets volumes grow" + keepLess
	default:
		return "give the pod's node more room" + keepLess
	}
}

// databaseAdvice says what stands between the bot and its database.
func databaseAdvice(b *v1alpha1.FeedbackBridge) string {
	ref := dsnRef(&b.Spec)
	if ref == nil {
		return "look at the bot's log"
	}
	return "start the database, correct its connection string under the key " + quote(ref.Key) + " of Secret " + quote(ref.Name) +
		", or let the bot through to spec.storage.postgres.port"
}
