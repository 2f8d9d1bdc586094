// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// fetching is a bot, and a file of a person's with 1,000 bytes.
func fetching(t *testing.T, test func(t *testing.T, w *world, fetch func(most int) (string, error))) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		id, err := w.Write(sim.Incoming{ChatID: author.ID, By: author, Media: &sim.Media{Kind: sim.Document, Content: []byte(strings.Repeat("0123456789", 100))}})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		m, _ := w.Message(author.ID, id)
		test(t, w, func(most int) (string, error) {
			content, err := w.bot.Desk().Fetch(t.Context(), store.Attachment{FileID: m.Media.FileID}, most)
			return string(content), err
		})
	})
}

func TestFetchesFiles(t *testing.T) {
	for _, tc := range []struct {
		what  string
		fault sim.Fault
		most  int
		ok    bool
		took  time.Duration
	}{
		{"all is well", sim.Fault{}, 1000, true, 0},
		{"larger than wanted", sim.Fault{}, 999, false, 0},
		{"an outage that ends", sim.Fault{Kind: sim.FaultInternal, Methods: []string{"getFile"}, Times: 2}, 1000, true, 3 * time.Second},
		{"a download that breaks off", sim.Fault{Kind: sim.FaultReset, Methods: []string{"download"}, Times: 1}, 1000, true, time.Second},
		{"an outage", sim.Fault{Kind: sim.FaultBadGateway, Methods: []string{"download"}}, 1000, false, fetchTimeout},
		{"silence", sim.Fault{Kind: sim.FaultHang, Methods: []string{"download"}}, 1000, false, fetchTimeout},
		{"too many requests", sim.Fault{Kind: sim.FaultTooManyRequests, Methods: []string{"getFile"}, RetryAfter: 5, Times: 1}, 1000, true, 5 * time.Second},
		{"a refusal", sim.Fault{Kind: sim.FaultRefused, Methods: []string{"getFile"}, Description: "file is too big"}, 1000, false, 0},
		{"gone", sim.Fault{Kind: sim.FaultRefused, Methods: []string{"download"}, Description: "Not Found"}, 1000, false, 0},
	} {
		t.Run(tc.what, func(t *testing.T) {
			fetching(t, func(t *testing.T, w *world, fetch func(int) (string, error)) {
				if tc.fault.Kind != "" {
					if err := w.SetFaults(tc.fault); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				content, err := fetch(tc.most)
				if (err == nil) != tc.ok || tc.ok && len(content) != 1000 {
					t.Errorf("fetched %d bytes: %v", len(content), err)
				}
				if took := time.Since(began); took < tc.took || took > tc.took+time.Second {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
				if err != nil && strings.Contains(err.Error(), "TEST-TOKEN") {
					t.Errorf("the token is in %q", err)
				}
			})
		})
	}
}

// Of a server that is no friend nothing is made: neither a path that leads elsewhere nor more than was asked for.
func TestFetchesFromAHostileServer(t *testing.T) {
	const good = "photos/a.jpg"
	for _, path := range []string{good, "photos/../../secret.jpg", "/var/lib/file.jpg", "photos/a.jpg?x=y", "//host/a.jpg", "", "photos",
		`photos/a\b.jpg`, "photos/.."} {
		want, requests := errNoFile, 1
		if path == good {
			want, requests = errTooLarge, 2
		}
		synctest.Test(t, func(t *testing.T) {
			var asked []string
			server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.Path)
				if strings.HasSuffix(r.URL.Path, "/getFile") {
					_, _ = fmt.Fprintf(w, `{"ok":true,"result":{"file_path":%q,"file_size":10}}`, path)
					return
				}
				_, _ = w.Write(make([]byte, 2000))
			})
			cfg := Config{Token: sim.TestToken, APIURL: "http://telegram.test", HTTPClient: &http.Client{Transport: inProcess{server}}}
			_, err := newAPI(&cfg).fetch(t.Context(), "id", 1000)
			if !errors.Is(err, want) || len(asked) != requests {
				t.Errorf("%q: %v after %q", path, err, asked)
			}
		})
	}
}
