// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"strconv"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// A group that became a supergroup has another id. The bot follows it there, and the status names the chat.
func TestAGroupThatBecameASupergroupIsFollowed(t *testing.T) {
	const group, supergroup = int64(-4200), int64(-1004200420042)
	w := world.New(t)
	addChat(w, telegram.Chat{ID: group, Type: telegram.Group, Title: "Support"})
	if err := w.Telegram.Migrate(group, supergroup); err != nil {
		t.Fatal(err)
	}
	w.Bridge.Spec.Telegram.ChatID = strconv.FormatInt(group, 10)
	w.Apply()
	if r := w.Result(w.Send(1, "to the group"), 15*time.Second); !r.OK {
		t.Errorf("result: %+v", r)
	}
	if n := len(w.Telegram.Messages(supergroup)); n != 1 {
		t.Errorf("%d posts in the supergroup, want 1", n)
	}
	world.Eventually(t, time.Minute, "the status names the supergroup", func() (bool, string) {
		if err := world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge); err != nil {
			return false, err.Error()
		}
		s := w.Bridge.Status.Telegram
		return s != nil && s.EffectiveChatID == strconv.FormatInt(supergroup, 10), "it does not"
	})
}
