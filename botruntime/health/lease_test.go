// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// leaseServer is the part of an API server that the bot uses: one Lease, merge patches, optimistic locking.
type leaseServer struct {
	mu      sync.Mutex
	lease   coordinationv1.Lease
	reports int // patches that carried a report
	patches int
	down    bool
}

func (s *leaseServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("connection refused")
	}
	recorder := httptest.NewRecorder()
	s.serve(recorder, r)
	return recorder.Result(), nil
}

func (s *leaseServer) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer token" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPatch {
		body, err := io.ReadAll(r.Body)
		patch := coordinationv1.Lease{}
		if err != nil || json.Unmarshal(body, &patch) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if patch.ResourceVersion != s.lease.ResourceVersion {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.patches++
		if patch.Annotations[v1alpha1.AnnotationReport] != "" {
			s.reports++
		}
		version := s.lease.ResourceVersion
		if err := json.Unmarshal(body, &s.lease); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.bump(version)
	}
	if err := json.NewEncoder(w).Encode(s.lease); err != nil {
		panic(err)
	}
}

func (s *leaseServer) bump(version string) {
	n, err := strconv.Atoi(version)
	if err != nil {
		panic(err)
	}
	s.lease.ResourceVersion = strconv.Itoa(n + 1)
}

// by changes the lease as another client would.
func (s *leaseServer) by(change func(*coordinationv1.Lease)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.lease)
	s.bump(s.lease.ResourceVersion)
}

func (s *leaseServer) see(f func(*leaseServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func newLease(t *testing.T, s *leaseServer, identity string) (*Lease, *Tracker) {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tracker := NewTracker("v1", time.Now, func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{} })
	return &Lease{
		client:   &leaseClient{url: "https://api/lease", tokenFile: token, http: &http.Client{Transport: s}},
		identity: identity, pace: Calm, tracker: tracker, now: time.Now, log: slog.New(slog.DiscardHandler),
	}, tracker
}

func heldBy(holder string) *leaseServer {
	return &leaseServer{lease: coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1"},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: new(int32(30)),
			RenewTime: new(metav1.NewMicroTime(time.Now()))},
	}}
}

func TestAcquire(t *testing.T) {
	for _, tc := range []struct {
		name   string
		holder string
		wait   time.Duration
	}{
		{"a free lease at once", "", 0},
		{"its own lease at once, after a crash", "pod-a", 0},
		{"another's lease when it was not renewed for its duration", "pod-b", 30 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := heldBy(tc.holder)
				l, _ := newLease(t, s, "pod-a")
				began := time.Now()
				if err := l.Acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != tc.wait {
					t.Errorf("acquired after %s, want %s", took, tc.wait)
				}
				if got := *s.lease.Spec.HolderIdentity; got != "pod-a" {
					t.Errorf("holder %q", got)
				}
			})
		})
	}
}

func TestAStandbyWaitsWhileTheHolderRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("pod-b")
		l, _ := newLease(t, s, "pod-a")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		renewals := time.NewTicker(10 * time.Second)
		defer renewals.Stop()
		go func() {
			for {
				select {
				case <-renewals.C:
					s.by(func(l *coordinationv1.Lease) { l.Spec.RenewTime = new(metav1.NewMicroTime(time.Now())) })
				case <-ctx.Done():
					return
				}
			}
		}()
		if err := l.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("acquired a lease that is held: %v", err)
		}
	})
}

func keep(t *testing.T, l *Lease) (stop func() error) {
	t.Helper()
	if err := l.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Keep(ctx) }()
	return func() error { cancel(); return <-done }
}

func TestStatesAreWrittenAtOnceAndCountersSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, tracker := newLease(t, s, "pod-a")
		stop := keep(t, l)
		synctest.Wait()
		s.see(func(s *leaseServer) { s.reports = 0 })
		tracker.Site(true, v1alpha1.ReasonConnected, "connected")
		synctest.Wait()
		s.see(func(s *leaseServer) {
			if s.reports != 1 {
				t.Errorf("%d reports after a change of state, want 1 at once", s.reports)
			}
		})
		for range 610 {
			tracker.AnswerDropped()
			time.Sleep(100 * time.Millisecond)
		}
		s.see(func(s *leaseServer) {
			if s.reports != 3 {
				t.Errorf("%d reports after 61 s of counting, want 3: every 30 s", s.reports)
			}
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got := *s.lease.Spec.HolderIdentity; got != "" {
			t.Errorf("the lease was not released: held by %q", got)
		}
	})
}

func TestAStateThatFlapsDoesNotFloodTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, tracker := newLease(t, s, "pod-a")
		stop := keep(t, l)
		for i := range 1001 {
			tracker.Site(i%2 == 0, v1alpha1.ReasonConnectionLost, "it flaps")
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(changeInterval)
		synctest.Wait()
		s.see(func(s *leaseServer) {
			if s.patches > 15 {
				t.Errorf("%d writes in 11 s", s.patches)
			}
		})
		if !l.written.Site.OK {
			t.Error("the last state is not written")
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheBotWorksOnWhileTheAPIServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, _ := newLease(t, s, "pod-a")
		stop := keep(t, l)
		s.see(func(s *leaseServer) { s.down = true })
		time.Sleep(10 * time.Minute)
		s.see(func(s *leaseServer) { s.down, s.patches = false, 0 })
		time.Sleep(Calm.Renew)
		s.see(func(s *leaseServer) {
			if s.patches == 0 {
				t.Error("the lease is not renewed after the API server came back")
			}
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestABotEndsWellWhenItCannotReleaseItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, _ := newLease(t, s, "pod-a")
		stop := keep(t, l)
		s.see(func(s *leaseServer) { s.down = true })
		if err := stop(); err != nil {
			t.Fatalf("the end of a bot whose API server is away: %v", err)
		}
	})
}

func TestALeaseThatAnotherTookEndsTheBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, _ := newLease(t, s, "pod-a")
		if err := l.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.by(func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("pod-b") })
		if err := l.Keep(t.Context()); !errors.Is(err, ErrLeaseLost) {
			t.Fatalf("keep: %v", err)
		}
	})
}

func TestALeaseThatWasMadeAnewGetsTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, _ := newLease(t, s, "pod-a")
		stop := keep(t, l)
		s.by(func(l *coordinationv1.Lease) { l.Annotations, l.Spec = nil, coordinationv1.LeaseSpec{} })
		time.Sleep(Calm.Renew)
		synctest.Wait()
		s.see(func(s *leaseServer) {
			if s.reports != 2 || s.lease.Spec.HolderIdentity == nil || *s.lease.Spec.HolderIdentity != "pod-a" {
				t.Errorf("%d reports, lease %+v", s.reports, s.lease)
			}
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSomebodyElsesWriteIsNotALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, _ := newLease(t, s, "pod-a")
		stop := keep(t, l)
		s.by(func(l *coordinationv1.Lease) { l.Labels = map[string]string{"operator": "was here"} })
		time.Sleep(Calm.Renew)
		synctest.Wait()
		s.see(func(s *leaseServer) {
			if s.patches != 2 || s.lease.Labels["operator"] == "" {
				t.Errorf("%d renewals, labels %v", s.patches, s.lease.Labels)
			}
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}
