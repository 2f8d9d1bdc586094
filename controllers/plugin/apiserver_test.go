// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// apiServer is a real kube-apiserver with etcd, shared by all tests of this package; each has a namespace of its own.
type apiServer struct {
	env    *envtest.Environment
	config *rest.Config
	client client.Client
}

var (
	running        *apiServer
	startAPIServer = sync.OnceValues(newAPIServer)
)

func TestMain(m *testing.M) {
	quiet()
	code := m.Run()
	if running != nil {
		if err := running.env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func newAPIServer() (*apiServer, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	s := &apiServer{env: &envtest.Environment{
		BinaryAssetsDirectory: binaries,
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}}
	s.env.ControlPlane.Etcd = &envtest.Etcd{}
	s.env.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync")
	running = s
	if s.config, err = s.env.Start(); err != nil {
		return nil, fmt.Errorf("start kube-apiserver and etcd from %s: %w", binaries, err)
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	if err := rbacv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	s.client, err = client.New(s.config, client.Options{Scheme: scheme})
	return s, err
}

// findBinaries is the folder of kube-apiserver and etcd: $KUBEBUILDER_ASSETS, or what hack/cluster builds.
func findBinaries() (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	cmd := exec.Command("go", "run", "./hack/cluster", "binaries", "kube-apiserver", "etcd", "kubectl")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("no kube-apiserver to test against: set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// person is somebody with a kubeconfig, and some rights in a namespace.
type person struct {
	*apiServer
	t          *testing.T
	namespace  string
	kubeconfig string
	exec       executor // instead of the API server's exec, which needs a kubelet
}

// newPerson makes a namespace and somebody with the given rights in it.
func newPerson(t *testing.T, rules ...rbacv1.PolicyRule) *person {
	t.Helper()
	s, err := startAPIServer()
	if err != nil {
		t.Fatal(err)
	}
	p := &person{apiServer: s, t: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "plugin-"}}
	p.create(ns)
	p.namespace = ns.Name
	name := "user-of-" + ns.Name
	user, err := s.env.AddUser(envtest.User{Name: name}, s.config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.kubeconfig, text, 0o600); err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Namespace: p.namespace, Name: "rights"}
	p.create(&rbacv1.Role{ObjectMeta: meta, Rules: rules})
	p.create(&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "rights"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}})
	return p
}

// may is a rule of a role.
func may(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

var (
	mayRead   = may(v1alpha1.GroupName, "feedbackbridges", "get", "list")
	mayRotate = may(v1alpha1.GroupName, "feedbackbridges", "patch")
)

func (p *person) create(object client.Object) {
	p.t.Helper()
	if err := p.client.Create(context.Background(), object); err != nil {
		p.t.Fatalf("create %T %s: %v", object, object.GetName(), err)
	}
}

// bridge makes a bridge with a status, after changes; the status has seen the spec.
func (p *person) bridge(name string, changes ...change) *v1alpha1.FeedbackBridge {
	p.t.Helper()
	b := bridgeOf(name, changes...)
	b.Namespace, b.CreationTimestamp, b.Generation = p.namespace, metav1.Time{}, 0
	status := b.Status
	p.create(&b)
	b.Status = status
	b.Status.ObservedGeneration = b.Generation
	p.writeStatus(&b)
	return &b
}

func (p *person) writeStatus(b *v1alpha1.FeedbackBridge) {
	p.t.Helper()
	if err := p.client.Status().Update(context.Background(), b); err != nil {
		p.t.Fatalf("write the status: %v", err)
	}
}

func (p *person) read(name string) *v1alpha1.FeedbackBridge {
	p.t.Helper()
	var b v1alpha1.FeedbackBridge
	if err := p.client.Get(context.Background(), client.ObjectKey{Namespace: p.namespace, Name: name}, &b); err != nil {
		p.t.Fatal(err)
	}
	return &b
}

// run runs the plug-in as the person would.
func (p *person) run(args ...string) (string, error) {
	p.t.Helper()
	cmd := newCommand("test", func(f *connectFlags, cmd *cobra.Command) (*session, error) {
		s, err := f.connect(cmd, "test")
		if err == nil {
			s.poll = 10 * time.Millisecond
			if p.exec != nil {
				s.exec = p.exec
			}
		}
		return s, err
	})
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs(append(args, "--kubeconfig", p.kubeconfig, "-n", p.namespace))
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

// wants fails unless a text has all the pieces in it.
func wants(t *testing.T, what, text string, pieces ...string) {
	t.Helper()
	for _, piece := range pieces {
		if !strings.Contains(text, piece) {
			t.Errorf("%s: %q is not in it:\n%s", what, piece, text)
		}
	}
}

// fakeExec answers commands in containers, and remembers them.
type fakeExec struct {
	answer  execution
	err     error
	command []string
	stdin   string
}

func (f *fakeExec) run(_ context.Context, pod *corev1.Pod, container string, command []string, stdin string) (execution, error) {
	if pod.Name == "" || container != botContainer {
		return execution{}, errors.New("no such container")
	}
	f.command, f.stdin = command, stdin
	return f.answer, f.err
}
