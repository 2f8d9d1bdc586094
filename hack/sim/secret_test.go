// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// TestTheSitesSecretIsFollowed: the site signs with the key that is in the directory now.
func TestTheSitesSecretIsFollowed(t *testing.T) {
	dir := t.TempDir()
	write := func(secret string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, v1alpha1.SiteHMACKey), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := site.New(site.Config{AnyOrigin: true})
	listener := httptest.NewServer(server)
	defer func() { server.Close(); listener.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := followSecret(ctx, dir, server); err == nil {
		t.Error("an empty directory is followed")
	}
	write("first")
	followed, err := followSecret(ctx, dir, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); followed() }()
	ws, _, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(listener.URL, "http")+site.DefaultPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	signs := func(secret string) bool {
		if _, err := server.Send(map[string]int{"feedback_id": 1}); err != nil {
			t.Fatal(err)
		}
		_, data, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		key, err1 := wire.NewKey([]byte(secret))
		frame, err2 := wire.Decode(data, wire.DefaultLimits())
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		_, err = frame.Feedback.Verify(wire.NewKeyRing(key), time.Now(), time.Minute)
		return err == nil
	}
	if !signs("first") {
		t.Error("not signed with the key that is there")
	}
	write("second")
	for deadline := time.Now().Add(20 * time.Second); !signs("second"); {
		if time.Now().After(deadline) {
			t.Fatal("the new key is not taken over")
		}
	}
}
