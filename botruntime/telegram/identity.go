// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strconv"
	"strings"
	"sync"
)

// identity is who Telegram says the bot is: until it was asked, no more than the token says.
type identity struct {
	mu sync.Mutex
	me userInfo
}

// newIdentity begins with the number of a token, which is the bot's.
func newIdentity(token string) *identity {
	number, _, _ := strings.Cut(token, ":")
	id, _ := strconv.ParseInt(number, 10, 64) // 0 of a token that Telegram cannot know
	return &identity{me: userInfo{ID: id}}
}

func (i *identity) set(me userInfo) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.me = me
}

func (i *identity) get() userInfo {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.me
}

// isNamed tells whether a name, without its @, is the bot's.
func (i *identity) isNamed(name string) bool {
	return name != "" && strings.EqualFold(name, i.get().Username)
}
