// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// leaseServer is an API server as far as bots know it: one Lease, merge patches, optimistic locking.
type leaseServer struct {
	mu    sync.Mutex
	lease coordinationv1.Lease
	// serviceAccount is the directory that its clients find the token and the certificate in; env is where they find it.
	serviceAccount string
	env            []string
}

func newLeaseServer(t *testing.T) *leaseServer {
	t.Helper()
	s := &leaseServer{serviceAccount: t.TempDir()}
	s.lease.ResourceVersion = "1"
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.env = []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "POD_NAMESPACE=support"}
	writeFile(t, s.serviceAccount, "token", "token")
	writeFile(t, s.serviceAccount, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return s
}

// flags are what a bot is told of it.
func (s *leaseServer) flags() []string {
	return []string{"--lease", "shop-bot", "--service-account", filepath.Clean(s.serviceAccount)}
}

func (s *leaseServer) holder() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *s.lease.Spec.HolderIdentity
}

func (s *leaseServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPatch {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		var patch coordinationv1.Lease
		if err != nil || json.Unmarshal(body, &patch) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		version := s.lease.ResourceVersion
		if patch.ResourceVersion != version {
			w.WriteHeader(http.StatusConflict)
			return
		}
		n, err := strconv.Atoi(version)
		if err != nil || json.Unmarshal(body, &s.lease) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.lease.ResourceVersion = strconv.Itoa(n + 1)
	}
	if err := json.NewEncoder(w).Encode(s.lease); err != nil {
		panic(err)
	}
}
