// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/site"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	// maxCredential bounds one credential file.
	maxCredential = 1 << 20
	// settle is how long the directory must be quiet before it is read again: files are written one by one.
	settle = 100 * time.Millisecond
)

// credentials are the contents of the credentials directory.
type credentials struct {
	telegramToken string
	site          site.Credentials
	// dsn is the address of the bot's database; empty where it has none.
	dsn string
}

// readCredentials reads the directory whole; what is missing or malformed is an error that names the file.
func readCredentials(dir string) (credentials, error) {
	files := map[string][]byte{}
	var errs []error
	for name, required := range map[string]bool{
		v1alpha1.FileTelegramToken: true, v1alpha1.FileJWT: true, v1alpha1.FileHMACCurrent: true,
		v1alpha1.FileJWTPrevious: false, v1alpha1.FileHMACNext: false, v1alpha1.FileHMACPrevious: false, v1alpha1.FileSiteCA: false,
		v1alpha1.FilePostgresDSN: false,
	} {
		data, err := readBounded(filepath.Join(dir, name), maxCredential)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !required:
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("credentials: %w", err))
			continue
		}
		if data = v1alpha1.CredentialValue(data); len(data) == 0 {
			errs = append(errs, fmt.Errorf("credentials: %s is empty", name))
		}
		files[name] = data
	}
	if err := errors.Join(errs...); err != nil {
		return credentials{}, err
	}
	var keys []wire.Key
	for _, name := range []string{v1alpha1.FileHMACCurrent, v1alpha1.FileHMACNext, v1alpha1.FileHMACPrevious} {
		if files[name] == nil {
			continue
		}
		key, err := wire.NewKey(files[name])
		if err != nil {
			return credentials{}, fmt.Errorf("credentials: %s: %w", name, err)
		}
		keys = append(keys, key)
	}
	c := credentials{telegramToken: string(files[v1alpha1.FileTelegramToken]), dsn: string(files[v1alpha1.FilePostgresDSN]), site: site.Credentials{
		JWT: string(files[v1alpha1.FileJWT]), JWTPrevious: string(files[v1alpha1.FileJWTPrevious]),
		Keys: wire.NewKeyRing(keys...), CA: files[v1alpha1.FileSiteCA],
	}}
	if c.site.JWTPrevious == c.site.JWT {
		c.site.JWTPrevious = "" // to be refused twice would help nobody
	}
	return c, nil
}

// credentialsDir is the credentials as they are now. It is watched: a Secret that changes reaches a running bot.
type credentialsDir struct {
	dir     string
	log     *slog.Logger
	changed chan struct{}
	onLoad  func(credentials)

	mu  sync.RWMutex
	now credentials
}

func openCredentials(dir string, log *slog.Logger) (*credentialsDir, error) {
	now, err := readCredentials(dir)
	if err != nil {
		return nil, err
	}
	return &credentialsDir{dir: dir, log: log, changed: make(chan struct{}, 1), onLoad: func(credentials) {}, now: now}, nil
}

func (d *credentialsDir) current() credentials {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now
}

// watch reads the directory again whenever it changes, until ctx ends. What cannot be used leaves the credentials as
// they were.
func (d *credentialsDir) watch(ctx context.Context) (err error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the credentials: %w", err)
	}
	defer func() { err = errors.Join(err, watcher.Close()) }()
	if err := watcher.Add(d.dir); err != nil {
		return fmt.Errorf("watch %s: %w", d.dir, err)
	}
	d.load() // what changed since the directory was first read
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
			quiet.Reset(settle)
		case err := <-watcher.Errors:
			d.log.Warn("watch the credentials", "error", err)
			quiet.Reset(settle)
		case <-quiet.C:
			d.load()
		}
	}
}

func (d *credentialsDir) load() {
	next, err := readCredentials(d.dir)
	if err == nil && next.dsn == "" && d.current().dsn != "" {
		err = errors.New("credentials: " + v1alpha1.FilePostgresDSN + " is gone")
	}
	if err != nil {
		d.log.Error("the credentials changed and cannot be used; those before stay in use", "error", err)
		return
	}
	d.mu.Lock()
	same := d.now.equal(next)
	d.now = next
	d.mu.Unlock()
	if same {
		return
	}
	d.log.Info("credentials reloaded", "hmacKeys", next.site.Keys.IDs())
	d.onLoad(next)
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

func (c credentials) equal(other credentials) bool {
	return c.telegramToken == other.telegramToken && c.dsn == other.dsn && c.site.JWT == other.site.JWT &&
		c.site.JWTPrevious == other.site.JWTPrevious && bytes.Equal(c.site.CA, other.site.CA) &&
		slices.Equal(c.site.Keys.IDs(), other.site.Keys.IDs())
}
