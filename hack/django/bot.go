// SPDX-License-Identifier: Apache-2.0

package django

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
)

// Bot is the bot's program with its files.
type Bot struct {
	*process.Process
	binary, dir string
}

// BotConfig is what a bot's files say.
type BotConfig struct {
	// Site and Telegram are the addresses of its peers, as URLs; Admin is where the site's staff sees feedback, if that is anywhere.
	Site, Telegram, Admin string
	Chat                  int64
	Language              string
	// Protocol is spec.site.protocol; empty leaves it out.
	Protocol     string
	PingInterval time.Duration
	// JWT, HMACKey and Token are its credentials: for the site, for frames, and Telegram's.
	JWT, HMACKey, Token string
}

const manifest = `apiVersion: feedbackbridge.dev/v1alpha1
kind: FeedbackBridge
metadata: {name: portal}
spec:
  site: {url: %q, allowInsecure: true, pingInterval: %s%s}
  credentials:
    jwt: {tokenSecretRef: {name: portal, key: jwt}}
    hmac: {secretRef: {name: portal, key: hmac}}
  telegram:
    tokenSecretRef: {name: portal, key: telegram}
    chatID: "%d"
    apiURL: %s
    allowInsecure: true
    language: %s
    limits: {perChat: {messages: 0, window: 1s}, overall: {messages: 0, window: 1s}}
`

// NewBot writes a bot's files to dir, which has to be a short path: the bot's socket is in it. It is not started.
func NewBot(binary, dir string, cfg BotConfig) (*Bot, error) {
	b := &Bot{binary: binary, dir: dir}
	if err := os.MkdirAll(b.credentials(), 0o700); err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		v1alpha1.FileTelegramToken: cfg.Token,
		v1alpha1.FileJWT:           cfg.JWT,
		v1alpha1.FileHMACCurrent:   cfg.HMACKey,
	} {
		if err := os.WriteFile(filepath.Join(b.credentials(), name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	return b, b.Configure(cfg)
}

// Configure writes the manifest, which the bot reads when it starts.
func (b *Bot) Configure(cfg BotConfig) error {
	more := ""
	if cfg.Protocol != "" {
		more += ", protocol: " + cfg.Protocol
	}
	if cfg.Admin != "" {
		more += fmt.Sprintf(", adminURL: %q", cfg.Admin)
	}
	address := strings.Replace(cfg.Site, "http", "ws", 1)
	text := fmt.Sprintf(manifest, address, cfg.PingInterval, more, cfg.Chat, cfg.Telegram, cfg.Language)
	return os.WriteFile(b.Manifest(), []byte(text), 0o600)
}

func (b *Bot) credentials() string { return filepath.Join(b.dir, "credentials") }

// Manifest is the file with the bridge.
func (b *Bot) Manifest() string { return filepath.Join(b.dir, "bridge.yaml") }

// State is the directory of its database and socket.
func (b *Bot) State() string { return filepath.Join(b.dir, "state") }

// Log is the file that it writes to.
func (b *Bot) Log() string { return filepath.Join(b.dir, "bot.log") }

// Start runs it.
func (b *Bot) Start() (err error) {
	cmd := exec.Command(b.binary, "run", "--bridge", b.Manifest(), "--credentials", b.credentials(), "--state", b.State()) // #nosec G204
	b.Process, err = process.Launch(cmd, b.Log())
	return err
}

// Kill ends it as a power cut does, but for the disk.
func (b *Bot) Kill() error { return b.End(syscall.SIGKILL) }

// Token is a JWT that lets a bot in: HS256, good for a day.
func Token(secret string, claims jwt.MapClaims) (string, error) {
	all := jwt.MapClaims{"sub": "feedback-bot", "iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString([]byte(secret))
}

// BuildBot builds the bot of this source tree into dir, with the race detector where that is wanted.
func BuildBot(root, dir string, race bool) (binary string, err error) {
	binary = filepath.Join(dir, "feedbackbridge-bot")
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./botruntime")...) // #nosec G204
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the bot: %w\n%s", err, out)
	}
	return binary, nil
}

// Credential replaces one of the bot's files, which it watches.
func (b *Bot) Credential(name, value string) error {
	next := filepath.Join(b.dir, name+".next")
	if err := os.WriteFile(next, []byte(value), 0o600); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(b.credentials(), name))
}
