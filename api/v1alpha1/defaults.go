// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Defaults of the spec. Those that the CRD also sets are kept equal by a test.
const (
	DefaultPingInterval = Duration("20s")
	DefaultMessageTTL   = Duration("45s")
	DefaultHMACOverlap  = Duration("24h")
	DefaultJWTTTL       = Duration("24h")
	DefaultJWTSubject   = "feedback-bot"
	DefaultAPIURL       = "https://api.telegram.org"
	DefaultTimeZone     = "Europe/Moscow"
	DefaultStorageSize  = "1Gi"
	DefaultLogLevel     = LogLevel("info")
	// DefaultPostgresPort is where PostgreSQL listens.
	DefaultPostgresPort = int32(5432)
)

// Defaults of what an object keeps as it was written. They stand in the fields' descriptions; a test compares.
const (
	DefaultIntakeRequests  = int32(5)
	DefaultIntakeWindow    = Duration("10m")
	DefaultMinLength       = int32(10)
	DefaultMaxLength       = int32(2000)
	DefaultTicketRetention = Duration("2160h")
	DefaultEventRetention  = Duration("720h")
	DefaultPeopleRetention = Duration("4320h")
)

// SetDefaults fills what the CRD would fill, for a manifest that comes from a file.
func (b *FeedbackBridge) SetDefaults() {
	s := &b.Spec
	setDefault(&s.Site.TokenIn, TokenInQuery)
	setDefault(&s.Site.PingInterval, DefaultPingInterval)
	setDefault(&s.Credentials.HMAC.MessageTTL, DefaultMessageTTL)
	setDefault(&s.Telegram.APIURL, DefaultAPIURL)
	setDefault(&s.Telegram.Language, LanguageRussian)
	setDefault(&s.Telegram.TimeZone, DefaultTimeZone)
	setDefault(&s.Telegram.Limits.PerChat, RateLimit{Messages: new(int32(20)), Window: "1m"})
	setDefault(&s.Telegram.Limits.Overall, RateLimit{Messages: new(int32(30)), Window: "1s"})
	if s.Storage.PersistentVolumeClaim == nil && s.Storage.Postgres == nil && s.Storage.Ephemeral == nil {
		s.Storage.PersistentVolumeClaim = &VolumeClaimSpec{}
	}
	if pvc := s.Storage.PersistentVolumeClaim; pvc != nil && pvc.Size == nil {
		pvc.Size = new(resource.MustParse(DefaultStorageSize))
	}
	setDefault(&s.Runtime.LogLevel, DefaultLogLevel)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Value is the duration's length. The CRD's pattern and ranges hold for objects that come from the API server.
func (d Duration) Value() (time.Duration, error) {
	v, err := time.ParseDuration(string(d))
	if err != nil {
		return 0, fmt.Errorf("duration %q: write it as 20s, 1m30s or 24h", string(d))
	}
	return v, nil
}

// Or is d, or other where d is empty.
func (d Duration) Or(other Duration) Duration {
	if d == "" {
		return other
	}
	return d
}

// WithDefaults is the intake with everything that was left out, except for categories.
func (s *IntakeSpec) WithDefaults() IntakeSpec {
	in := *s.DeepCopy()
	if in.DirectMessages == nil {
		in.DirectMessages = new(true)
	}
	if in.RateLimit == nil {
		in.RateLimit = &IntakeLimit{Requests: DefaultIntakeRequests, Window: DefaultIntakeWindow}
	}
	setDefault(&in.MinLength, DefaultMinLength)
	setDefault(&in.MaxLength, DefaultMaxLength)
	return in
}

// WithDefaults is the retention with everything that was left out.
func (r RetentionSpec) WithDefaults() RetentionSpec {
	setDefault(&r.Tickets, DefaultTicketRetention)
	setDefault(&r.Events, DefaultEventRetention)
	setDefault(&r.People, DefaultPeopleRetention)
	return r
}
