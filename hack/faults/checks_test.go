// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// quiet is how long nothing may be written once all is settled.
const quiet = 5 * time.Second

// complaints are what is not as it should be, once nothing goes on any more.
func (w *world) complaints(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var list v1alpha1.FeedbackBridgeList
	if err := w.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return err
	}
	objects := map[string]*v1alpha1.FeedbackBridge{}
	for i := range list.Items {
		objects[list.Items[i].Name] = &list.Items[i]
	}
	var errs []error
	for _, b := range w.bridges {
		if err := b.complaint(objects[b.name]); err != nil {
			errs = append(errs, fmt.Errorf("%s (%s): %w", b.name, b.kind, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return w.checkChildren(ctx, objects)
}

// complaint is what a bridge's status still lacks.
func (b *bridge) complaint(object *v1alpha1.FeedbackBridge) error {
	for _, kind := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionWorkloadAvailable, v1alpha1.ConditionSiteConnected,
		v1alpha1.ConditionTelegramReachable, v1alpha1.ConditionCredentialsReady,
	} {
		c := meta.FindStatusCondition(object.Status.Conditions, kind)
		if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != object.Generation {
			return fmt.Errorf("%s is %+v", kind, c)
		}
	}
	if n := len(object.Status.Conditions); n != 5 {
		return fmt.Errorf("there are %d conditions: %+v", n, object.Status.Conditions)
	}
	r := rotationsOf(object)[hmacKey]
	if !isStable(r) || r.NextKeyID != "" || r.PreviousKeyID != "" {
		return fmt.Errorf("the keys are %+v", r)
	}
	if b.kind != generated {
		if want := v1alpha1.KeyID([]byte(b.person.newest())); r.CurrentKeyID != want {
			return fmt.Errorf("the key is %s, want the person's, %s", r.CurrentKeyID, want)
		}
		return nil
	}
	b.person.settle(object)
	if n := len(b.person.asks); n > 0 && !b.person.asks[n-1].answered {
		return fmt.Errorf("rotate-now %q has not been dealt with: %+v", b.person.asks[n-1].value, object.Status.Credentials)
	}
	return nil
}

// checkChildren wants each bridge's children to exist once, with their names and owners, and nothing else of ours.
func (w *world) checkChildren(ctx context.Context, objects map[string]*v1alpha1.FeedbackBridge) error {
	want := map[string]bool{}
	for _, b := range w.bridges {
		for _, kind := range []string{
			"ServiceAccount", "Role", "RoleBinding", "Lease", "NetworkPolicy", "PersistentVolumeClaim", "ConfigMap", "Deployment", "Secret",
		} {
			want[kind+" "+v1alpha1.BotName(b.name)] = kind != "PersistentVolumeClaim"
		}
		if b.kind == generated {
			want["Secret "+objects[b.name].SiteSecretName()] = false
			want["Secret "+v1alpha1.SigningSecretName(b.name)] = false
		}
	}
	var errs []error
	for kind, list := range map[string]client.ObjectList{
		"ServiceAccount": &corev1.ServiceAccountList{}, "Role": &rbacv1.RoleList{}, "RoleBinding": &rbacv1.RoleBindingList{},
		"Lease": &coordinationv1.LeaseList{}, "NetworkPolicy": &networkingv1.NetworkPolicyList{}, "Secret": &corev1.SecretList{},
		"PersistentVolumeClaim": &corev1.PersistentVolumeClaimList{}, "ConfigMap": &corev1.ConfigMapList{},
		"Deployment": &appsv1.DeploymentList{},
	} {
		if err := w.client.List(ctx, list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelBridge}); err != nil {
			return err
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return err
		}
		for _, item := range items {
			child, err := meta.Accessor(item)
			if err != nil {
				return err
			}
			name := kind + " " + child.GetName()
			owned, expected := want[name]
			if !expected {
				errs = append(errs, fmt.Errorf("there is a %s too many", name))
				continue
			}
			delete(want, name)
			errs = append(errs, checkChild(name, child, owned, objects[child.GetLabels()[v1alpha1.LabelBridge]]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		errs = append(errs, fmt.Errorf("there is no %s", name))
	}
	return errors.Join(errs...)
}

// checkChild wants a child to be its bridge's, and not to have been written again: a bot of which nothing but the keys
// changed is not restarted.
func checkChild(name string, child metav1.Object, owned bool, bridge *v1alpha1.FeedbackBridge) error {
	if bridge == nil {
		return fmt.Errorf("%s bears the label of no bridge", name)
	}
	if strings.HasPrefix(name, "Deployment ") && child.GetGeneration() != 1 {
		return fmt.Errorf("%s was changed %d times", name, child.GetGeneration()-1)
	}
	owners := child.GetOwnerReferences()
	switch {
	case !owned && len(owners) == 0:
	case owned && len(owners) == 1 && owners[0].UID == bridge.UID && metav1.IsControlledBy(child, bridge):
	default:
		return fmt.Errorf("%s has the owners %+v", name, owners)
	}
	return nil
}

// checkQuiet wants no write while nothing happens, although calls go on failing.
func (w *world) checkQuiet(t *testing.T) {
	t.Helper()
	// A leader that has just begun has no memory of when it last wrote counters, and may write once.
	wait(t.Context(), 2*time.Second)
	before := len(w.plane.audit.read(t))
	wait(t.Context(), quiet)
	for _, late := range w.plane.audit.read(t)[before:] {
		if late.isWork() {
			t.Errorf("written although all is settled: %s", late)
		}
	}
}

// checkHistory looks at what was written in the course of it all.
func (w *world) checkHistory(t *testing.T, paused []pause) {
	t.Helper()
	writes := w.plane.audit.read(t)
	for _, second := range secondWriters(writes) {
		if !slices.ContainsFunc(paused, func(p pause) bool {
			return p.user == second.user && second.at.After(p.began) && second.at.Before(p.end)
		}) {
			t.Errorf("written by an operator that no longer leads: %s", second)
		}
	}
	for _, b := range w.bridges {
		b.checkKeys(t, writes)
	}
	w.checkLogs(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, failure := range w.failures {
		if i == 30 {
			t.Errorf("and %d more", len(w.failures)-i)
			break
		}
		t.Error(failure)
	}
}

// checkKeys wants as many keys to have been written as were asked for, and none that nobody asked for: whatever key
// ever was in a Secret of the bridge counts, used or not.
func (b *bridge) checkKeys(t *testing.T, writes []write) {
	t.Helper()
	var written [sorts]map[string]bool
	written[hmacKey] = keysWritten(t, writes, v1alpha1.BotName(b.name), v1alpha1.KeyID,
		v1alpha1.FileHMACCurrent, v1alpha1.FileHMACNext, v1alpha1.FileHMACPrevious)
	written[signingKey] = keysWritten(t, writes, v1alpha1.SigningSecretName(b.name), fingerprint, "current.pem", "next.pem")
	if b.kind == generated {
		for sort := range sorts {
			if n, made := len(written[sort]), b.person.made(sort); n != made+1 {
				t.Errorf("%s: %d keys were made (sort %d), want the first and %d that were asked for\n%s", b.name, n, sort, made,
					b.history(t, writes))
			}
		}
		return
	}
	for _, key := range b.person.keys {
		delete(written[hmacKey], v1alpha1.KeyID([]byte(key)))
	}
	if len(written[hmacKey]) > 0 || len(written[signingKey]) > 0 {
		t.Errorf("%s: the bot was given keys that are not the person's: %v", b.name, written)
	}
}

// history tells how a bridge's Secrets came to hold their keys.
func (b *bridge) history(t *testing.T, writes []write) string {
	t.Helper()
	var text strings.Builder
	for _, w := range writes {
		if w.resource != "secrets" || (w.name != v1alpha1.BotName(b.name) && w.name != v1alpha1.SigningSecretName(b.name)) {
			continue
		}
		var object corev1.Secret
		if err := json.Unmarshal(w.object, &object); err != nil {
			t.Errorf("%s: %v", w, err)
		}
		fmt.Fprintf(&text, "%s late %t at version %q %v:", w, w.late, object.ResourceVersion, object.Annotations)
		for _, name := range slices.Sorted(maps.Keys(object.Data)) {
			fmt.Fprintf(&text, " %s=%.8s", name, fingerprint(object.Data[name]))
		}
		text.WriteByte('\n')
	}
	for _, a := range b.person.asks {
		fmt.Fprintf(&text, "asked for: %+v\n", a)
	}
	return text.String()
}

// keysWritten are the ids of the keys that were ever written to a Secret, under some names.
func keysWritten(t *testing.T, writes []write, secret string, id func([]byte) string, names ...string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, write := range writes {
		if write.resource != "secrets" || write.name != secret || !write.succeeded() {
			continue
		}
		var object corev1.Secret
		if err := json.Unmarshal(write.object, &object); err != nil {
			t.Errorf("%s: %v", write, err)
		}
		for _, name := range names {
			if key := object.Data[name]; len(key) > 0 {
				ids[id(key)] = true
			}
		}
	}
	return ids
}

func fingerprint(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }

// checkLogs wants no operator to have crashed.
func (w *world) checkLogs(t *testing.T) {
	t.Helper()
	for _, o := range w.operators {
		text, err := os.ReadFile(o.log)
		must(t, err)
		for _, bad := range []string{"panic:", "DATA RACE", "fatal error:", "Observed a panic"} {
			if at := strings.Index(string(text), bad); at >= 0 {
				t.Errorf("%s: %s", operatorUser(o.index), text[at:min(len(text), at+3000)])
			}
		}
	}
}
