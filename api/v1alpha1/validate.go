// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// chatIDPattern admits what fits into 64 bits; Telegram's ids have at most 52.
var chatIDPattern = regexp.MustCompile(`^-?[1-9][0-9]{0,17}$`)

// Validate checks a manifest that comes from a file, after SetDefaults, for what the bot depends on. Objects from an
// API server have passed the CRD's own, stricter rules, and need only the checks that CEL cannot do.
func (b *FeedbackBridge) Validate() error {
	s := &b.Spec
	return errors.Join(
		validateURL("spec.site.url", s.Site.URL, "wss", "ws", isTrue(s.Site.AllowInsecure)),
		validateNoToken(s.Site.URL),
		validateURL("spec.telegram.apiURL", s.Telegram.APIURL, "https", "http", isTrue(s.Telegram.AllowInsecure)),
		validateOneOf("spec.site.tokenIn", s.Site.TokenIn, TokenInQuery, TokenInHeader),
		validateOneOf("spec.telegram.language", s.Telegram.Language, LanguageRussian, LanguageEnglish),
		validateOneOf("spec.runtime.logLevel", s.Runtime.LogLevel, "debug", "info", "warn", "error"),
		validateChatID(s.Telegram.ChatID),
		validateTimeZone(s.Telegram.TimeZone),
		validateRange("spec.site.pingInterval", s.Site.PingInterval, time.Second, 5*time.Minute),
		validateRange("spec.credentials.hmac.messageTTL", s.Credentials.HMAC.MessageTTL, 5*time.Second, time.Hour),
		validateLimit("spec.telegram.limits.perChat", s.Telegram.Limits.PerChat),
		validateLimit("spec.telegram.limits.overall", s.Telegram.Limits.Overall),
	)
}

func isTrue(b *bool) bool { return b != nil && *b }

func validateURL(field, value, secure, insecure string, allowInsecure bool) error {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%s: write an address such as %s://host/path, without user name or fragment", field, secure)
	case !validPort(u.Port()):
		return fmt.Errorf("%s: the port must be between 1 and 65535", field)
	case u.Scheme == secure, u.Scheme == insecure && allowInsecure:
		return nil
	case u.Scheme == insecure:
		return fmt.Errorf("%s: must start with %s://; for a test, set allowInsecure: true beside it", field, secure)
	default:
		return fmt.Errorf("%s: must start with %s://", field, secure)
	}
}

// validPort is whether a URL's port, which may be left out, can be dialled.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || (err == nil && n > 0)
}

func validateNoToken(siteURL string) error {
	if u, err := url.Parse(siteURL); err == nil && u.Query().Has("token") {
		return errors.New("spec.site.url: must not carry the token: put it into the credentials")
	}
	return nil
}

func validateOneOf[T ~string](field string, value T, allowed ...T) error {
	names := make([]string, 0, len(allowed))
	for _, a := range allowed {
		if value == a {
			return nil
		}
		names = append(names, string(a))
	}
	return fmt.Errorf("%s: %q is not one of %s", field, string(value), strings.Join(names, ", "))
}

func validateChatID(id string) error {
	if !chatIDPattern.MatchString(id) {
		return errors.New(`spec.telegram.chatID: write the chat's numeric id in quotes, such as "-1001234567890"`)
	}
	return nil
}

func validateTimeZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		return fmt.Errorf("spec.telegram.timeZone: %q is not an IANA time zone: write one such as Europe/Moscow", name)
	}
	return nil
}

func validateRange(field string, d Duration, least, most time.Duration) error {
	v, err := d.Value()
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", field, err)
	case v < least || v > most:
		return fmt.Errorf("%s: must be between %s and %s", field, least, most)
	}
	return nil
}

func validateLimit(field string, l RateLimit) error {
	if l.Messages == nil || *l.Messages < 0 {
		return fmt.Errorf("%s.messages: must be 0 (no limit) or more", field)
	}
	return validateRange(field+".window", l.Window, 100*time.Millisecond, time.Hour)
}
