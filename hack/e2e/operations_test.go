// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"slices"
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
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

func TestASiteThatIsDownIsSeenAndForgiven(t *testing.T) {
	w := world.New(t)
	w.Apply()
	w.SiteDoor.Close()
	w.Site.Drop()
	took := w.WaitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, v1alpha1.ReasonConnectionRefused, 30*time.Second)
	t.Logf("SiteConnected False after %s", took.Round(time.Millisecond))
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, "", 45*time.Second)
	w.SiteDoor.Open()
	// After half a minute without the site the bot may wait for two minutes before it dials again.
	took = w.WaitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected, 150*time.Second)
	t.Logf("SiteConnected True again after %s", took.Round(time.Millisecond))
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, "", 30*time.Second)
}

func TestARefusedTokenIsSaidAndMendedWithoutARestart(t *testing.T) {
	w := world.New(t)
	w.Apply()
	pod := w.Pod()
	accept, err := simsite.AcceptJWT([]byte("the site's new signing key"))
	if err != nil {
		t.Fatal(err)
	}
	w.Site.SetAccept(accept)
	w.Site.CloseConnections(4401, "")
	w.WaitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, v1alpha1.ReasonCredentialsRefused, 30*time.Second)
	w.Secret("site", "signing-key", "the site's new signing key")
	w.WaitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected, time.Minute)
	w.SameBot(pod)
}

func TestAChangedKeyReachesTheBotWithoutARestart(t *testing.T) {
	w := world.New(t)
	w.Apply()
	pod := w.Pod()
	next := "hmac-the-next-one"
	w.Secret("hmac", "key", next)
	nextID := w.Key(next).ID()
	world.Eventually(t, time.Minute, "the bot accepts the new key", func() (bool, string) {
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		accepted := w.Report().HMACKeyIDs
		return len(accepted) == 2 && slices.Contains(accepted, nextID), fmt.Sprint(accepted)
	})
	if r := w.Result(w.Send(1, "signed with the key before"), 15*time.Second); !r.OK || r.KeyID == nextID {
		t.Errorf("with the key before: %+v", r)
	}
	w.Site.SetKey(w.Key(next), wire.FormUTF8)
	if r := w.Result(w.Send(2, "signed with the new key"), 15*time.Second); !r.OK || r.KeyID != nextID {
		t.Errorf("with the new key: %+v", r)
	}
	world.Eventually(t, time.Minute, "the new key is the current one, for the site signs with it", func() (bool, string) {
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		keys := w.Bridge.Status.Credentials.HMAC
		return keys.Phase == v1alpha1.RotationAdopted && keys.CurrentKeyID == nextID, fmt.Sprintf("%+v", keys)
	})
	w.SameBot(pod)
	if stats := w.Site.Stats(); stats.Connections != 1 {
		t.Errorf("%d connections, want the one", stats.Connections)
	}
}

func TestAnOperatorsRestartLeavesBotsAlone(t *testing.T) {
	w := world.New(t)
	w.Apply()
	pod := w.Pod()
	operator := world.OperatorDeployment(t)
	if _, err := world.Kubectl(t.Context(), "-n", world.OperatorNamespace, "rollout", "restart", "deployment/"+operator.Name); err != nil {
		t.Fatal(err)
	}
	if r := w.Result(w.Send(1, "while the operator restarts"), 15*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
	if _, err := world.Kubectl(t.Context(), "-n", world.OperatorNamespace, "rollout", "status", "deployment/"+operator.Name, "--timeout=90s"); err != nil {
		t.Fatal(err)
	}
	// The new operator is at work when it notices a change; by then it has looked at the bridge.
	w.SiteDoor.Close()
	w.Site.Drop()
	w.WaitCondition(v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, "", 45*time.Second)
	w.SameBot(pod)
}

func TestADeletedBridgeLeavesItsVolumeAndGoesOnFromIt(t *testing.T) {
	w := world.New(t)
	w.Apply()
	if r := w.Result(w.Send(1, "before"), 15*time.Second); !r.OK {
		t.Fatalf("result: %+v", r)
	}
	if err := world.Cluster.Delete(t.Context(), w.Bridge); err != nil {
		t.Fatal(err)
	}
	name := client.ObjectKey{Namespace: w.Namespace, Name: v1alpha1.BotName(w.Name)}
	for _, child := range []client.Object{
		&appsv1.Deployment{}, &corev1.Secret{}, &corev1.ConfigMap{}, &corev1.ServiceAccount{}, &rbacv1.Role{},
		&rbacv1.RoleBinding{}, &coordinationv1.Lease{}, &networkingv1.NetworkPolicy{},
	} {
		world.Eventually(t, time.Minute, fmt.Sprintf("%T is gone", child), func() (bool, string) {
			err := world.Cluster.Get(t.Context(), name, child)
			return apierrors.IsNotFound(err), fmt.Sprint(err)
		})
	}
	claim := &corev1.PersistentVolumeClaim{}
	if err := world.Cluster.Get(t.Context(), name, claim); err != nil || claim.DeletionTimestamp != nil {
		t.Errorf("the volume claim was not kept: %v", err)
	}
	for _, secret := range []string{"site", "hmac", "telegram"} {
		if err := world.Cluster.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: secret}, &corev1.Secret{}); err != nil {
			t.Errorf("secret %s: %v", secret, err)
		}
	}
	world.Eventually(t, time.Minute, "the pod is gone", func() (bool, string) {
		left := world.Pods(t, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name})
		return len(left) == 0, fmt.Sprintf("%d pods", len(left))
	})
	// A bridge that is made anew finds its state: what it posted is not posted again.
	w.Bridge = w.Manifest()
	w.Apply()
	if r := w.Result(w.Send(1, "again"), 15*time.Second); !r.OK || r.TicketID != "ticket_site_1" {
		t.Errorf("result: %+v", r)
	}
	if posts := w.Telegram.Messages(world.Group); len(posts) != 1 {
		t.Errorf("%d posts, want 1", len(posts))
	}
}

func TestASuspendedBridgeStopsAndGoesOn(t *testing.T) {
	w := world.New(t)
	w.Apply()
	suspend := func(value bool) {
		t.Helper()
		patch := fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, value)
		if err := world.Cluster.Patch(t.Context(), w.Bridge, client.RawPatch("application/merge-patch+json", patch)); err != nil {
			t.Fatal(err)
		}
	}
	suspend(true)
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended, 30*time.Second)
	world.Eventually(t, 30*time.Second, "the bot has left the site", func() (bool, string) {
		return !w.Site.Stats().Connected, "still connected"
	})
	id := w.Send(5, "while suspended")
	suspend(false)
	if r := w.Result(id, time.Minute); !r.OK {
		t.Errorf("result: %+v", r)
	}
}
