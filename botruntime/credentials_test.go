// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

func goodCredentials() map[string]string {
	return map[string]string{
		v1alpha1.FileTelegramToken: "123456:TEST-TOKEN\n", v1alpha1.FileJWT: "jwt\n", v1alpha1.FileHMACCurrent: "current",
	}
}

func writeCredentials(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		writeFile(t, dir, name, content)
	}
}

func keyID(secret string) string { return v1alpha1.KeyID([]byte(secret)) }

func TestOneNewlineIsIgnored(t *testing.T) {
	dir := t.TempDir()
	writeCredentials(t, dir, goodCredentials())
	c, err := readCredentials(dir)
	if err != nil || c.telegramToken != "123456:TEST-TOKEN" || c.site.JWT != "jwt" {
		t.Errorf("%v", err)
	}
}

func TestKeysAreRankedByTheirFiles(t *testing.T) {
	dir := t.TempDir()
	files := goodCredentials()
	files[v1alpha1.FileHMACPrevious], files[v1alpha1.FileHMACNext] = "previous", "next"
	writeCredentials(t, dir, files)
	c, err := readCredentials(dir)
	want := []string{keyID("current"), keyID("next"), keyID("previous")}
	if err != nil || !slices.Equal(c.site.Keys.IDs(), want) {
		t.Errorf("keys %v, want %v: %v", c.site.Keys.IDs(), want, err)
	}
}

func TestTheTokenBeforeIsThereWhereItIsAnother(t *testing.T) {
	for content, want := range map[string]string{"older\n": "older", "jwt\n": ""} {
		dir := t.TempDir()
		files := goodCredentials()
		files[v1alpha1.FileJWTPrevious] = content
		writeCredentials(t, dir, files)
		c, err := readCredentials(dir)
		if err != nil || c.site.JWT != "jwt" || c.site.JWTPrevious != want {
			t.Errorf("%q: the token before is %q, want %q: %v", content, c.site.JWTPrevious, want, err)
		}
	}
}

func TestAnyChangedCredentialIsAChange(t *testing.T) {
	for _, name := range []string{v1alpha1.FileTelegramToken, v1alpha1.FileJWT, v1alpha1.FileJWTPrevious, v1alpha1.FileHMACCurrent,
		v1alpha1.FileHMACNext, v1alpha1.FileHMACPrevious, v1alpha1.FileSiteCA} {
		files, dir := goodCredentials(), t.TempDir()
		writeCredentials(t, dir, files)
		before, err1 := readCredentials(dir)
		writeFile(t, dir, name, "changed")
		after, err2 := readCredentials(dir)
		if err := errors.Join(err1, err2); err != nil || before.equal(after) || !after.equal(after) {
			t.Errorf("%s: equal %v, %v", name, before.equal(after), err)
		}
	}
}

// TestKeyIDs holds the two sides of one contract together: the operator's names of keys, and the bot's.
func TestKeyIDs(t *testing.T) {
	for _, secret := range []string{"k", "a longer secret", "\x00\xff"} {
		key, err := wire.NewKey([]byte(secret))
		if err != nil || key.ID() != keyID(secret) {
			t.Errorf("the bot says %s, the operator %s: %v", key.ID(), keyID(secret), err)
		}
	}
}

func TestWrongCredentialsNameTheFileAndNeverTheValue(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(map[string]string)
		want   string
	}{
		{"a file is missing", func(f map[string]string) { delete(f, v1alpha1.FileJWT) }, "jwt-token"},
		{"a file is empty", func(f map[string]string) { f[v1alpha1.FileHMACCurrent] = "\n" }, "hmac-current is empty"},
		{"a file is huge", func(f map[string]string) { f[v1alpha1.FileHMACNext] = strings.Repeat("secret", maxCredential) }, "hmac-next is larger"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files, dir := goodCredentials(), t.TempDir()
			tc.change(files)
			writeCredentials(t, dir, files)
			if _, err := readCredentials(dir); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// TestAProjectedVolumeIsFollowed changes the directory as the kubelet does: by the swap of a symbolic link.
func TestAProjectedVolumeIsFollowed(t *testing.T) {
	dir := t.TempDir()
	version := func(name string, files map[string]string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		writeCredentials(t, filepath.Join(dir, name), files)
		if err := os.Symlink(name, filepath.Join(dir, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", goodCredentials())
	for name := range goodCredentials() {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openCredentials(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	loaded := make(chan credentials, 8)
	d.onLoad = func(c credentials) { loaded <- c }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.watch(ctx) }()

	broken := goodCredentials()
	broken[v1alpha1.FileHMACCurrent] = ""
	version("..2", broken)
	next := goodCredentials()
	next[v1alpha1.FileHMACCurrent] = "next"
	version("..3", next)
	select {
	case c := <-loaded:
		if got := c.site.Keys.IDs(); !slices.Equal(got, []string{keyID("next")}) {
			t.Errorf("keys: %v", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the change was not noticed")
	}
	select {
	case <-d.changed:
	default:
		t.Error("those who wait for credentials were not told")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
