// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// The files that the earlier bot left behind.
const (
	legacyCounters = "ticket_counter.json"
	legacyUses     = "rate_limit.json"
)

const (
	// maxLegacy bounds each of the files.
	maxLegacy = 16 << 20
	// maxCounter bounds the number of tickets that a file may claim.
	maxCounter = 1_000_000_000_000
)

// legacyFiles are the contents of the files that are there, by their names.
type legacyFiles map[string][]byte

// readLegacyDir reads the files in a directory.
func readLegacyDir(dir string) (legacyFiles, error) {
	files := legacyFiles{}
	for _, name := range []string{legacyCounters, legacyUses} {
		data, err := readBounded(filepath.Join(dir, name), maxLegacy)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if _, err := os.Stat(dir); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		default:
			files[name] = data
		}
	}
	return files, nil
}

// readLegacyTar reads the files from a tar archive, wherever they are in it.
func readLegacyTar(r io.Reader) (legacyFiles, error) {
	files := legacyFiles{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return files, nil
		case err != nil:
			return nil, fmt.Errorf("read the tar archive: %w", err)
		}
		name := path.Base(header.Name)
		if header.Typeflag != tar.TypeReg || name != legacyCounters && name != legacyUses {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(archive, maxLegacy+1))
		switch {
		case err != nil:
			return nil, fmt.Errorf("read %s from the tar archive: %w", name, err)
		case len(data) > maxLegacy:
			return nil, fmt.Errorf("%s is larger than %d bytes", name, maxLegacy)
		case files[name] != nil:
			return nil, fmt.Errorf("%s is in the tar archive twice", name)
		}
		files[name] = data
	}
}

// parse reads what the files say as of now. Entries that make no sense are left out and counted; a file that makes none is
// an error, and so is that there is none.
func (f legacyFiles) parse(now time.Time) (l store.Legacy, skipped int, err error) {
	if len(f) == 0 {
		return l, 0, fmt.Errorf("neither %s nor %s is there", legacyCounters, legacyUses)
	}
	var err1, err2 error
	if data, found := f[legacyCounters]; found {
		l.Counters, err1 = parseCounters(data)
	}
	if data, found := f[legacyUses]; found {
		l.Uses, skipped, err2 = parseUses(data, now)
	}
	return l, skipped, errors.Join(err1, err2)
}

func parseCounters(data []byte) (map[ticket.Source]int64, error) {
	var file struct {
		Site *int64 `json:"site"`
		TG   *int64 `json:"tg"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", legacyCounters, err)
	}
	counters := map[ticket.Source]int64{}
	for source, value := range map[ticket.Source]*int64{ticket.SourceSite: file.Site, ticket.SourceTelegram: file.TG} {
		if value == nil {
			continue
		}
		if *value < 0 || *value > maxCounter {
			return nil, fmt.Errorf("%s: %s counts %d tickets, which cannot be", legacyCounters, source, *value)
		}
		counters[source] = *value
	}
	if len(counters) == 0 {
		return nil, fmt.Errorf("%s: it counts neither tickets of the site nor of Telegram", legacyCounters)
	}
	return counters, nil
}

// parseUses reads the times at which people wrote, those that can still count.
func parseUses(data []byte, now time.Time) (uses []store.LegacyUse, skipped int, err error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", legacyUses, err)
	}
	for id, times := range file {
		person, err := strconv.ParseInt(id, 10, 64)
		var texts []string
		if err != nil || person <= 0 || json.Unmarshal(times, &texts) != nil {
			skipped++
			continue
		}
		for _, text := range texts {
			at, ok := parseLegacyTime(text)
			switch {
			case !ok:
				skipped++
			case !at.After(now) && at.After(now.Add(-store.LegacyWindow)):
				uses = append(uses, store.LegacyUse{PersonID: person, At: at})
			}
		}
	}
	slices.SortFunc(uses, func(a, b store.LegacyUse) int { return a.At.Compare(b.At) })
	return uses, skipped, nil
}

// parseLegacyTime reads what Python's isoformat prints. A time without a zone is UTC: the earlier bot's container was.
func parseLegacyTime(text string) (at time.Time, ok bool) {
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}
