// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// at is a time so much after noon; before it where d is negative.
func at(d time.Duration) *metav1.Time { return new(metav1.NewTime(noon.Add(d))) }

const day = 24 * time.Hour

// change is what makes a bridge different from a good one.
type change func(*v1alpha1.FeedbackBridge)

// bridgeOf is a bridge that works, with the user's own keys, after some changes.
func bridgeOf(name string, changes ...change) v1alpha1.FeedbackBridge {
	b := v1alpha1.FeedbackBridge{
		ObjectMeta: metav1.ObjectMeta{Namespace: "support", Name: name, Generation: 2, CreationTimestamp: *at(-30 * day)},
		Spec: v1alpha1.FeedbackBridgeSpec{
			Site: v1alpha1.SiteSpec{URL: "wss://shop.example/ws/feedback-bot?room=1"},
			Credentials: v1alpha1.CredentialsSpec{
				JWT:  v1alpha1.JWTSpec{SigningKeySecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "signing-key"}},
				HMAC: v1alpha1.HMACSpec{SecretRef: &v1alpha1.SecretKeyRef{Name: "hmac", Key: "key"}},
			},
			Telegram: v1alpha1.TelegramSpec{TokenSecretRef: v1alpha1.SecretKeyRef{Name: "telegram", Key: "token"}, ChatID: "-1001234567890"},
			Storage:  v1alpha1.StorageSpec{PersistentVolumeClaim: &v1alpha1.VolumeClaimSpec{}},
		},
		Status: v1alpha1.FeedbackBridgeStatus{
			ObservedGeneration: 2,
			Conditions: []metav1.Condition{
				conditionOf(v1alpha1.ConditionReady, true, v1alpha1.ReasonReady, "Feedback flows from the site to the chat."),
				conditionOf(v1alpha1.ConditionCredentialsReady, true, v1alpha1.ReasonCredentialsReady, "Every referenced Secret is there and well-formed."),
				conditionOf(v1alpha1.ConditionWorkloadAvailable, true, v1alpha1.ReasonWorkloadAvailable, "The bot's pod runs."),
				conditionOf(v1alpha1.ConditionSiteConnected, true, v1alpha1.ReasonConnected, "connected to shop.example"),
				conditionOf(v1alpha1.ConditionTelegramReachable, true, v1alpha1.ReasonReachable, "Telegram answers and the chat can be posted to."),
			},
			Connection: &v1alpha1.ConnectionStatus{State: v1alpha1.ConnectionConnected, Since: at(-3 * day), Pod: name + "-bot-1", Reconnects: 2,
				LastError: "the connection ended without a goodbye"},
			Credentials: &v1alpha1.CredentialsStatus{
				JWT:  &v1alpha1.JWTStatus{IssuedAt: at(-17 * time.Hour), ExpiresAt: at(7 * time.Hour)},
				HMAC: &v1alpha1.HMACStatus{RotationStatus: v1alpha1.RotationStatus{Phase: v1alpha1.RotationStable, CurrentKeyID: "1111aaaa2222bbbb", SiteKeyID: "1111aaaa2222bbbb"}},
			},
			Telegram: &v1alpha1.TelegramStatus{BotUsername: "shop_feedback_bot", ChatTitle: "Support"},
			Tickets:  &v1alpha1.TicketsStatus{Received: 120, Posted: 117, Pending: 2, Failed: 1, LastPostedTime: at(-5 * time.Minute)},
		},
	}
	for _, c := range changes {
		c(&b)
	}
	return b
}

func conditionOf(kind string, ok bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: *at(-3 * day)}
}

// with sets conditions.
func with(conditions ...metav1.Condition) change {
	return func(b *v1alpha1.FeedbackBridge) {
		for _, c := range conditions {
			found := false
			for i := range b.Status.Conditions {
				if b.Status.Conditions[i].Type == c.Type {
					b.Status.Conditions[i], found = c, true
				}
			}
			if !found {
				b.Status.Conditions = append(b.Status.Conditions, c)
			}
		}
	}
}

const refusedMessage = "The site refuses the token (HTTP 401): let it accept the signing key, or correct spec.credentials.jwt"

func refusedBySite(b *v1alpha1.FeedbackBridge) {
	with(conditionOf(v1alpha1.ConditionReady, false, v1alpha1.ReasonCredentialsRefused, refusedMessage),
		conditionOf(v1alpha1.ConditionSiteConnected, false, v1alpha1.ReasonCredentialsRefused, refusedMessage))(b)
	b.Status.Connection.State, b.Status.Connection.LastError = v1alpha1.ConnectionRefused, refusedMessage
}

func isSuspended(b *v1alpha1.FeedbackBridge) {
	b.Spec.Suspend = new(true)
	with(conditionOf(v1alpha1.ConditionReady, false, v1alpha1.ReasonSuspended, "The bot is stopped: spec.suspend is true."))(b)
	b.Status.Connection = &v1alpha1.ConnectionStatus{State: v1alpha1.ConnectionSuspended}
}

func isNew(b *v1alpha1.FeedbackBridge) {
	b.Status, b.CreationTimestamp = v1alpha1.FeedbackBridgeStatus{}, *at(-2 * time.Second)
}

// rotating has the operator make both keys, and the HMAC key on its way to the next.
func rotating(b *v1alpha1.FeedbackBridge) {
	b.Spec.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{RotateEvery: "720h"}}
	b.Spec.Credentials.JWT = v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{}}
	b.Status.Credentials.HMAC.RotationStatus = v1alpha1.RotationStatus{
		Phase: v1alpha1.RotationPublished, CurrentKeyID: "1111aaaa2222bbbb", NextKeyID: "3333cccc4444dddd", SiteKeyID: "1111aaaa2222bbbb",
		StagedAt: at(-13 * time.Minute), PublishedAt: at(-12 * time.Minute),
	}
	b.Status.Credentials.JWT.KeyID = "key-2"
	b.Status.Credentials.JWT.Rotation = &v1alpha1.RotationStatus{Phase: v1alpha1.RotationAdopted, CurrentKeyID: "key-2", PreviousKeyID: "key-1",
		RotatedAt: at(-2 * time.Hour), RetireAt: at(22 * time.Hour)}
}

var overdue = with(conditionOf(v1alpha1.ConditionRotationOverdue, true, v1alpha1.ReasonSiteKeyNotAdopted,
	"The site signs with key 1111aaaa2222bbbb still: have it read Secret shop-site again"))

// golden compares a text with a file of testdata. After a change that is meant: UPDATE_GOLDEN=1 go test ./controllers/plugin
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
