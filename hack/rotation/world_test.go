// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/controllers"
)

const (
	namespace = "bridges"
	// operatorUser is who the operator is to the API server.
	operatorUser = "operator"
)

// world is a cluster, as far as a bridge needs one, and what bridges have to do with.
type world struct {
	config *rest.Config
	// client is the people's, the kubelets' and the sites'. cached has what they were told of.
	client client.Client
	cached cache.Cache
	// dir is where the bots' files are.
	dir     string
	bot     string
	seed    uint64
	bridges []*bridge

	// ctx is the life of everything but the operator and the API server.
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	done    tally
}

// newWorld starts an API server with the CRD and the operator's rights, and what is needed to watch it.
func newWorld(t *testing.T, bot string, seed uint64, crew []character) *world {
	t.Helper()
	quiet := logr.FromSlogHandler(slog.NewTextHandler(logs(), nil))
	ctrl.SetLogger(quiet)
	klog.SetLogger(quiet)
	w := &world{bot: bot, seed: seed, config: startAPIServer(t)}
	var err error
	w.client, err = client.New(w.config, client.Options{Scheme: controllers.Scheme()})
	must(t, err)
	w.bindOperator(t)
	must(t, w.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	w.dir, err = os.MkdirTemp("", "fbb") // a socket's path has to be short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(w.dir) }) // what a bot left behind harms nobody
	w.watch(t)
	for i, c := range crew {
		w.bridges = append(w.bridges, newBridge(t, w, i, c))
	}
	return w
}

// logs is where the operator's log goes.
func logs() io.Writer {
	if os.Getenv("TEST_LOGS") != "" {
		return os.Stderr
	}
	return io.Discard
}

// startAPIServer starts kube-apiserver and etcd, for the test's time.
func startAPIServer(t *testing.T) *rest.Config {
	t.Helper()
	env := &envtest.Environment{
		BinaryAssetsDirectory: binaries(t),
		CRDDirectoryPaths:     []string{filepath.Join(root(), "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	env.ControlPlane.GetAPIServer().Configure().Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	env.ControlPlane.Etcd = &envtest.Etcd{}
	env.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync")
	config, err := env.Start()
	must(t, err)
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	config.QPS = -1
	return config
}

// binaries is the folder of kube-apiserver and etcd: $KUBEBUILDER_ASSETS, or what hack/cluster builds.
func binaries(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./hack/cluster", "binaries", "kube-apiserver", "etcd", "kubectl")
	cmd.Dir, cmd.Stderr = root(), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("no kube-apiserver: set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd, or mend `%s`: %v", cmd, err)
	}
	return strings.TrimSpace(string(out))
}

// buildBot builds the bot's program.
func buildBot(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "feedbackbridge-bot")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./botruntime")
	cmd.Dir = root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the bot: %v\n%s", err, out)
	}
	return path
}

// bindOperator gives the operator the rights of config/rbac, and no other.
func (w *world) bindOperator(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(), "config", "rbac", "role.yaml"))
	must(t, err)
	var role rbacv1.ClusterRole
	must(t, yaml.UnmarshalStrict(text, &role))
	must(t, w.client.Create(t.Context(), &role))
	must(t, w.client.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}},
	}))
}

// startOperator runs the operator until the test ends; it outlives the bots.
func (w *world) startOperator(t *testing.T) {
	t.Helper()
	cfg := rest.CopyConfig(w.config)
	cfg.Impersonate.UserName = operatorUser
	echoes := &controllers.Echoes{}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:     controllers.Scheme(),
		Cache:      controllers.CacheOptions([]string{namespace}, echoes),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	must(t, err)
	reconciler := &controllers.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Echoes: echoes, Recorder: mgr.GetEventRecorder(controllers.ControllerName),
		BotImage: "example.test/bot:1", APIServerPorts: controllers.DefaultAPIServerPorts, Now: time.Now,
	}
	ctx, cancel := context.WithCancel(context.Background())
	must(t, reconciler.SetupWithManager(ctx, mgr, 4))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator ended: %v", err)
		}
	})
}

// watch starts the cache; whatever spawn started ends before the operator does.
func (w *world) watch(t *testing.T) {
	t.Helper()
	var err error
	w.cached, err = cache.New(w.config, cache.Options{
		Scheme: controllers.Scheme(), DefaultNamespaces: map[string]cache.Config{namespace: {}},
	})
	must(t, err)
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.spawn(func() {
		if err := w.cached.Start(w.ctx); err != nil {
			w.done.fail("the cache ended: %v", err)
		}
	})
}

// spawn runs something of the world's, which has to end when ctx does.
func (w *world) spawn(f func()) { w.running.Go(f) }

// read looks an object up in the cache; false while it is not there.
func (w *world) read(name string, into client.Object) bool {
	return w.cached.Get(w.ctx, client.ObjectKey{Namespace: namespace, Name: name}, into) == nil
}

// end ends what spawn started.
func (w *world) end() {
	w.stop()
	w.running.Wait()
}

// eachBridge does something with all bridges at once.
func (w *world) eachBridge(f func(*bridge)) {
	var all sync.WaitGroup
	for _, b := range w.bridges {
		all.Go(func() { f(b) })
	}
	all.Wait()
}

// startBridges makes the bridges and waits until each has a connected bot.
func (w *world) startBridges(t *testing.T) {
	t.Helper()
	t.Cleanup(w.end)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w.eachBridge(func(b *bridge) {
		if err := b.start(ctx); err != nil {
			w.done.fail("%s: %v", b, err)
		}
	})
	if failures := w.done.failed(); len(failures) > 0 {
		t.Fatal(fmt.Sprint(failures))
	}
}
