// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/site"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/telegram"
)

// settings are the parts of a manifest in the forms that the bot's parts take.
type settings struct {
	site     site.Config
	telegram telegram.Config
	// schema is the bridge's schema in its PostgreSQL database; empty where it has none.
	schema    string
	retention store.Retention
}

// newSettings reads a checked manifest.
func newSettings(bridge *v1alpha1.FeedbackBridge) (settings, error) {
	spec := bridge.Spec
	ping, err1 := spec.Site.PingInterval.Value()
	ttl, err2 := spec.Credentials.HMAC.MessageTTL.Value()
	chat, err3 := telegramSettings(&spec)
	retention, err4 := retentionSettings(spec.Storage.Retention.WithDefaults())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return settings{}, fmt.Errorf("read the manifest: %w", err)
	}
	s := settings{
		site: site.Config{
			URL: spec.Site.URL, TokenIn: spec.Site.TokenIn, PingInterval: ping, MessageTTL: ttl,
			UserAgent: "feedbackbridge-bot/" + version,
		},
		telegram: chat, retention: retention,
	}
	if spec.Site.TLS != nil {
		s.site.ServerName = spec.Site.TLS.ServerName
	}
	if spec.Storage.Postgres != nil {
		s.schema = schemaName(bridge.Namespace, bridge.Name)
	}
	return s, nil
}

func telegramSettings(spec *v1alpha1.FeedbackBridgeSpec) (telegram.Config, error) {
	chatID, err1 := strconv.ParseInt(spec.Telegram.ChatID, 10, 64)
	location, err2 := time.LoadLocation(spec.Telegram.TimeZone)
	perChat, err3 := limit(spec.Telegram.Limits.PerChat)
	overall, err4 := limit(spec.Telegram.Limits.Overall)
	intake, err5 := intakeSettings(spec.Intake.WithDefaults())
	routes, err6 := routeSettings(chatID, spec.Telegram.Routes)
	return telegram.Config{
		APIURL: spec.Telegram.APIURL, ChatID: chatID, Routes: routes, Topics: string(spec.Telegram.Topics), Intake: intake,
		Limits:   telegram.Limits{PerChat: perChat, Overall: overall},
		Language: string(spec.Telegram.Language), Location: location, AdminURL: spec.Site.AdminURL,
	}, errors.Join(err1, err2, err3, err4, err5, err6)
}

func limit(l v1alpha1.RateLimit) (telegram.Limit, error) {
	window, err := l.Window.Value()
	return telegram.Limit{Messages: int(*l.Messages), Window: window}, err
}

func routeSettings(chatID int64, routes []v1alpha1.TelegramRoute) (out []telegram.Route, err error) {
	for _, r := range routes {
		to := telegram.Route{Category: r.Category, ChatID: chatID, ThreadID: r.ThreadID}
		if r.ChatID != "" {
			if to.ChatID, err = strconv.ParseInt(r.ChatID, 10, 64); err != nil {
				return nil, fmt.Errorf("the route of %s: %w", r.Category, err)
			}
		}
		out = append(out, to)
	}
	return out, nil
}

// knownCategories are those that a person chooses from where the spec names none.
var knownCategories = []telegram.Category{{Name: "bug"}, {Name: "wish"}, {Name: "question"}, {Name: "other"}}

func intakeSettings(in v1alpha1.IntakeSpec) (telegram.Intake, error) {
	window, err := in.RateLimit.Window.Value()
	out := telegram.Intake{
		Enabled: *in.DirectMessages, Limit: store.Limit{Uses: int(in.RateLimit.Requests), Window: window},
		MinLength: int(in.MinLength), MaxLength: int(in.MaxLength), Categories: knownCategories,
	}
	if len(in.Categories) > 0 {
		out.Categories = nil
	}
	for _, c := range in.Categories {
		titles := make(map[string]string, len(c.Titles))
		for language, title := range c.Titles {
			titles[language] = string(title)
		}
		out.Categories = append(out.Categories, telegram.Category{Name: c.Name, Icon: c.Icon, Titles: titles})
	}
	return out, err
}

func retentionSettings(r v1alpha1.RetentionSpec) (store.Retention, error) {
	tickets, err1 := r.Tickets.Value()
	events, err2 := r.Events.Value()
	people, err3 := r.People.Value()
	return store.Retention{Tickets: tickets, Events: events, People: people}, errors.Join(err1, err2, err3)
}

// storeOptions are the store's settings; the address of a database is among the credentials.
func (s *settings) storeOptions(state, dsn string) store.Options {
	o := store.Options{Route: s.telegram.Route, Chats: s.telegram.Chats(), Topic: s.telegram.TopicKey, Retention: s.retention}
	if s.schema == "" {
		o.Dir = state
	} else {
		o.DSN, o.Schema = dsn, s.schema
	}
	return o
}

// check is about the credentials that only some manifests ask for.
func (s *settings) check(c credentials) error {
	if s.schema != "" && c.dsn == "" {
		return errors.New("credentials: the file " + v1alpha1.FilePostgresDSN + " is missing, and spec.storage.postgres asks for it")
	}
	return nil
}

// maxSchemaName is PostgreSQL's limit.
const maxSchemaName = 63

// schemaName is the schema of a bridge: fbb_namespace__name. What is too long for PostgreSQL, or could be another bridge's as
// well, ends with a hash of both.
func schemaName(namespace, name string) string {
	if namespace == "" {
		namespace = "default"
	}
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, s)
	}
	// Only hyphens may have become underscores, and none may stand where it looks like the one between the names.
	isPlain := func(s string) bool {
		return strings.ReplaceAll(s, "-", "_") == plain(s) && !strings.Contains("-"+s+"-", "--") && !strings.Contains(s, "_")
	}
	schema := "fbb_" + plain(namespace) + "__" + plain(name)
	if len(schema) <= maxSchemaName && isPlain(namespace) && isPlain(name) {
		return schema
	}
	sum := sha256.Sum256([]byte(namespace + "/" + name))
	const hashed = 12
	return schema[:min(len(schema), maxSchemaName-hashed-1)] + "_" + hex.EncodeToString(sum[:hashed/2])
}
