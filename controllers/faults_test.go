// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errLost is what a client sees of a request that was lost, or whose answer was.
var errLost = errors.New("the connection was lost")

// faults lets requests to the API server fail, as a network does, and an operator that ends: before they take effect, or
// after.
type faults struct {
	mu sync.Mutex
	// calls counts the requests since arm; writes are those of them that change something.
	calls, writes int
	// at is the request, or the write, that fails, and then every other one after as many as every; zero for none.
	at, every int
	ofWrite   bool
	after     bool
	fired     bool
	// random fails one request in ten, before or after it takes effect.
	random *rand.Rand
	// refuses is which requests never reach the API server; nil for none.
	refuses func(*http.Request) bool
	// seen is called after every write that took effect.
	seen func(*http.Request)
}

// arm lets the nth request fail from now on, or the nth write.
func (f *faults) arm(n int, ofWrite, after bool) { f.armEvery(n, 0, ofWrite, after) }

// armEvery is the same, and lets fail as well whichever request comes by a number of times every after it.
func (f *faults) armEvery(n, every int, ofWrite, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.writes, f.fired = 0, 0, false
	f.at, f.every, f.ofWrite, f.after = n, every, ofWrite, after
}

func (f *faults) hasFired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// next is what becomes of a request.
func (f *faults) next(write bool) (before, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if write {
		f.writes++
	}
	if f.random != nil {
		n := f.random.IntN(20)
		return n == 0, n == 1 && write
	}
	n := f.calls
	if f.ofWrite {
		n = f.writes
	}
	due := n == f.at || (f.every > 0 && n > f.at && (n-f.at)%f.every == 0)
	if f.at == 0 || !due || (f.ofWrite && !write) {
		return false, false
	}
	f.fired = true
	return !f.after, f.after
}

func (f *faults) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("watch") != "" {
			return next.RoundTrip(req)
		}
		write := req.Method != http.MethodGet
		before, after := f.next(write)
		if before || (f.refuses != nil && f.refuses(req)) {
			return nil, errLost
		}
		resp, err := next.RoundTrip(req)
		if err == nil && write && f.seen != nil {
			f.seen(req)
		}
		if after && err == nil {
			resp.Body.Close()
			return nil, errLost
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// freshCache is a cache that is never behind: it reads from the API server what the operator's cache would have, and
// remembers it until something is written. Writes go through the operator's own client.
type freshCache struct {
	client.Client
	reads client.Reader
	known map[string]client.Object
}

// newFreshCache makes the operator's client, whose requests can fail, and the cache that it reads from.
func (h *harness) newFreshCache(f *faults) *freshCache {
	h.Helper()
	cfg := rest.CopyConfig(h.server.config)
	cfg.UserAgent, cfg.Impersonate.UserName = operatorAgent, operatorUser
	cfg.Wrap(f.wrap)
	own, err := client.New(cfg, client.Options{Scheme: Scheme()})
	h.must(err)
	c := &freshCache{Client: own, reads: h.client, known: map[string]client.Object{}}
	seen := f.seen
	f.seen = func(req *http.Request) {
		if !strings.HasSuffix(req.URL.Path, "/status") && !strings.Contains(req.URL.Path, "/secrets/") {
			clear(c.known)
		}
		if seen != nil {
			seen(req)
		}
	}
	return c
}

func (c *freshCache) Get(ctx context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	id := fmt.Sprintf("%T %s", object, key)
	if known, ok := c.known[id]; ok {
		setObject(object, known)
		return nil
	}
	if err := c.reads.Get(ctx, key, object); err != nil {
		return err
	}
	for kind, options := range CacheOptions(nil, nil).ByObject {
		if reflect.TypeOf(kind) != reflect.TypeOf(object) || options.Transform == nil {
			continue
		}
		kept, err := options.Transform(object)
		if err != nil {
			return err
		}
		setObject(object, kept.(client.Object))
		if _, beats := kind.(*coordinationv1.Lease); !beats && options.Label != nil {
			c.known[id] = object.DeepCopyObject().(client.Object)
		}
	}
	return nil
}

func (c *freshCache) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.reads.List(ctx, list, opts...)
}

func setObject(to, from client.Object) {
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from.DeepCopyObject()).Elem())
}

// The faults are what they say: a request that fails before changes nothing, one that fails after does.
func TestFaults(t *testing.T) {
	h := newHarness(t)
	f := &faults{}
	c := h.newFreshCache(f)
	for name, after := range map[string]bool{"before": false, "after": true} {
		f.arm(1, true, after)
		err := c.Create(h.ctx, &corev1.ServiceAccount{ObjectMeta: metav1ObjectMeta(h.namespace, name)})
		if !errors.Is(err, errLost) {
			t.Errorf("%s: the request says %v", name, err)
		}
		if err := h.get(name, &corev1.ServiceAccount{}); (err == nil) != after {
			t.Errorf("%s: the object is read with %v", name, err)
		}
	}
}
