// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	standaloneSite     = "127.0.0.1:8082"
	standaloneTelegram = "127.0.0.1:8081"
	standaloneToken    = "123456:EXAMPLE-TOKEN"
)

// standaloneManifest is the sample bridge as the bot takes it from a file.
const standaloneManifest = `apiVersion: feedbackbridge.dev/v1alpha1
kind: FeedbackBridge
metadata: {name: shop}
spec:
  site: {url: "ws://` + standaloneSite + `/ws/feedback-bot", allowInsecure: true}
  credentials:
    jwt: {tokenSecretRef: {name: shop-site, key: token}}
    hmac: {secretRef: {name: shop-site, key: hmac}}
  telegram:
    tokenSecretRef: {name: shop-telegram, key: token}
    chatID: "-1001234567890"
    apiURL: http://` + standaloneTelegram + `
    allowInsecure: true
`

// standalone runs the bot and its simulated peers as plain processes, until the person has seen enough.
func standalone(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "feedbackbridge-demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := writeFiles(dir); err != nil {
		return err
	}
	step("a simulated site, a simulated Telegram and the bot, as processes (seconds)")
	credentials := filepath.Join(dir, "credentials")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var started []*exec.Cmd
	defer func() {
		cancel()
		for _, cmd := range started {
			_ = cmd.Wait() // it was told to end by the context
		}
	}()
	for _, args := range [][]string{
		{"bin/sim", "telegram", "--listen", standaloneTelegram, "--token", standaloneToken, "--chat=-1001234567890:Support"},
		{"bin/sim", "site", "--listen", standaloneSite, "--any-token", "--hmac-key-file", filepath.Join(credentials, v1alpha1.FileHMACCurrent)},
		{"bin/feedbackbridge-bot", "run", "--bridge", filepath.Join(dir, "bridge.yaml"), "--credentials", credentials, "--state", filepath.Join(dir, "state")},
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...) // #nosec G204 -- the programs are this repository's own
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 5 * time.Second
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start %s: %w", args[0], err)
		}
		started = append(started, cmd)
	}
	if err := waitFor(ctx, "http://"+standaloneSite+"/sim/connected?wait=30s"); err != nil {
		return err
	}
	if err := carry(ctx, "http://"+standaloneSite, "http://"+standaloneTelegram); err != nil {
		return err
	}
	fmt.Printf("\nLook around:\n  the chat   http://%s\n  the site   http://%s\nStop it all: Ctrl-C\n", standaloneTelegram, standaloneSite)
	<-ctx.Done()
	return nil
}

func writeFiles(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "credentials"), 0o700); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"bridge.yaml": standaloneManifest,
		filepath.Join("credentials", v1alpha1.FileTelegramToken): standaloneToken,
		filepath.Join("credentials", v1alpha1.FileJWT):           "example-only-token",
		filepath.Join("credentials", v1alpha1.FileHMACCurrent):   "example-only-hmac-key",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// waitFor calls an address until its server is there and answers.
func waitFor(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := call(ctx, http.MethodGet, address, nil, new(any))
		if err == nil {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
