// SPDX-License-Identifier: Apache-2.0

package django

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// once is the directory of what is made once for all tests; TestMain takes it away.
var once string

func TestMain(m *testing.M) {
	var err error
	if once, err = os.MkdirTemp("", "django-once"); err != nil {
		panic(err)
	}
	code := pgtest.Main(m)
	if err := os.RemoveAll(once); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// root is the repository's.
var root = sync.OnceValue(func() string {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		panic(err)
	}
	return dir
})

// bot is this source tree's, unless BOT names the program of another version.
var bot = sync.OnceValues(func() (string, error) {
	if named := os.Getenv("BOT"); named != "" {
		return named, nil
	}
	return BuildBot(root(), once, raceDetector)
})
