// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"slices"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// menuEntry is a command in the menu that Telegram shows.
type menuEntry struct {
	Command     string `json:"command"`
	Description string `json:"description"`
}

// menu is the menu of a scope for those who speak a language, or for all others where it is empty.
type menu struct {
	Scope    menuScope   `json:"scope"`
	Language string      `json:"language_code,omitempty"`
	Commands []menuEntry `json:"commands,omitempty"`
}

// menuScope is where a menu is shown. ChatID belongs to chat_administrators and chat.
type menuScope struct {
	Type   string `json:"type"`
	ChatID int64  `json:"chat_id,omitempty"`
}

var (
	directMenu = []string{"feedback", "status", "cancel", "help"}
	closedMenu = []string{"start", "help"} // where the bot takes no feedback
	staffMenu  = []string{"open", "ticket", "close", "ban", "unban", "stats", "help"}
)

// menus are all menus: of private chats, by language, and of the staff's chats for their administrators. Each ends with help.
func menus(cfg *Config, effectiveChat func(int64) int64) []menu {
	direct := directMenu
	if !cfg.Intake.Enabled {
		direct = closedMenu
	}
	private := menuScope{Type: "all_private_chats"}
	out := []menu{{Scope: private, Commands: entries(direct, ticket.Texts(cfg.Language).Commands)}}
	for _, language := range ticket.Languages {
		out = append(out, menu{private, language, entries(direct, ticket.Texts(language).Commands)})
	}
	for _, id := range cfg.Chats() {
		staff := menu{Scope: menuScope{"chat_administrators", effectiveChat(id)}, Commands: entries(staffMenu, ticket.Texts(cfg.Language).StaffCommands)}
		if id > 0 { // a private chat has no administrators, and whoever it is of may write feedback, too
			staff.Scope.Type = "chat"
			staff.Commands = append(entries(direct[:len(direct)-1], ticket.Texts(cfg.Language).Commands), staff.Commands...)
		}
		out = append(out, staff)
	}
	return out
}

func entries(names []string, descriptions map[string]string) (out []menuEntry) {
	for _, name := range names {
		out = append(out, menuEntry{name, descriptions[name]})
	}
	return out
}

// registrar sees to it that Telegram shows the bot's commands. It writes what differs, once for every token.
type registrar struct {
	cfg           *Config
	api           *api
	effectiveChat func(int64) int64
}

func (r *registrar) run(ctx context.Context) {
	retry := backoff{jitter: r.cfg.Rand}
	for ctx.Err() == nil {
		changed := r.api.tokenChanged()
		var wait = forever
		for _, m := range menus(r.cfg, r.effectiveChat) {
			if v := r.register(ctx, m); v.wait > 0 || !v.done && !v.final {
				wait = max(retry.next(), v.wait)
				break
			}
		}
		if wait == forever {
			retry.reset()
		}
		_ = pause(ctx, wait, changed)
	}
}

// register writes a menu if Telegram shows another one. A refusal is final: there are no administrators to show it to in
// a channel, say.
func (r *registrar) register(ctx context.Context, m menu) verdict {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var shown []menuEntry
	err := r.api.call(ctx, "getMyCommands", menu{Scope: m.Scope, Language: m.Language}, &shown)
	if err == nil && slices.Equal(shown, m.Commands) {
		return verdict{done: true}
	}
	if err == nil {
		err = r.api.call(ctx, "setMyCommands", m, new(bool))
	}
	var refusal *refusalError
	switch {
	case err == nil:
		return verdict{done: true}
	case errors.As(err, &refusal) && refusal.Code >= 400 && refusal.Code < 429 && refusal.Code != 401:
		r.cfg.Logger.Info("the menu of commands is not shown", "scope", m.Scope.Type, "why", refusal.Description)
		return verdict{final: true}
	}
	v := judge(err, r.cfg.ChatID)
	r.cfg.Logger.Debug("the commands are not registered yet", "why", v.message)
	return v
}
