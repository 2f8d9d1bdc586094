// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// settle is how long the directory must be quiet before it is read again: files are written one by one.
const settle = 100 * time.Millisecond

// followSecret has the site adopt the Secret in a directory, now and whenever it changes, until ctx ends; followed waits for
// that end.
func followSecret(ctx context.Context, dir string, server *site.Server) (followed func(), err error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the site's Secret: %w", err)
	}
	if err := watcher.Add(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, err), watcher.Close())
	}
	if err := adopt(dir, server); err != nil {
		return nil, errors.Join(err, watcher.Close())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = watcher.Close() }() // nobody listens any more
		quiet := time.NewTimer(settle)
		for {
			select {
			case <-ctx.Done():
				return
			case <-watcher.Events:
				quiet.Reset(settle)
			case err := <-watcher.Errors:
				slog.Warn("watch the site's Secret", "error", err)
			case <-quiet.C:
				if err := adopt(dir, server); err != nil {
					slog.Warn("the site's Secret changed and cannot be used; the keys before stay in use", "error", err)
				}
			}
		}
	}()
	return func() { <-ended }, nil
}

// adopt reads the directory and hands it to the site.
func adopt(dir string, server *site.Server) error {
	secret := map[string][]byte{}
	for _, name := range []string{
		v1alpha1.SiteHMACKey, v1alpha1.SiteHMACCurrent, v1alpha1.SiteHMACNext, v1alpha1.SiteHMACPrevious, v1alpha1.SiteJWKS,
	} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the site's Secret: %w", err)
		}
		secret[name] = raw
	}
	return server.Adopt(secret)
}
