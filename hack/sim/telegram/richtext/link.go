// SPDX-License-Identifier: Apache-2.0

package richtext

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/go-telegram/bot/models"
)

// setLink makes e a link to target, or a mention of a user. It returns false for what Telegram ignores without a word.
func setLink(e *Entity, target string) bool {
	if id, ok := linkedUser(target); ok {
		e.Type, e.User = models.MessageEntityTypeTextMention, &models.User{ID: id}
		return true
	}
	link, ok := CheckedLink(target)
	if !ok {
		return false
	}
	e.Type, e.URL = models.MessageEntityTypeTextLink, link
	return true
}

// linkedUser reads the user of a tg://user?id=N link.
func linkedUser(target string) (id int64, ok bool) {
	rest, found := strings.CutPrefix(strings.ToLower(target), "tg://user?id=")
	if !found {
		return 0, false
	}
	id, err := strconv.ParseInt(rest, 10, 64)
	return id, err == nil && id > 0
}

// CheckedLink returns target as Telegram would store it (with a scheme, the host in lower case, a path), and false
// for a target that it would not link to, such as one whose host has no dot.
func CheckedLink(target string) (string, bool) {
	target = strings.TrimSpace(target)
	lower := strings.ToLower(target)
	if strings.HasPrefix(lower, "tg://") || strings.HasPrefix(lower, "ton://") || strings.HasPrefix(lower, "tonsite://") {
		return target, true
	}
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" {
		return "", false
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	host := u.Hostname()
	if u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ftp" ||
		!strings.Contains(host, ".") || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") {
		return "", false
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), true
}
