// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/controllers"
)

const (
	namespace = "bridges"
	// overlap is how long the key before stays accepted; longer than any outage that the test makes, as in real life.
	overlap = 12 * time.Second * slowness
)

// world is everything that an operator has to do with: bridges, their bots and sites, and people who change Secrets.
type world struct {
	plane     *controlPlane
	operators []*operator
	bridges   []*bridge
	// client is the people's and the bots'; it passes no proxy. cached is what kubelets and sites have heard of.
	client client.Client
	cached cache.Cache
	// ctx is the life of bots, sites and people.
	ctx  context.Context
	stop context.CancelFunc
	// running are the goroutines of the world.
	running sync.WaitGroup

	mu sync.Mutex
	// failures are what must not happen, each once, with the time of the first.
	failures []string
	frames   int
}

// newWorld starts the API server, with the CRD and the operators' rights, and makes the bridges.
func newWorld(t *testing.T, seed uint64, bridges int) *world {
	t.Helper()
	ctrl.SetLogger(logr.Discard()) // what the test's own clients say of an API server that goes away
	w := &world{plane: startControlPlane(t)}
	crds := filepath.Join("..", "..", "config", "crd", "bases")
	_, err := envtest.InstallCRDs(w.plane.config, envtest.CRDInstallOptions{Paths: []string{crds}, ErrorIfPathMissing: true})
	must(t, err)
	w.client, err = client.New(w.plane.config, client.Options{Scheme: controllers.Scheme()})
	must(t, err)
	w.bindOperators(t)
	must(t, w.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	must(t, w.client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "telegram", Namespace: namespace},
		StringData: map[string]string{"token": "123456:TEST-TOKEN"},
	}))
	w.cached, err = cache.New(w.plane.config, cache.Options{
		Scheme: controllers.Scheme(), DefaultNamespaces: map[string]cache.Config{namespace: {}},
	})
	must(t, err)
	w.run(t)
	for i := range bridges {
		b := newBridge(w, i, rand.New(rand.NewPCG(seed, uint64(i))))
		b.create(t)
		w.bridges = append(w.bridges, b)
	}
	return w
}

// bindOperators gives each operator the rights of config/rbac, and no other.
func (w *world) bindOperators(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	must(t, err)
	var role rbacv1.ClusterRole
	must(t, yaml.UnmarshalStrict(text, &role))
	must(t, w.client.Create(t.Context(), &role))
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	}
	for i := range operators {
		binding.Subjects = append(binding.Subjects,
			rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser(i)})
	}
	must(t, w.client.Create(t.Context(), binding))
}

// run starts the cache; everything of the world ends with the test.
func (w *world) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	t.Cleanup(func() {
		stop()
		w.running.Wait()
	})
	w.spawn(func() {
		if err := w.cached.Start(ctx); err != nil {
			t.Errorf("the cache ended: %v", err)
		}
	})
	for _, kind := range []client.Object{&corev1.Secret{}, &v1alpha1.FeedbackBridge{}} {
		if _, err := w.cached.GetInformer(t.Context(), kind); err != nil {
			t.Fatal(err)
		}
	}
	w.ctx = ctx
}

func (w *world) spawn(f func()) {
	w.running.Add(1)
	go func() {
		defer w.running.Done()
		f()
	}()
}

// startOperators starts the operators, each behind a proxy of its own.
func (w *world) startOperators(t *testing.T, binary string, seed uint64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range operators {
		o := newOperator(t, i, binary, w.plane.dir, startProxy(t, w.plane.config, operatorToken(i), seed+uint64(i)))
		w.operators = append(w.operators, o)
		running.Add(1)
		go func() {
			defer running.Done()
			if err := o.keep(ctx); err != nil {
				t.Error(err)
			}
		}()
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// fail notes what must not happen, to be reported at the end together with all else.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := fmt.Sprintf(format, args...)
	if !slices.ContainsFunc(w.failures, func(f string) bool { return strings.HasSuffix(f, what) }) {
		w.failures = append(w.failures, time.Now().UTC().Format("15:04:05.000 ")+what)
	}
}

// change repeats a person's change until the API server has taken it: it may be away for a while.
func (w *world) change(ctx context.Context, object client.Object, mutate func()) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return poll(ctx, 100*time.Millisecond, func() error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := w.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		before, ok := object.DeepCopyObject().(client.Object)
		if !ok {
			return errors.New("a copy of an object is no object")
		}
		mutate()
		return w.client.Patch(ctx, object, client.MergeFrom(before))
	})
}

// read gets an object of the namespace from the cache; whether it is there.
func (w *world) read(ctx context.Context, name string, into client.Object) (bool, error) {
	err := w.cached.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, into)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
