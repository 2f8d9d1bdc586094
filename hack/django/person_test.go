// SPDX-License-Identifier: Apache-2.0

package django

import (
	"os"
	"strconv"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/django/person"
)

// A person's way, in both languages. PICTURES=docs/images keeps what is seen.
func TestPersonsPath(t *testing.T) {
	for _, language := range []string{"en", "ru"} {
		t.Run(language, func(t *testing.T) {
			w := newWorld(t, plan{kind: Portal, language: language})
			w.connected()
			pictures := os.Getenv("PICTURES")
			if pictures == "" {
				pictures = w.dir
			}
			person.Path(t, language, "http://"+w.proxy.Address()+"/", w.botConfig.Telegram+"/#"+strconv.FormatInt(group, 10), pictures)
		})
	}
}
