// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// What the operator has applied is known, once, when the watch brings back that very version of that very object.
func TestEchoesAreOfTheVersionThatWasApplied(t *testing.T) {
	object := func(uid, version string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), ResourceVersion: version}}
	}
	e := &Echoes{}
	e.expect(object("a", "7"), "digest of a")
	for name, other := range map[string]*corev1.ConfigMap{
		"an older version": object("a", "6"), "a newer version": object("a", "8"), "another object": object("b", "7"),
	} {
		if digest, known := e.heard(other); known {
			t.Errorf("%s is taken for what was applied, with digest %q", name, digest)
		}
	}
	if digest, known := e.heard(object("a", "7")); !known || digest != "digest of a" {
		t.Errorf("what was applied is known: %v, with digest %q", known, digest)
	}
	if _, known := e.heard(object("a", "7")); known {
		t.Error("it is remembered after it was heard")
	}
	for i := range 3 * maxEchoes {
		e.expect(object(fmt.Sprint(i), "1"), "")
	}
	if n := len(e.applied); n > maxEchoes {
		t.Errorf("%d answers are remembered that no event followed", n)
	}
}

// A child in the cache has the same digest whether it is the echo of an apply or was taken apart.
func TestAnEchoHasTheDigestOfWhatItBringsBack(t *testing.T) {
	h := newHarness(t)
	c := h.operator.cluster()
	b := h.goodBridge("shop")
	b.UID = "0b9c6c9e-6b1c-4c5c-9c0e-2a1f6d1f7a11"
	b.SetDefaults()
	key := h.key("shop-bot")
	build := func() *corev1ac.ServiceAccountApplyConfiguration { return buildServiceAccount(b) }
	h.start()
	if _, err := declare(key, &corev1.ServiceAccount{}, build())(h.ctx, c); err != nil {
		t.Fatal(err)
	}
	h.eventually("the cache has it", func() error { return c.Get(h.ctx, key, &corev1.ServiceAccount{}) })
	var cached, whole corev1.ServiceAccount
	h.must(c.Get(h.ctx, key, &cached))
	h.must(h.get("shop-bot", &whole))
	if got, want := ownedDigest(&cached), ownedDigest(asCached(t, &whole)); got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
}
