// SPDX-License-Identifier: Apache-2.0

package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// ServiceAccountDir is where a pod finds its token and the API server's certificate.
const ServiceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

const (
	apiTimeout = 10 * time.Second
	// maxLease bounds what is read of the API server's answer.
	maxLease = 1 << 20
)

var (
	errConflict = errors.New("somebody else wrote the lease meanwhile")
	errNotFound = errors.New("the lease does not exist yet: the operator makes it")
)

// leaseClient reads and writes one Lease. It speaks to the API server with net/http: a clientset would take more memory
// than the rest of the bot.
type leaseClient struct {
	url       string
	tokenFile string
	http      *http.Client
}

// inClusterClient is a client for a Lease of the pod's own namespace, with the pod's own service account, whose files are
// in a directory.
func inClusterClient(serviceAccount, namespace, name string) (*leaseClient, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("a lease needs Kubernetes: KUBERNETES_SERVICE_HOST and _PORT are not set; run without --lease elsewhere")
	}
	ca, err := os.ReadFile(filepath.Join(serviceAccount, "ca.crt")) // #nosec G304 -- the directory is a flag
	if err != nil {
		return nil, fmt.Errorf("read the API server's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the service account's ca.crt holds no certificate")
	}
	return &leaseClient{
		url:       "https://" + net.JoinHostPort(host, port) + leasePath(namespace, name),
		tokenFile: filepath.Join(serviceAccount, "token"),
		http: &http.Client{Timeout: apiTimeout, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConns: 1, IdleConnTimeout: time.Minute,
		}},
	}, nil
}

func leasePath(namespace, name string) string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + namespace + "/leases/" + name
}

func (c *leaseClient) get(ctx context.Context) (*coordinationv1.Lease, error) {
	return c.do(ctx, http.MethodGet, nil)
}

// patch writes what is given over the lease: a JSON merge patch. A resourceVersion in it makes a lost race errConflict.
func (c *leaseClient) patch(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	body, err := json.Marshal(lease)
	if err != nil {
		return nil, fmt.Errorf("encode the lease: %w", err)
	}
	return c.do(ctx, http.MethodPatch, body)
}

func (c *leaseClient) do(ctx context.Context, method string, body []byte) (lease *coordinationv1.Lease, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s the lease: %w", strings.ToLower(method), err)
		}
	}()
	// The kubelet renews the token in its file.
	token, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the service account's token: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "feedbackbridge-bot")
	if body != nil {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
		lease = &coordinationv1.Lease{}
		return lease, json.NewDecoder(io.LimitReader(resp.Body, maxLease)).Decode(lease)
	case http.StatusNotFound:
		return nil, errNotFound
	case http.StatusConflict:
		return nil, errConflict
	default:
		return nil, fmt.Errorf("the API server answered %s", resp.Status)
	}
}
