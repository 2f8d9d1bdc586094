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
		validateOneOf("spec.site.protocol", s.Site.Protocol, "", SiteProtocolAuto, SiteProtocolV1, SiteProtocolV2),
		validateOneOf("spec.telegram.language", s.Telegram.Language, LanguageRussian, LanguageEnglish),
		validateOneOf("spec.runtime.logLevel", s.Runtime.LogLevel, "debug", "info", "warn", "error"),
		validateChatID("spec.telegram.chatID", s.Telegram.ChatID),
		validateTimeZone(s.Telegram.TimeZone),
		validateRange("spec.site.pingInterval", s.Site.PingInterval, time.Second, 5*time.Minute),
		validateRange("spec.credentials.hmac.messageTTL", s.Credentials.HMAC.MessageTTL, 5*time.Second, time.Hour),
		validateLimit("spec.telegram.limits.perChat", s.Telegram.Limits.PerChat),
		validateLimit("spec.telegram.limits.overall", s.Telegram.Limits.Overall),
		validateRoutes(s.Telegram.Routes),
		validateOneOf("spec.telegram.topics", s.Telegram.Topics, "", TopicsNone, TopicsPerCategory, TopicsPerTicket),
		s.Intake.validate(),
		s.Storage.validate(),
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

func validateChatID(field, id string) error {
	if !chatIDPattern.MatchString(id) {
		return errors.New(field + `: write the chat's numeric id in quotes, such as "-1001234567890"`)
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

func validateRoutes(routes []TelegramRoute) error {
	var errs []error
	seen := map[string]bool{}
	for i, r := range routes {
		field := fmt.Sprintf("spec.telegram.routes[%d]", i)
		switch {
		case r.Category == "":
			errs = append(errs, fmt.Errorf("%s.category: name the category whose tickets go there", field))
		case seen[r.Category]:
			errs = append(errs, fmt.Errorf("%s: the category %q has a route already", field, r.Category))
		case r.ChatID == "" && r.ThreadID == 0:
			errs = append(errs, fmt.Errorf("%s: a route needs a chatID, a threadID or both: say where its category goes", field))
		case r.ThreadID < 0:
			errs = append(errs, fmt.Errorf("%s.threadID: must be more than 0", field))
		case r.ChatID != "":
			errs = append(errs, validateChatID(field+".chatID", r.ChatID))
		}
		seen[r.Category] = true
	}
	return errors.Join(errs...)
}

// categoryPattern admits what fits into a button's data and a hashtag.
var categoryPattern = regexp.MustCompile(`^[a-z0-9_]{1,20}$`)

func (s *IntakeSpec) validate() error {
	in := s.WithDefaults()
	errs := []error{validateRange("spec.intake.rateLimit.window", in.RateLimit.Window, time.Second, 720*time.Hour)}
	if in.RateLimit.Requests < 1 {
		errs = append(errs, errors.New("spec.intake.rateLimit.requests: must be 1 or more"))
	}
	if in.MinLength < 1 || in.MaxLength > 4000 || in.MinLength > in.MaxLength {
		errs = append(errs, errors.New("spec.intake: minLength must be at least 1, maxLength at most 4000, and minLength not more than maxLength"))
	}
	seen := map[string]bool{}
	for i, c := range in.Categories {
		field := fmt.Sprintf("spec.intake.categories[%d]", i)
		if !categoryPattern.MatchString(c.Name) {
			errs = append(errs, fmt.Errorf("%s.name: must be at most 20 of a-z, 0-9 and '_': what people read goes into titles", field))
		}
		if seen[c.Name] {
			errs = append(errs, fmt.Errorf("%s: the category %q is there already", field, c.Name))
		}
		seen[c.Name] = true
		for language := range c.Titles {
			errs = append(errs, validateOneOf(field+".titles", Language(language), LanguageRussian, LanguageEnglish))
		}
	}
	return errors.Join(errs...)
}

func (s *StorageSpec) validate() error {
	places := 0
	for _, given := range []bool{s.PersistentVolumeClaim != nil, s.Postgres != nil, s.Ephemeral != nil} {
		if given {
			places++
		}
	}
	var one error
	if places > 1 {
		one = errors.New("spec.storage: takes one of persistentVolumeClaim, postgres and ephemeral: remove the others")
	}
	const day, decade = 24 * time.Hour, 87600 * time.Hour
	r := s.Retention.WithDefaults()
	return errors.Join(one,
		validateRange("spec.storage.retention.tickets", r.Tickets, day, decade),
		validateRange("spec.storage.retention.events", r.Events, time.Hour, decade),
		validateRange("spec.storage.retention.people", r.People, day, decade))
}
