// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The manifest that the operator of the version before wrote for a bot: this version's bot reads it, strictly even.
func TestManifestOfAnOlderOperator(t *testing.T) {
	bridge, err := loadManifest(filepath.Join("testdata", "manifest-previous.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSettings(bridge); err != nil {
		t.Fatal(err)
	}
}

// A manifest with fields that the bot does not know comes from a newer operator, if the bot runs in a pod that an
// operator made. Anywhere else a person has misspelt something.
func TestManifestOfANewerOperator(t *testing.T) {
	newer := strings.NewReplacer(
		"  site: {", "  escalation: {after: 1h, to: [a, b]}\n  site: {heartbeats: {every: 5s}, ",
		"metadata: {name: shop}", "metadata: {name: shop, labels: {a: b}}\nextra: 1",
	).Replace(goodManifest)
	path := writeFile(t, t.TempDir(), "bridge.yaml", newer)
	t.Run("in a pod", func(t *testing.T) {
		t.Setenv(envPod, "shop-bot-1")
		bridge, err := loadManifest(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bridge.Spec.Site.URL, "wss://shop.example/ws/feedback-bot"; got != want {
			t.Errorf("beside a field that is not known, the site is %q, want %q", got, want)
		}
	})
	t.Run("a person's", func(t *testing.T) {
		t.Setenv(envPod, "")
		if _, err := loadManifest(path); err == nil || !strings.Contains(err.Error(), "unknown field") {
			t.Errorf("error %v, want one of an unknown field", err)
		}
	})
}

// What a newer operator may not do either is to change what a known field means: that ends the bot with what is wrong.
func TestManifestThatIsMalformedInAPod(t *testing.T) {
	t.Setenv(envPod, "shop-bot-1")
	for name, change := range map[string][2]string{
		"another type":    {`chatID: "-1001234567890"`, "chatID: {id: 1}"},
		"an unknown enum": {"telegram: {", "telegram: {language: de, "},
		"no YAML":         {"apiVersion", "\tapiVersion"},
	} {
		path := writeFile(t, t.TempDir(), "bridge.yaml", strings.Replace(goodManifest, change[0], change[1], 1))
		if _, err := loadManifest(path); err == nil {
			t.Errorf("%s is read as if nothing were wrong", name)
		}
	}
}

// A bot's credentials directory as a newer operator may fill it: files of names that the bot does not know are left alone.
func TestCredentialsOfANewerOperator(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"telegram-token": "123456:TEST-TOKEN", "jwt-token": "token", "hmac-current": "a", "hmac-after-next": "z", "jwt-retired": "old",
	} {
		writeFile(t, dir, name, value)
	}
	if err := os.Mkdir(filepath.Join(dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := readCredentials(dir)
	if err != nil {
		t.Fatal(err)
	}
	if ids := c.site.Keys.IDs(); len(ids) != 1 {
		t.Errorf("the bot accepts the keys %v, want one", ids)
	}
}
