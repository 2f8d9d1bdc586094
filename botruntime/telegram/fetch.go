// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	// fetchTimeout bounds how long a file is fetched, with all tries.
	fetchTimeout = 20 * time.Second
	// fetchRetry is the pause after the first try that had no answer; it doubles from one to the next.
	fetchRetry = time.Second
)

// pathPattern is the form of what Telegram calls a file's path. Nothing else may become part of an address.
var pathPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$`)

// fetch returns the content of a file of Telegram's, of at most so many bytes. Where Telegram does not answer, it is asked
// again for a while.
func (a *api) fetch(ctx context.Context, fileID string, most int) (content []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	for wait := fetchRetry; ; wait *= 2 {
		content, err = a.fetchOnce(ctx, fileID, most)
		asked, later := mayComeLater(err)
		if !later || pause(ctx, max(wait, asked), nil) != nil {
			return content, err
		}
	}
}

// mayComeLater tells whether another try may do, and how long Telegram asked to wait before.
func mayComeLater(err error) (wait time.Duration, later bool) {
	var refusal *refusalError
	var outage *outageError
	if errors.As(err, &refusal) {
		return refusal.RetryAfter, refusal.Code == http.StatusTooManyRequests
	}
	return 0, errors.As(err, &outage)
}

// errNoFile is a file that the Bot API server does not give out.
var errNoFile = errors.New("the Bot API server names no file that can be downloaded")

func (a *api) fetchOnce(ctx context.Context, fileID string, most int) ([]byte, error) {
	var found struct {
		Path string `json:"file_path"`
		Size int64  `json:"file_size"`
	}
	params := struct {
		FileID string `json:"file_id"`
	}{fileID}
	if err := a.call(ctx, "getFile", params, &found); err != nil {
		return nil, err
	}
	switch {
	case found.Size > int64(most):
		return nil, errTooLarge
	case !pathPattern.MatchString(found.Path), strings.Contains(found.Path, ".."):
		return nil, errNoFile
	}
	content, err := a.transport.get(ctx, a.fileAddress(found.Path), most)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return content, nil
}
