// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// lateAgent ends the user agent of calls that reached the API server when their operator had given them up.
const lateAgent = " (late)"

// failing is the part of all calls that fail, half of them before they reach the API server.
const failing = 0.1

// proxy stands between one operator and the API server, and fails its calls.
type proxy struct {
	url, token string
	target     *url.URL
	upstream   http.RoundTripper
	seed       uint64

	calls, refused, dropped, late, watchesCut, held atomic.Int64
	// electionFaults counts those of all faults that befell the operators' Lease.
	electionFaults atomic.Int64
	// electedAt is when the operator last heard that a write of its to the Lease succeeded, in nanoseconds.
	electedAt atomic.Int64

	// deliveries are the calls that are on their way late.
	deliveries sync.WaitGroup

	mu sync.Mutex
	// healed is there while the operator is cut off, and closed at the end of that.
	healed chan struct{}
}

// startProxy serves an operator, as whom the token says, until the test ends.
func startProxy(t *testing.T, config *rest.Config, token string, seed uint64) *proxy {
	t.Helper()
	anonymous := rest.AnonymousClientConfig(config)
	anonymous.Insecure = true
	upstream, err := rest.TransportFor(anonymous)
	must(t, err)
	target, err := url.Parse(config.Host)
	must(t, err)
	p := &proxy{token: token, target: target, upstream: upstream, seed: seed}
	server := httptest.NewServer(p)
	p.url = server.URL
	t.Cleanup(func() {
		p.heal()
		server.CloseClientConnections()
		server.Close()
		p.deliveries.Wait()
	})
	return p
}

// cutOff makes a hole of the network between the operator and the API server.
func (p *proxy) cutOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.healed == nil {
		p.healed = make(chan struct{})
	}
}

// heal ends that. What was on its way is lost.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.healed != nil {
		close(p.healed)
		p.healed = nil
	}
}

// hold ends the call once the network is well again, or the caller has gone, if it is not well now.
func (p *proxy) hold(ctx context.Context) {
	p.mu.Lock()
	healed := p.healed
	p.mu.Unlock()
	if healed == nil {
		return
	}
	p.held.Add(1)
	select {
	case <-healed:
	case <-ctx.Done():
	}
	reset()
}

// reset ends a call by breaking its connection.
func reset() { panic(http.ErrAbortHandler) }

// fate is what becomes of a call.
type fate struct {
	// status answers it instead of the API server, or breaks the connection where it is -1.
	status int
	// drop loses the answer, or a watch after a while.
	drop bool
	// late is how much later than the operator heard of its failure a call that is dropped takes effect.
	late, delay time.Duration
	// life is how long a watch that is dropped may live.
	life time.Duration
}

// fateOf is the same for the same seed and number.
func fateOf(seed, number uint64) fate {
	dice := rand.New(rand.NewPCG(seed, number))
	var f fate
	if dice.Float64() < 0.2 {
		f.delay = time.Duration(dice.Int64N(int64(100 * time.Millisecond)))
	}
	f.life = time.Duration(dice.Int64N(int64(10 * time.Second)))
	switch p := dice.Float64(); {
	case p < failing/2:
		f.status = []int{http.StatusInternalServerError, http.StatusServiceUnavailable, -1}[dice.IntN(3)]
	case p < failing:
		f.drop = true
		if dice.IntN(4) == 0 {
			f.late = time.Duration(dice.Int64N(int64(3 * time.Second)))
		}
	}
	return f
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if err != nil {
		reset()
	}
	f := fateOf(p.seed, uint64(p.calls.Add(1)))
	isElection := strings.Contains(r.URL.Path, "/namespaces/"+electionNamespace+"/leases")
	if isElection && (f.status != 0 || f.drop) {
		p.electionFaults.Add(1)
	}
	p.hold(r.Context())
	wait(r.Context(), f.delay)
	switch {
	case f.status < 0:
		p.refused.Add(1)
		reset()
	case f.status > 0:
		p.refused.Add(1)
		http.Error(w, "fault", f.status)
		return
	}
	if f.late > 0 && r.Method != http.MethodGet {
		p.deliver(context.WithoutCancel(r.Context()), r, body, f.late)
		reset()
	}
	response, err := p.forward(r, body)
	if err != nil {
		reset()
	}
	defer response.Body.Close()
	p.hold(r.Context())
	if r.URL.Query().Get("watch") != "" {
		p.stream(w, r, response, f)
		return
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		reset()
	}
	if f.drop {
		p.dropped.Add(1)
		reset()
	}
	begin(w, response)
	if isElection && r.Method != http.MethodGet && response.StatusCode < 300 {
		p.electedAt.Store(time.Now().UnixNano())
	}
	w.Write(answer) //nolint:errcheck // the operator may have gone
}

// deliver lets a call reach the API server later, whoever leads then.
func (p *proxy) deliver(ctx context.Context, r *http.Request, body []byte, later time.Duration) {
	p.late.Add(1)
	r = r.Clone(ctx)
	r.Header.Set("User-Agent", r.UserAgent()+lateAgent)
	p.deliveries.Add(1)
	go func() {
		defer p.deliveries.Done()
		wait(ctx, later)
		if response, err := p.forward(r, body); err == nil {
			response.Body.Close()
		}
	}()
}

// forward sends a call to the API server, as the proxy's operator.
func (p *proxy) forward(r *http.Request, body []byte) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.RequestURI, out.Host = "", p.target.Host
	out.URL.Scheme, out.URL.Host = p.target.Scheme, p.target.Host
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.Header.Set("Authorization", "Bearer "+p.token)
	out.Header.Del("Accept-Encoding")
	return p.upstream.RoundTrip(out)
}

// stream passes a watch on as it comes, until it ends or is to be dropped.
func (p *proxy) stream(w http.ResponseWriter, r *http.Request, response *http.Response, f fate) {
	if f.drop {
		cut := time.AfterFunc(f.life, func() { response.Body.Close() })
		defer cut.Stop()
	}
	begin(w, response)
	out := http.NewResponseController(w)
	buffer := make([]byte, 64<<10)
	for {
		if err := out.Flush(); err != nil {
			return
		}
		n, err := response.Body.Read(buffer)
		p.hold(r.Context())
		if _, err := w.Write(buffer[:n]); err != nil {
			return
		}
		if err != nil {
			if f.drop {
				p.watchesCut.Add(1)
			}
			reset()
		}
	}
}

func begin(w http.ResponseWriter, response *http.Response) {
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// The proxy's own test: as many calls fail as should, half of each kind, the same for the same seed.
func TestFates(t *testing.T) {
	const calls = 20000
	var before, after int
	for i := range uint64(calls) {
		f := fateOf(7, i)
		if f != fateOf(7, i) {
			t.Fatal("a call's fate is not the seed's alone")
		}
		if f.status != 0 {
			before++
		}
		if f.drop {
			after++
		}
	}
	for what, n := range map[string]int{"before": before, "after": after} {
		if share := float64(n) / calls; share < 0.04 || share > 0.06 {
			t.Errorf("%.3f of all calls fail %s the API server, want 0.05", share, what)
		}
	}
}
