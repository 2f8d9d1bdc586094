// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// adminToken is the person's, the bots' and the sites' token; operators have their own.
const adminToken = "admin-token"

// controlPlane is a kube-apiserver and an etcd, as processes that can be stopped and started on the same port and data.
type controlPlane struct {
	dir       string
	audit     audit
	etcd      *process
	apiArgs   []string
	apiBinary string
	api       *process
	// config is the administrator's.
	config *rest.Config
}

// auditPolicy keeps what operators write: the Secrets' keys and who leads, nothing else in full.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, verbs: [get, list, watch]}
- level: Request
  users: [operator-0, operator-1]
  resources: [{group: "", resources: [secrets]}, {group: coordination.k8s.io, resources: [leases]}]
- {level: Metadata, users: [operator-0, operator-1]}
- {level: None}
`

// startControlPlane starts both, and stops them when the test ends.
func startControlPlane(t *testing.T) *controlPlane {
	t.Helper()
	binaries := findBinaries(t)
	dir := t.ArtifactDir()
	ports := freePorts(t, 3)
	tokens := adminToken + `,admin,admin,"system:masters"` + "\n"
	for i := range operators {
		tokens += fmt.Sprintf("%s,%s,%s\n", operatorToken(i), operatorUser(i), operatorUser(i))
	}
	files := map[string][]byte{"policy.yaml": []byte(auditPolicy), "tokens.csv": []byte(tokens), "sa.key": newRSAKey(t)}
	for name, content := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	etcdURL := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peerURL := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	p := &controlPlane{dir: dir, audit: audit{path: filepath.Join(dir, "audit.log")}, apiBinary: filepath.Join(binaries, "kube-apiserver")}
	p.etcd = startProcess(t, filepath.Join(dir, "etcd.log"), filepath.Join(binaries, "etcd"),
		"--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL,
		"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "default="+peerURL)
	p.apiArgs = []string{
		"--etcd-servers", etcdURL, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
		"--secure-port", strconv.Itoa(ports[2]), "--cert-dir", filepath.Join(dir, "certificates"),
		"--service-cluster-ip-range", "10.0.0.0/24", "--endpoint-reconciler-type", "none",
		"--service-account-issuer", "https://127.0.0.1/", "--service-account-key-file", filepath.Join(dir, "sa.key"),
		"--service-account-signing-key-file", filepath.Join(dir, "sa.key"),
		// How long it waits, when it is stopped, for requests that are on their way.
		"--request-timeout", (3 * time.Second * slowness).String(),
		"--authorization-mode", "RBAC", "--token-auth-file", filepath.Join(dir, "tokens.csv"),
		"--enable-admission-plugins", "OwnerReferencesPermissionEnforcement", "--disable-admission-plugins", "ServiceAccount",
		"--audit-policy-file", filepath.Join(dir, "policy.yaml"), "--audit-log-path", p.audit.path,
	}
	p.config = &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", ports[2]), BearerToken: adminToken, QPS: 2000, Burst: 2000,
		// The server makes its own certificate; this is loopback.
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
	}
	p.startAPI(t)
	return p
}

// startAPI starts the API server and waits until it is ready.
func (p *controlPlane) startAPI(t *testing.T) {
	t.Helper()
	p.api = startProcess(t, filepath.Join(p.dir, "apiserver.log"), p.apiBinary, p.apiArgs...)
	transport, err := rest.TransportFor(p.config)
	must(t, err)
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	eventually(t, 3*time.Minute, "the API server is ready", func() error {
		if p.api.ended() {
			t.Fatalf("kube-apiserver ended: %v\n%s", p.api.err, p.api.tail())
		}
		response, err := client.Get(p.config.Host + "/readyz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz answers %s", response.Status)
		}
		return nil
	})
}

// restartAPI stops the API server, in the middle of what it is doing where the signal is SIGKILL, and starts it again.
func (p *controlPlane) restartAPI(t *testing.T, signal syscall.Signal) {
	t.Helper()
	must(t, p.api.stop(signal))
	p.startAPI(t)
}

// findBinaries is the folder of kube-apiserver and etcd: $KUBEBUILDER_ASSETS, or what hack/cluster builds.
func findBinaries(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir
	}
	cmd := exec.Command("go", "run", "./hack/cluster", "binaries", "kube-apiserver", "etcd")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("no kube-apiserver to test against: set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd, "+
			"or mend `%s`: %v", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// freePorts are ports of the loopback interface that nobody listens at now.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports
}

func newRSAKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a check has nothing to complain of.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := poll(ctx, 50*time.Millisecond, check); err != nil {
		t.Fatalf("%s: after %s still: %v", what, within, err)
	}
}

// poll repeats a check until it succeeds; at the context's end it returns what the check last said.
func poll(ctx context.Context, every time.Duration, check func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-tick.C:
		}
	}
}
