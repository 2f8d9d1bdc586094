// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// operatorAgent is the user agent of the operator under test, by which its requests are counted.
const operatorAgent = "feedbackbridge-operator/test"

// operatorUser is who the operator under test is to the API server.
const operatorUser = "operator-under-test"

// apiServer is a real kube-apiserver with etcd, shared by all tests of this package; each has a namespace of its own.
type apiServer struct {
	env    *envtest.Environment
	config *rest.Config
	client client.Client
	audit  string
	dir    string
}

var startAPIServer = sync.OnceValues(newAPIServer)

// useAPIServer starts the API server for the first test that needs it.
func useAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s, err := startAPIServer()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMain(m *testing.M) {
	logs := io.Discard
	if os.Getenv("TEST_LOGS") != "" {
		logs = os.Stderr
	}
	logger := logr.FromSlogHandler(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	code := m.Run()
	if running.server != nil {
		if err := running.server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// running is the server to be stopped; set once, before any test can use it.
var running struct{ server *apiServer }

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

func newAPIServer() (*apiServer, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "feedbackbridge-test-")
	if err != nil {
		return nil, err
	}
	s := &apiServer{audit: filepath.Join(dir, "audit.log"), dir: dir, env: &envtest.Environment{
		BinaryAssetsDirectory: binaries,
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}}
	policy := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	s.env.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", policy).
		Append("audit-log-path", s.audit).
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	s.env.ControlPlane.Etcd = &envtest.Etcd{}
	s.env.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync")
	if s.config, err = s.env.Start(); err != nil {
		return nil, fmt.Errorf("start kube-apiserver and etcd from %s: %w", binaries, err)
	}
	s.config.QPS, s.config.Burst = 1000, 1000
	running.server = s
	if s.client, err = client.New(s.config, client.Options{Scheme: Scheme()}); err != nil {
		return s, err
	}
	return s, s.bindOperator()
}

// bindOperator gives the operator under test the rights of config/rbac, and no other.
func (s *apiServer) bindOperator() error {
	text, err := os.ReadFile(filepath.Join("..", "config", "rbac", "role.yaml"))
	if err != nil {
		return err
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(text, &role); err != nil {
		return fmt.Errorf("read config/rbac/role.yaml: %w", err)
	}
	if err := s.client.Create(context.Background(), &role); err != nil {
		return err
	}
	return s.client.Create(context.Background(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}},
	})
}

func (s *apiServer) stop() error {
	if err := s.env.Stop(); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

// findBinaries is the folder of kube-apiserver, etcd and kubectl: $KUBEBUILDER_ASSETS, or what hack/cluster builds.
func findBinaries() (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	cmd := exec.Command("go", "run", "./hack/cluster", "binaries", "kube-apiserver", "etcd", "kubectl")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("no kube-apiserver to test against: set KUBEBUILDER_ASSETS to a folder with kube-apiserver, "+
			"etcd and kubectl, or mend `%s`: %w", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// request is one request of the operator.
type request struct{ verb, resource, name string }

// writes are the operator's requests in a namespace that change something, or were refused because they would have.
func (s *apiServer) writes(t *testing.T, namespace string) []request {
	t.Helper()
	return slices.DeleteFunc(s.requests(t, namespace), func(r request) bool { return r.verb == "get" || r.verb == "list" })
}

// requests are the operator's requests in a namespace, watches aside, as the API server has seen them.
func (s *apiServer) requests(t *testing.T, namespace string) []request {
	t.Helper()
	f, err := os.Open(s.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []request
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return out
		}
		// The log is of all tests, and long.
		if !bytes.Contains(line, []byte(namespace)) {
			continue
		}
		var e struct {
			Verb, UserAgent string
			ObjectRef       struct{ Resource, Subresource, Namespace, Name string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("audit log: %v", err)
		}
		if e.UserAgent == operatorAgent && e.ObjectRef.Namespace == namespace && e.Verb != "watch" {
			out = append(out, request{e.Verb, strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"), e.ObjectRef.Name})
		}
	}
}
