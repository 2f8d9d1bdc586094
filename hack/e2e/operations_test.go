// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

func TestASiteThatIsDownIsSeenAndForgiven(t *testing.T) {
	w := newWorld(t)
	w.apply()
	w.siteDoor.close()
	w.site.Drop()
	took := w.waitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, v1alpha1.ReasonConnectionRefused, 30*time.Second)
	t.Logf("SiteConnected False after %s", took.Round(time.Millisecond))
	w.waitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, "", 10*time.Second)
	w.siteDoor.open()
	took = w.waitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected, time.Minute)
	t.Logf("SiteConnected True again after %s", took.Round(time.Millisecond))
	w.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, "", 30*time.Second)
}

func TestARefusedTokenIsSaidAndMendedWithoutARestart(t *testing.T) {
	w := newWorld(t)
	w.apply()
	pod := w.pod()
	accept, err := simsite.AcceptJWT([]byte("the site's new signing key"))
	if err != nil {
		t.Fatal(err)
	}
	w.site.SetAccept(accept)
	w.site.CloseConnections(4401, "")
	w.waitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, v1alpha1.ReasonCredentialsRefused, 30*time.Second)
	w.secret("site", "signing-key", "the site's new signing key")
	w.waitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected, time.Minute)
	w.sameBot(pod)
}

func TestAChangedKeyReachesTheBotWithoutARestart(t *testing.T) {
	w := newWorld(t)
	w.apply()
	pod := w.pod()
	next := "hmac-the-next-one"
	w.secret("hmac", "key", next)
	nextID := w.key(next).ID()
	eventually(t, time.Minute, "the bot accepts the new key", func() (bool, string) {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(w.bridge), w.bridge); err != nil {
			return false, err.Error()
		}
		report := w.report()
		return len(report.HMACKeyIDs) == 2 && report.HMACKeyIDs[0] == nextID, fmt.Sprint(report.HMACKeyIDs)
	})
	if r := w.result(w.send(1, "signed with the key before"), 15*time.Second); !r.OK || r.KeyID == nextID {
		t.Errorf("with the key before: %+v", r)
	}
	w.site.SetKey(w.key(next), wire.FormUTF8)
	if r := w.result(w.send(2, "signed with the new key"), 15*time.Second); !r.OK || r.KeyID != nextID {
		t.Errorf("with the new key: %+v", r)
	}
	w.sameBot(pod)
	if stats := w.site.Stats(); stats.Connections != 1 {
		t.Errorf("%d connections, want the one", stats.Connections)
	}
}

// sameBot fails unless the bot's pod is the one given, and was not restarted since.
func (w *world) sameBot(before *corev1.Pod) {
	w.t.Helper()
	now := w.pod()
	if now.UID != before.UID || now.Status.ContainerStatuses[0].RestartCount != before.Status.ContainerStatuses[0].RestartCount {
		w.t.Errorf("the bot was restarted")
	}
}

func TestAnOperatorsRestartLeavesBotsAlone(t *testing.T) {
	w := newWorld(t)
	w.apply()
	pod := w.pod()
	operator := operatorDeployment(t)
	if _, err := kubectl(t.Context(), "-n", operatorNamespace, "rollout", "restart", "deployment/"+operator.Name); err != nil {
		t.Fatal(err)
	}
	if r := w.result(w.send(1, "while the operator restarts"), 15*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
	if _, err := kubectl(t.Context(), "-n", operatorNamespace, "rollout", "status", "deployment/"+operator.Name, "--timeout=90s"); err != nil {
		t.Fatal(err)
	}
	// The new operator is at work when it notices a change; by then it has looked at the bridge.
	w.siteDoor.close()
	w.site.Drop()
	w.waitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, "", 45*time.Second)
	w.sameBot(pod)
}

func TestADeletedBridgeLeavesItsVolumeAndGoesOnFromIt(t *testing.T) {
	w := newWorld(t)
	w.apply()
	if r := w.result(w.send(1, "before"), 15*time.Second); !r.OK {
		t.Fatalf("result: %+v", r)
	}
	if err := cluster.Delete(t.Context(), w.bridge); err != nil {
		t.Fatal(err)
	}
	name := client.ObjectKey{Namespace: w.namespace, Name: v1alpha1.BotName(w.name)}
	for _, child := range []client.Object{
		&appsv1.Deployment{}, &corev1.Secret{}, &corev1.ConfigMap{}, &corev1.ServiceAccount{}, &rbacv1.Role{},
		&rbacv1.RoleBinding{}, &coordinationv1.Lease{}, &networkingv1.NetworkPolicy{},
	} {
		eventually(t, time.Minute, fmt.Sprintf("%T is gone", child), func() (bool, string) {
			err := cluster.Get(t.Context(), name, child)
			return apierrors.IsNotFound(err), fmt.Sprint(err)
		})
	}
	claim := &corev1.PersistentVolumeClaim{}
	if err := cluster.Get(t.Context(), name, claim); err != nil || claim.DeletionTimestamp != nil {
		t.Errorf("the volume claim was not kept: %v", err)
	}
	for _, secret := range []string{"site", "hmac", "telegram"} {
		if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: secret}, &corev1.Secret{}); err != nil {
			t.Errorf("secret %s: %v", secret, err)
		}
	}
	eventually(t, time.Minute, "the pod is gone", func() (bool, string) {
		left := pods(t, w.namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.name})
		return len(left) == 0, fmt.Sprintf("%d pods", len(left))
	})
	// A bridge that is made anew finds its state: what it posted is not posted again.
	w.bridge = w.manifest()
	w.apply()
	if r := w.result(w.send(1, "again"), 15*time.Second); !r.OK || r.TicketID != "ticket_site_1" {
		t.Errorf("result: %+v", r)
	}
	if posts := w.telegram.Messages(group); len(posts) != 1 {
		t.Errorf("%d posts, want 1", len(posts))
	}
}

func TestASuspendedBridgeStopsAndGoesOn(t *testing.T) {
	w := newWorld(t)
	w.apply()
	suspend := func(value bool) {
		t.Helper()
		patch := fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, value)
		if err := cluster.Patch(t.Context(), w.bridge, client.RawPatch("application/merge-patch+json", patch)); err != nil {
			t.Fatal(err)
		}
	}
	suspend(true)
	w.waitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended, 30*time.Second)
	eventually(t, 30*time.Second, "the bot has left the site", func() (bool, string) {
		return !w.site.Stats().Connected, "still connected"
	})
	id := w.send(5, "while suspended")
	suspend(false)
	if r := w.result(id, time.Minute); !r.OK {
		t.Errorf("result: %+v", r)
	}
}

func (w *world) report() v1alpha1.BotReport {
	w.t.Helper()
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: w.namespace, Name: v1alpha1.BotName(w.name)}
	if err := cluster.Get(context.Background(), key, lease); err != nil {
		w.t.Fatalf("read the lease: %v", err)
	}
	return decodeReport(w.t, lease.Annotations[v1alpha1.AnnotationReport])
}
