// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package argocd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

var applicationGVK = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}

// application is one Application; every change of it is seen by a watch.
type application struct {
	t    *testing.T
	name string

	mu   sync.Mutex
	seen []state
}

// state is what of an Application the tests ask for.
type state struct {
	Status struct {
		Sync struct {
			Status   string
			Revision string
		}
		Health struct{ Status string }
		// ReconciledAt is when Argo CD last compared git and cluster.
		ReconciledAt   time.Time
		OperationState struct {
			Phase     string
			Message   string
			StartedAt time.Time
			Operation struct{ InitiatedBy struct{ Automated bool } }
		}
		Conditions []struct{ Type, Message string }
		Resources  []resource
	}
	Metadata struct {
		Annotations map[string]string
	}
}

// resource is an object that Argo CD manages, that is one out of git.
type resource struct {
	Kind, Namespace, Name, Status string
	Health                        struct{ Status, Message string }
}

func (s state) String() string {
	o := s.Status.OperationState
	var trouble []resource
	for _, r := range s.Status.Resources {
		if r.Status != "Synced" || (r.Health.Status != "" && r.Health.Status != "Healthy") {
			trouble = append(trouble, r)
		}
	}
	return fmt.Sprintf("%s %s at %.7s, operation of %s %s %.200q, conditions %+v, of its resources %+v", s.Status.Sync.Status,
		s.Status.Health.Status, s.Status.Sync.Revision, o.StartedAt.Format(time.TimeOnly), o.Phase, o.Message, s.Status.Conditions, trouble)
}

// readSample reads a manifest of config/argocd/samples.
func readSample(t *testing.T, file string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "config", "argocd", "samples", file))
	if err != nil {
		t.Fatal(err)
	}
	sample := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, sample); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return sample
}

func set(t *testing.T, object *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// apply creates an Application out of a sample.
func (a *argoCD) apply(sample *unstructured.Unstructured) *application {
	a.t.Helper()
	app := &application{t: a.t, name: sample.GetName()}
	if err := world.Cluster.Create(a.t.Context(), sample); err != nil {
		a.t.Fatalf("create Application %s: %v", app.name, err)
	}
	a.watch(app)
	return app
}

// delete deletes the Application with all that it deployed, and waits until that is done.
func (app *application) delete() {
	key := client.ObjectKey{Namespace: namespace, Name: app.name}
	gone := func() error {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(applicationGVK)
		if err := world.Cluster.Get(context.Background(), key, object); err != nil {
			return client.IgnoreNotFound(err)
		}
		if object.GetDeletionTimestamp() == nil {
			if err := world.Cluster.Delete(context.Background(), object); err != nil {
				return err
			}
		}
		return fmt.Errorf("still there: %v", object.GetFinalizers())
	}
	world.Eventually(app.t, time.Minute, "Application "+app.name+" is gone", func() (bool, string) {
		err := gone()
		return err == nil, errText(err)
	})
}

// watch records every state of an Application until the test ends.
func (a *argoCD) watch(app *application) {
	a.t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(applicationGVK.GroupVersion().WithKind("ApplicationList"))
	w, err := a.watching.Watch(context.Background(), list, client.InNamespace(namespace), client.MatchingFields{"metadata.name": app.name})
	if err != nil {
		a.t.Fatalf("watch Application %s: %v", app.name, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range w.ResultChan() {
			if object, ok := event.Object.(*unstructured.Unstructured); ok {
				app.record(object)
			}
		}
	}()
	a.t.Cleanup(func() { w.Stop(); <-done })
}

func (app *application) record(object *unstructured.Unstructured) {
	text, err := object.MarshalJSON()
	if err != nil {
		app.t.Errorf("read Application %s: %v", app.name, err)
		return
	}
	s := decode[state](app.t, string(text))
	app.mu.Lock()
	defer app.mu.Unlock()
	app.seen = append(app.seen, s)
}

// now is the state that was seen last.
func (app *application) now() state {
	app.mu.Lock()
	defer app.mu.Unlock()
	if len(app.seen) == 0 {
		return state{}
	}
	return app.seen[len(app.seen)-1]
}

// wait waits for a state.
func (app *application) wait(within time.Duration, what string, met func(state) bool) time.Duration {
	app.t.Helper()
	return world.Eventually(app.t, within, app.name+": "+what, func() (bool, string) {
		s := app.now()
		return met(s), s.String()
	})
}

// waitHealthy waits until a revision is synced, and all is well with it.
func (app *application) waitHealthy(revision string, within time.Duration) time.Duration {
	app.t.Helper()
	return app.wait(within, "Synced and Healthy", func(s state) bool {
		return s.Status.Sync.Status == "Synced" && s.Status.Sync.Revision == revision && s.Status.Health.Status == "Healthy" &&
			s.Status.OperationState.Phase == "Succeeded"
	})
}

// refresh has Argo CD render git anew and compare it with the cluster, for all the Applications at once, and waits until it
// did.
func refresh(apps ...*application) {
	asked := make([]time.Time, len(apps))
	for i, app := range apps {
		asked[i] = app.now().Status.ReconciledAt
		app.askRefresh()
	}
	for i, app := range apps {
		app.wait(30*time.Second, "refreshed", func(s state) bool {
			_, pending := s.Metadata.Annotations["argocd.argoproj.io/refresh"]
			return !pending && s.Status.ReconciledAt.After(asked[i])
		})
	}
}

func (app *application) askRefresh() {
	app.t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(applicationGVK)
	object.SetNamespace(namespace)
	object.SetName(app.name)
	patch := []byte(`{"metadata":{"annotations":{"argocd.argoproj.io/refresh":"hard"}}}`)
	if err := world.Cluster.Patch(app.t.Context(), object, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		app.t.Fatalf("ask for a refresh of %s: %v", app.name, err)
	}
}

// mark is a place in the record, for undisturbed.
func (app *application) mark() int {
	app.mu.Lock()
	defer app.mu.Unlock()
	return len(app.seen) - 1
}

// undisturbed fails if Argo CD has seen drift since a mark, or has synced anything: every state has to be Synced, by the
// same operation.
func (app *application) undisturbed(since int) {
	app.t.Helper()
	app.mu.Lock()
	defer app.mu.Unlock()
	first := app.seen[since]
	for _, s := range app.seen[since:] {
		if s.Status.Sync.Status != "Synced" || !s.Status.OperationState.StartedAt.Equal(first.Status.OperationState.StartedAt) {
			app.t.Errorf("%s: drift, or a sync that nobody asked for:\nbefore %s\nthen   %s", app.name, first, s)
			return
		}
	}
}

// resource is the one managed object of a kind.
func (s state) resource(kind string) resource {
	for _, r := range s.Status.Resources {
		if r.Kind == kind {
			return r
		}
	}
	return resource{}
}
