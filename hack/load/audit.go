// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// auditInterval is how often the audit log is read on.
const auditInterval = 100 * time.Millisecond

// call is a kind of request.
type call struct{ verb, resource string }

func (c call) isWrite() bool { return c.verb != "get" && c.verb != "list" }

// object names an object by the path of its URL.
type object struct{ group, version, resource, namespace, name string }

// applied is an object that was made by a server-side apply, and the patch that made it (where the audit level has it).
type applied struct {
	object
	patch json.RawMessage
}

// tally is what the operator's account asked of the API server.
type tally struct {
	calls map[call]int
	// created counts the objects that were made by server-side applies.
	created int
	patches []applied
	// lastWrite and lastCreated are when the API server had answered.
	lastWrite, lastCreated time.Time
	writes                 int
}

// requests are the tally of an audit log that is being written.
type requests struct {
	mu      sync.Mutex
	now     tally
	created map[object]bool
	err     error
}

// followAudit reads an audit log until it is stopped.
func followAudit(ctx context.Context, path string) (*requests, func() error) {
	r := &requests{now: tally{calls: map[call]int{}}, created: map[object]bool{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := r.follow(ctx, path)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.err = err
	}()
	return r, func() error {
		cancel()
		<-done
		return r.err
	}
}

func (r *requests) follow(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(auditInterval)
	defer tick.Stop()
	var rest []byte
	for in := bufio.NewReaderSize(f, 1<<20); ; {
		line, err := in.ReadBytes('\n')
		rest = append(rest, line...)
		switch {
		case errors.Is(err, io.EOF):
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		case err != nil:
			return fmt.Errorf("read the audit log: %w", err)
		default:
			if err := r.add(rest); err != nil {
				return err
			}
			rest = rest[:0]
		}
	}
}

func (r *requests) add(line []byte) error {
	var e struct {
		Verb      string
		ObjectRef struct {
			Resource, Subresource, Namespace, Name string
			APIGroup, APIVersion                   string
		}
		ResponseStatus struct{ Code int }
		RequestObject  json.RawMessage
		StageTimestamp time.Time
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ref := e.ObjectRef
	c := call{e.Verb, strings.TrimSuffix(ref.Resource+"/"+ref.Subresource, "/")}
	r.now.calls[c]++
	if !c.isWrite() {
		return nil
	}
	r.now.writes++
	r.now.lastWrite = later(r.now.lastWrite, e.StageTimestamp)
	if e.Verb != "patch" || e.ResponseStatus.Code != http.StatusCreated {
		return nil
	}
	r.now.lastCreated = later(r.now.lastCreated, e.StageTimestamp)
	o := object{ref.APIGroup, ref.APIVersion, ref.Resource, ref.Namespace, ref.Name}
	r.created[o] = true
	r.now.created = len(r.created)
	if e.RequestObject != nil {
		r.now.patches = append(r.now.patches, applied{o, bytes.Clone(e.RequestObject)})
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// seen is the tally so far.
func (r *requests) seen() (tally, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.now
	t.calls, t.patches = maps.Clone(t.calls), slices.Clone(t.patches)
	return t, r.err
}

// since are the requests by kind that came after an earlier tally.
func (t tally) since(before tally) map[call]int {
	out := map[call]int{}
	for c, n := range t.calls {
		if d := n - before.calls[c]; d > 0 {
			out[c] = d
		}
	}
	return out
}

// describe lists requests by kind, the most frequent first.
func describe(calls map[call]int, of func(call) bool) string {
	var parts []string
	kinds := slices.SortedFunc(maps.Keys(calls), func(a, b call) int {
		if d := calls[b] - calls[a]; d != 0 {
			return d
		}
		return strings.Compare(a.verb+a.resource, b.verb+b.resource)
	})
	for _, c := range kinds {
		if of(c) {
			parts = append(parts, fmt.Sprintf("%d %s %s", calls[c], c.verb, c.resource))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// waitUntil waits until the tally satisfies a test, and returns it.
func (r *requests) waitUntil(ctx context.Context, what string, test func(tally) bool) (tally, error) {
	tick := time.NewTicker(auditInterval)
	defer tick.Stop()
	for {
		t, err := r.seen()
		if err != nil {
			return t, err
		}
		if test(t) {
			return t, nil
		}
		select {
		case <-ctx.Done():
			return t, fmt.Errorf("wait until %s: %w; so far %s", what, ctx.Err(), describe(t.calls, call.isWrite))
		case <-tick.C:
		}
	}
}

// waitQuiet waits until nothing has been written for a while.
func (r *requests) waitQuiet(ctx context.Context, quiet time.Duration) (tally, error) {
	from := time.Now()
	return r.waitUntil(ctx, "nothing more is written", func(t tally) bool {
		return time.Since(later(from, t.lastWrite)) > quiet
	})
}
