// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package world

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	// Group is the chat that the bridge posts to.
	Group = int64(-1001234567890)
	// SecretText stands in every message that the tests send: it must never be seen in a log.
	SecretText = "message-text-that-no-log-may-show"
)

// World is one bridge with its peers, in a namespace of its own.
type World struct {
	T         *testing.T
	Namespace string
	Name      string

	Site     *simsite.Server
	SiteURL  string
	SiteDoor *Door
	Telegram *telegram.Server
	APIURL   string

	// SigningKey, HMACKey and Token are the values of the bridge's Secrets.
	SigningKey, HMACKey, Token string
	// Bridge is the manifest until Apply, then the object as WaitCondition last saw it.
	Bridge *v1alpha1.FeedbackBridge
	// BotLogHolds is what shows that it is the bot's log that is searched for secrets; "" where no bot may have started.
	BotLogHolds string
	// Confidential is every value that no log may show, and what it is.
	Confidential map[string]string
}

// New makes peers, namespace, secrets and a bridge; the bridge is not applied yet.
func New(t *testing.T) *World {
	t.Helper()
	id := strings.ToLower(rand.Text()[:6])
	w := &World{
		T: t, Namespace: "e2e-" + id, Name: "shop-" + id,
		SigningKey: "signing-" + rand.Text(), HMACKey: "hmac-" + rand.Text(),
		Token: "123456:TEST-" + rand.Text(), BotLogHolds: "connected to the site", Confidential: map[string]string{"eyJ": "a JWT", SecretText: "a message's text"},
	}
	w.Telegram = telegram.New(telegram.Config{Token: w.Token})
	if err := w.Telegram.AddChat(telegram.Chat{ID: Group, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Administrator}); err != nil {
		t.Fatal(err)
	}
	accept, err := simsite.AcceptJWT([]byte(w.SigningKey))
	if err != nil {
		t.Fatal(err)
	}
	w.Site = simsite.New(simsite.Config{Accept: accept, Key: w.Key(w.HMACKey), Form: wire.FormASCII})
	t.Cleanup(w.Site.Close)
	t.Cleanup(w.Telegram.Close)
	w.SiteDoor = OpenDoor(t, w.Site)
	w.SiteURL = "ws://" + w.SiteDoor.Address + simsite.DefaultPath
	w.APIURL = "http://" + OpenDoor(t, w.Telegram).Address
	w.createNamespace()
	w.Secret("site", "signing-key", w.SigningKey)
	w.Secret("hmac", "key", w.HMACKey)
	w.Secret("telegram", "token", w.Token)
	w.Bridge = w.Manifest()
	return w
}

// Key is a secret as the key that frames are signed with.
func (w *World) Key(secret string) wire.Key {
	w.T.Helper()
	key, err := wire.NewKey([]byte(secret))
	if err != nil {
		w.T.Fatal(err)
	}
	return key
}

// createNamespace makes a namespace that admits restricted pods only, and removes it after the test.
func (w *World) createNamespace() {
	w.T.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: w.Namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := Cluster.Create(w.T.Context(), ns); err != nil {
		w.T.Fatalf("create the namespace: %v", err)
	}
	w.T.Cleanup(func() {
		if w.T.Failed() {
			w.explain()
		}
		w.checkLogs()
		if err := Cluster.Delete(context.Background(), ns); err != nil {
			w.T.Errorf("delete the namespace: %v", err)
		}
	})
}

// Secret writes a Secret with one key.
func (w *World) Secret(name, key, value string) {
	w.T.Helper()
	w.Confidential[value] = "secret " + name + ", key " + key
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name}, StringData: map[string]string{key: value}}
	err := Cluster.Create(w.T.Context(), s)
	if apierrors.IsAlreadyExists(err) {
		err = Cluster.Update(w.T.Context(), s)
	}
	if err != nil {
		w.T.Fatalf("write secret %s: %v", name, err)
	}
}

// Manifest is a bridge that joins the peers.
func (w *World) Manifest() *v1alpha1.FeedbackBridge {
	unlimited := v1alpha1.RateLimit{Messages: new(int32(0)), Window: "1s"}
	return &v1alpha1.FeedbackBridge{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name},
		Spec: v1alpha1.FeedbackBridgeSpec{
			Site: v1alpha1.SiteSpec{URL: w.SiteURL, AllowInsecure: new(true), PingInterval: "2s"},
			Credentials: v1alpha1.CredentialsSpec{
				JWT:  v1alpha1.JWTSpec{SigningKeySecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "signing-key"}},
				HMAC: v1alpha1.HMACSpec{SecretRef: &v1alpha1.SecretKeyRef{Name: "hmac", Key: "key"}},
			},
			Telegram: v1alpha1.TelegramSpec{
				TokenSecretRef: v1alpha1.SecretKeyRef{Name: "telegram", Key: "token"},
				ChatID:         fmt.Sprint(Group), APIURL: w.APIURL, AllowInsecure: new(true),
				Limits: v1alpha1.TelegramLimits{PerChat: unlimited, Overall: unlimited},
			},
			Runtime: v1alpha1.RuntimeSpec{LogLevel: "debug"},
		},
	}
}

// Apply creates the bridge and waits until it is ready; it returns how long that took.
func (w *World) Apply() time.Duration {
	w.T.Helper()
	if err := Cluster.Create(w.T.Context(), w.Bridge); err != nil {
		w.T.Fatalf("create the bridge: %v", err)
	}
	return w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
}

// WaitCondition waits for a condition's status, and its reason where one is given.
func (w *World) WaitCondition(kind string, status metav1.ConditionStatus, reason string, within time.Duration) time.Duration {
	w.T.Helper()
	return Eventually(w.T, within, fmt.Sprintf("%s=%s %s", kind, status, reason), func() (bool, string) {
		if err := Cluster.Get(w.T.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(w.Bridge.Status.Conditions, kind)
		if c == nil {
			return false, "the condition is not there"
		}
		return c.Status == status && (reason == "" || c.Reason == reason), fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
	})
}

// Send has the site send a feedback.
func (w *World) Send(feedbackID int64, message string) (id string) {
	w.T.Helper()
	id, err := w.Site.Send(map[string]any{
		"feedback_id": feedbackID, "telegram_id": 999, "telegram_username": "user", "telegram_first_name": "Имя <b>",
		"nickname": "Player & Nick", "category": "bug", "message": message + " " + SecretText,
		"created_at": "2025-10-17T12:00:00", "source": "website",
	})
	if err != nil {
		w.T.Fatalf("send: %v", err)
	}
	return id
}

// Result waits for the site to have a feedback's result.
func (w *World) Result(id string, within time.Duration) simsite.Result {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), within)
	defer cancel()
	r, err := w.Site.WaitResult(ctx, id)
	if err != nil {
		w.T.Fatalf("no result within %s: %v", within, err)
	}
	return r
}
