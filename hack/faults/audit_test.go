// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// write is what an operator asked the API server to change, as the audit log has it.
type write struct {
	at                         time.Time
	user, verb, resource, name string
	code                       int
	// late is whether the proxy delivered it when its operator had long given it up.
	late bool
	// object is what was sent, of Secrets and Leases only.
	object json.RawMessage
}

func (w write) String() string {
	return fmt.Sprintf("%s %s %s %s %s (%d)", w.at.Format("15:04:05.000"), w.user, w.verb, w.resource, w.name, w.code)
}

func (w write) succeeded() bool { return w.code >= 200 && w.code < 300 }

func (w write) isElection() bool { return w.resource == "leases" && w.name == electionLease }

// isWork is whether a write is one of a leader: neither of the election nor an event, which is sent in the background, nor
// one that was held up on its way.
func (w write) isWork() bool { return !w.isElection() && w.resource != "events" && !w.late }

// holder is the identity that an election's write puts into the Lease.
func (w write) holder() string {
	var lease struct {
		Spec struct{ HolderIdentity string }
	}
	if json.Unmarshal(w.object, &lease) != nil {
		return ""
	}
	return lease.Spec.HolderIdentity
}

// audit reads the audit log as it grows.
type audit struct {
	path   string
	offset int64
	writes []write
}

// read returns the writes of all operators so far, in the order in which the API server received them.
func (a *audit) read(t *testing.T) []write {
	t.Helper()
	f, err := os.Open(a.path)
	must(t, err)
	defer f.Close()
	_, err = f.Seek(a.offset, io.SeekStart)
	must(t, err)
	text, err := io.ReadAll(f)
	must(t, err)
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	a.offset += int64(len(text))
	if len(text) == 0 {
		return slices.Clone(a.writes)
	}
	for line := range bytes.Lines(text) {
		if w, ok := parseWrite(line); ok {
			a.writes = append(a.writes, w)
		}
	}
	slices.SortStableFunc(a.writes, func(a, b write) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	return slices.Clone(a.writes)
}

func parseWrite(line []byte) (write, bool) {
	// A killed API server may leave half a line, with the next one's first behind it.
	if start := bytes.LastIndex(line, []byte(`{"kind":"Event","apiVersion":"audit`)); start > 0 {
		line = line[start:]
	}
	var e struct {
		Verb, UserAgent          string
		RequestReceivedTimestamp time.Time
		User                     struct{ Username string }
		ObjectRef                struct{ Resource, Subresource, Name string }
		ResponseStatus           struct{ Code int }
		RequestObject            json.RawMessage
	}
	if json.Unmarshal(line, &e) != nil {
		return write{}, false // half a line: the request that it is about was never answered
	}
	return write{
		at: e.RequestReceivedTimestamp, user: e.User.Username, verb: e.Verb, name: e.ObjectRef.Name,
		resource: strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"),
		code:     e.ResponseStatus.Code, object: e.RequestObject, late: strings.HasSuffix(e.UserAgent, lateAgent),
	}, true
}

// leader is who took or kept the Lease last, by which identity (empty while it is free), and when; a write that its
// operator had given up does not count for when.
func leader(writes []write) (user, identity string, at time.Time) {
	for _, w := range writes {
		if !w.isElection() || !w.succeeded() {
			continue
		}
		user, identity = w.user, w.holder()
		if !w.late {
			at = w.at
		}
	}
	return user, identity, at
}

// released counts how often the Lease was let go.
func released(writes []write) int {
	n := 0
	for _, w := range writes {
		if w.isElection() && w.succeeded() && w.holder() == "" {
			n++
		}
	}
	return n
}

// secondWriters are the writes of operators that had been replaced: after the first write of an operator that took the
// Lease, the one before may not write until it takes the Lease again.
func secondWriters(writes []write) []write {
	var out []write
	var writer, identity, taker string
	for _, w := range writes {
		switch {
		case w.isElection():
			if holder := w.holder(); w.succeeded() && holder != "" && holder != identity {
				identity, taker = holder, w.user
			}
		case !w.isWork() || w.user == writer:
		case w.user == taker:
			writer, taker = w.user, ""
		default:
			out = append(out, w)
		}
	}
	return out
}

// The check's own test: a log in which the leader before goes on writing is found out, and a proper change is not.
func TestSecondWriters(t *testing.T) {
	take := func(user, identity string) write {
		object := json.RawMessage(`{"spec":{"holderIdentity":"` + identity + `"}}`)
		return write{user: user, resource: "leases", name: electionLease, code: 200, object: object}
	}
	work := func(user string) write { return write{user: user, resource: "secrets", code: 200} }
	for name, tc := range map[string]struct {
		log  []write
		want int
	}{
		"a change of leaders":                 {[]write{take("a", "1"), work("a"), take("b", "2"), work("b"), take("a", "3"), work("a")}, 0},
		"the last write crosses the election": {[]write{take("a", "1"), work("a"), take("b", "2"), work("a"), work("b")}, 0},
		"both write":                          {[]write{take("a", "1"), work("a"), take("b", "2"), work("b"), work("a")}, 1},
		"one that was never elected":          {[]write{take("a", "1"), work("b")}, 1},
		"a leader that never worked":          {[]write{take("a", "1"), take("b", "2"), work("b"), work("a")}, 1},
	} {
		if got := len(secondWriters(tc.log)); got != tc.want {
			t.Errorf("%s: %d found, want %d", name, got, tc.want)
		}
	}
}
