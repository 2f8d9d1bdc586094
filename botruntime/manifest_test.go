// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodManifest = `apiVersion: feedbackbridge.dev/v1alpha1
kind: FeedbackBridge
metadata: {name: shop}
spec:
  site: {url: wss://shop.example/ws/feedback-bot}
  credentials:
    jwt: {tokenSecretRef: {name: shop, key: jwt}}
    hmac: {secretRef: {name: shop, key: hmac}}
  telegram: {tokenSecretRef: {name: shop, key: telegram}, chatID: "-1001234567890"}
`

func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestManifest(t *testing.T) {
	for _, tc := range []struct {
		name, from, to, want string
	}{
		{"another kind", "kind: FeedbackBridge", "kind: Deployment", "must be of apiVersion feedbackbridge.dev/v1alpha1 and kind FeedbackBridge"},
		{"an unknown field", "spec:", "spec:\n  sites: {}", `unknown field "sites"`},
		{"a plain address", "wss://", "ws://", "must start with wss://"},
		{"a token in the address", "wss://shop.example/ws/feedback-bot", `"wss://shop.example/ws?token=x"`, "must not carry the token"},
		{"a chat's name", `"-1001234567890"`, `"@shop"`, "write the chat's numeric id in quotes"},
		{"an unknown time zone", "telegram: {", "telegram: {timeZone: Mars/Olympus, ", "is not an IANA time zone"},
		{"a short interval", "feedback-bot}", "feedback-bot, pingInterval: 10ms}", "must be between 1s and 5m"},
		{"an unknown protocol", "feedback-bot}", "feedback-bot, protocol: V3}", "spec.site.protocol"},
		{"no YAML", "apiVersion", "\tapiVersion", "yaml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := writeFile(t, t.TempDir(), "bridge.yaml", strings.Replace(goodManifest, tc.from, tc.to, 1))
			if _, err := loadManifest(path); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestSettingsOfAMinimalManifest(t *testing.T) {
	bridge, err := loadManifest(writeFile(t, t.TempDir(), "bridge.yaml", goodManifest))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSettings(bridge)
	if err != nil {
		t.Fatal(err)
	}
	if s.site.PingInterval != 20*time.Second || s.site.MessageTTL != 45*time.Second || s.telegram.ChatID != -1001234567890 ||
		s.telegram.Limits.PerChat.Messages != 20 || s.telegram.Limits.PerChat.Window != time.Minute ||
		s.telegram.Limits.Overall.Messages != 30 || s.telegram.Location.String() != "Europe/Moscow" || s.telegram.Language != "ru" {
		t.Errorf("settings: %+v %+v", s.site, s.telegram)
	}
}

func TestAManifestIsBounded(t *testing.T) {
	path := writeFile(t, t.TempDir(), "bridge.yaml", strings.Repeat("#", maxManifest+1))
	if _, err := loadManifest(path); err == nil || !strings.Contains(err.Error(), "is larger than") {
		t.Errorf("error: %v", err)
	}
}
