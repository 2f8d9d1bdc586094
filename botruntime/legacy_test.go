// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestLegacyFiles(t *testing.T) {
	const counters = `{"site": 41, "tg": 7, "last_updated": "2026-11-22T11:59:59.123456"}`
	for name, c := range map[string]struct {
		files   legacyFiles
		want    store.Legacy
		skipped int
		fails   string
	}{
		"as the Python bot writes them": {
			files: legacyFiles{legacyCounters: []byte(counters),
				legacyUses: []byte(`{"999": ["2026-11-22T11:58:00.5", "2026-11-22T11:50:00"], "1000": []}`)},
			want: store.Legacy{Counters: map[ticket.Source]int64{"site": 41, "tg": 7}, Uses: []store.LegacyUse{
				{PersonID: 999, At: noon.Add(-10 * time.Minute)}, {PersonID: 999, At: noon.Add(-2*time.Minute + 500*time.Millisecond)}}},
		},
		"only one of them": {
			files: legacyFiles{legacyCounters: []byte(`{"tg": 3}`)},
			want:  store.Legacy{Counters: map[ticket.Source]int64{"tg": 3}},
		},
		"zones, old times, and times to come": {
			files: legacyFiles{legacyUses: []byte(`{"5": ["2026-11-22T14:30:00+03:00", "2026-11-22 11:00:00", "2026-11-20T12:00:00", "2026-11-22T12:00:01"]}`)},
			want:  store.Legacy{Uses: []store.LegacyUse{{PersonID: 5, At: noon.Add(-time.Hour)}, {PersonID: 5, At: noon.Add(-30 * time.Minute)}}},
		},
		"entries that make no sense": {
			files: legacyFiles{legacyUses: []byte(`{"x": [], "-1": [], "6": "2026-11-22T11:00:00", "7": ["soon", 12], "8": ["", "2026-11-22T11:00:00"]}`)},
			want:  store.Legacy{Uses: []store.LegacyUse{{PersonID: 8, At: noon.Add(-time.Hour)}}}, skipped: 5,
		},
		"nothing":                {fails: "neither"},
		"an empty file":          {files: legacyFiles{legacyCounters: {}}, fails: legacyCounters},
		"half a file":            {files: legacyFiles{legacyUses: []byte(`{"5": ["2026`)}, fails: legacyUses},
		"a list":                 {files: legacyFiles{legacyUses: []byte(`[]`)}, fails: legacyUses},
		"no counters":            {files: legacyFiles{legacyCounters: []byte(`{"last_updated": ""}`)}, fails: "neither tickets"},
		"a counter of words":     {files: legacyFiles{legacyCounters: []byte(`{"site": "41"}`)}, fails: legacyCounters},
		"a negative counter":     {files: legacyFiles{legacyCounters: []byte(`{"site": -1}`)}, fails: "cannot be"},
		"a counter beyond sense": {files: legacyFiles{legacyCounters: []byte(`{"site": 9000000000000000}`)}, fails: "cannot be"},
		"two broken files": {files: legacyFiles{legacyCounters: []byte("x"), legacyUses: []byte("x")},
			fails: legacyUses},
	} {
		t.Run(name, func(t *testing.T) {
			got, skipped, err := c.files.parse(noon)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error: %v, want one of %q", err, c.fails)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" || skipped != c.skipped {
				t.Errorf("%v; %d skipped, want %d; %s", err, skipped, c.skipped, diff)
			}
		})
	}
}

// archive is a tar archive of files, by their names.
func archive(t testing.TB, files ...[2]string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o600, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestLegacyFilesInAnArchive(t *testing.T) {
	files, err := readLegacyTar(archive(t, [2]string{"./logs/bot.log", "text"}, [2]string{"./logs/" + legacyCounters, "{}"}, [2]string{legacyUses, "[]"}))
	want := legacyFiles{legacyCounters: []byte("{}"), legacyUses: []byte("[]")}
	if diff := cmp.Diff(want, files); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := readLegacyTar(archive(t, [2]string{"a/" + legacyCounters, "{}"}, [2]string{"b/" + legacyCounters, "{}"})); err == nil {
		t.Error("two files of one name: no error")
	}
	if _, err := readLegacyTar(strings.NewReader("no archive, but some text that is longer than nothing")); err == nil {
		t.Error("no archive: no error")
	}
	big := strings.Repeat("x", maxLegacy+1)
	if _, err := readLegacyTar(archive(t, [2]string{legacyUses, big})); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a file that is too large: %v", err)
	}
}

func FuzzLegacyFiles(f *testing.F) {
	f.Add([]byte(`{"site": 1, "tg": 2}`), []byte(`{"1": ["2026-11-22T11:58:00"]}`))
	f.Add([]byte(`{}`), []byte(`{"9223372036854775808": [null]}`))
	f.Fuzz(func(t *testing.T, counters, uses []byte) {
		l, _, err := legacyFiles{legacyCounters: counters, legacyUses: uses}.parse(noon)
		if err != nil {
			return
		}
		for source, n := range l.Counters {
			if n < 0 || n > maxCounter {
				t.Errorf("%s: %d", source, n)
			}
		}
		for _, u := range l.Uses {
			if u.PersonID <= 0 || u.At.After(noon) || noon.Sub(u.At) > store.LegacyWindow {
				t.Error(fmt.Sprint(u))
			}
		}
	})
}
