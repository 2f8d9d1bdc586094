// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"sync"
)

// identity is who Telegram says the bot is: unknown until it was asked.
type identity struct {
	mu sync.Mutex
	me userInfo
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
