// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// someKeys are HMAC keys by the letters that stand for them in these tests: "a" is the key, and its slots hold its id.
func someKeys(current, next, previous string, times rotation) hmacKeys {
	k := hmacKeys{rotation: times, values: map[string][]byte{}}
	k.current, k.next, k.previous = k.add([]byte(current)), k.add([]byte(next)), k.add([]byte(previous))
	return k
}

func bytesOf(pairs ...string) map[string][]byte {
	data := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = []byte(pairs[i+1])
	}
	return data
}

// The bot's Secret is the truth; what it lacks is found in the site's, and a key that is there without its times is never
// dropped at once.
func TestLoadHMAC(t *testing.T) {
	at := func(names ...string) map[string]string {
		out := map[string]string{}
		for i, name := range names {
			out[name] = rfc3339(testNow.Add(-time.Duration(i+1) * time.Hour))
		}
		return out
	}
	site := stored{exists: true, data: bytesOf("hmac-key", "b", "hmac-current", "a", "hmac-next", "b", "hmac-previous", "z")}
	tests := map[string]struct {
		own, site stored
		want      hmacKeys
	}{
		"nothing anywhere": {stored{}, stored{}, someKeys("", "", "", rotation{})},
		"all of it": {stored{true, bytesOf("hmac-current", "a", "hmac-next", "b", "hmac-previous", "z"),
			at(annotationStagedAt, annotationPublishedAt, annotationRotatedAt, annotationRetireAt)}, site,
			someKeys("a", "b", "z", rotation{stagedAt: ago(time.Hour), publishedAt: ago(2 * time.Hour), rotatedAt: ago(3 * time.Hour), retireAt: ago(4 * time.Hour)})},
		"what the bot's Secret has dropped does not come back": {stored{true, bytesOf("hmac-current", "a", "hmac-next", "b"), at(annotationStagedAt, annotationPublishedAt)}, site,
			someKeys("a", "b", "", rotation{stagedAt: ago(time.Hour), publishedAt: ago(2 * time.Hour)})},
		"what the site's Secret has not dropped yet stays where it is": {stored{true, bytesOf("hmac-current", "b", "hmac-previous", "a"), at(annotationRetireAt)}, site,
			someKeys("b", "", "a", rotation{retireAt: ago(time.Hour)})},
		"another writer took the next key, which the site has": {stored{true, bytesOf("hmac-current", "a"), at(annotationStagedAt, annotationPublishedAt)}, site,
			someKeys("a", "b", "", rotation{stagedAt: ago(time.Hour), publishedAt: ago(2 * time.Hour)})},
		"the site's Secret was left behind when none was being rotated to": {stored{true, bytesOf("hmac-current", "c"), nil}, site,
			someKeys("c", "", "", rotation{})},
		"the site's Secret was left behind rotations ago": {stored{true, bytesOf("hmac-current", "c"), at(annotationRotatedAt, annotationPublishedAt)}, site,
			someKeys("c", "", "", rotation{rotatedAt: ago(time.Hour), publishedAt: ago(2 * time.Hour)})},
		"another writer took the previous key": {stored{true, bytesOf("hmac-current", "a", "hmac-next", "b"), at(annotationStagedAt, annotationPublishedAt, annotationRotatedAt, annotationRetireAt)}, site,
			someKeys("a", "b", "z", rotation{stagedAt: ago(time.Hour), publishedAt: ago(2 * time.Hour), rotatedAt: ago(3 * time.Hour), retireAt: ago(4 * time.Hour)})},
		"the bot's Secret is gone": {stored{}, site,
			someKeys("a", "b", "z", rotation{publishedAt: testNow, retireAt: testNow.Add(testOverlap)})},
		"another writer took the current key": {stored{true, bytesOf("hmac-previous", "z"), at(annotationRetireAt)}, site,
			someKeys("a", "b", "z", rotation{publishedAt: testNow, retireAt: ago(time.Hour)})},
		"another writer took it, and nothing is left of it": {stored{true, bytesOf("hmac-previous", "z"), at(annotationRetireAt)}, stored{},
			someKeys("", "", "z", rotation{retireAt: ago(time.Hour)})},
		"the time of publication is lost, the site has the key": {stored{true, bytesOf("hmac-current", "a", "hmac-next", "b"), nil}, site,
			someKeys("a", "b", "", rotation{publishedAt: testNow})},
		"the next key is not the one that the site has": {stored{true, bytesOf("hmac-current", "a", "hmac-next", "c"), nil}, site,
			someKeys("a", "c", "", rotation{})},
		"written by the release before": {stored{true, bytesOf("hmac-current", "a", "hmac-previous", "z"), at(annotationRotatedAt)}, stored{},
			someKeys("a", "", "z", rotation{rotatedAt: ago(time.Hour), retireAt: ago(time.Hour).Add(testOverlap)})},
		"no time can be read": {stored{true, bytesOf("hmac-current", "a", "hmac-previous", "z"), map[string]string{annotationRetireAt: "soon"}}, stored{},
			someKeys("a", "", "z", rotation{retireAt: testNow.Add(testOverlap)})},
		"a time of nothing": {stored{true, bytesOf("hmac-current", "a"), at(annotationRetireAt)}, stored{}, someKeys("a", "", "", rotation{})},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.want.current != "" && tc.want.stagedAt.IsZero() {
				// Nobody knows how old it is.
				tc.want.stagedAt = testNow
			}
			got := loadHMAC(tc.own, tc.site, testNow, testOverlap)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(hmacKeys{}, rotation{})); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// The site gets the next key, and is told to sign with it, only once it is published.
func TestSiteData(t *testing.T) {
	id := func(key string) string { return v1alpha1.KeyID([]byte(key)) }
	tests := map[string]struct {
		keys hmacKeys
		want map[string][]byte
	}{
		"none":   {someKeys("", "", "", rotation{}), bytesOf()},
		"Stable": {someKeys("a", "", "", rotation{}), bytesOf("hmac-key", "a", "hmac-key-id", id("a"), "hmac-current", "a", "hmac-current-id", id("a"))},
		"Staged": {someKeys("a", "b", "", rotation{}), bytesOf("hmac-key", "a", "hmac-key-id", id("a"), "hmac-current", "a", "hmac-current-id", id("a"))},
		"Published": {someKeys("a", "b", "", rotation{publishedAt: testNow}), bytesOf("hmac-key", "b", "hmac-key-id", id("b"),
			"hmac-current", "a", "hmac-current-id", id("a"), "hmac-next", "b", "hmac-next-id", id("b"))},
		"Adopted": {someKeys("b", "", "a", rotation{}), bytesOf("hmac-key", "b", "hmac-key-id", id("b"),
			"hmac-current", "b", "hmac-current-id", id("b"), "hmac-previous", "a", "hmac-previous-id", id("a"))},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.keys.siteData()); diff != "" {
				t.Errorf("the site's Secret (-want +got):\n%s", diff)
			}
		})
	}
}

// A generated key is text, 64 hexadecimal digits, and never the same.
func TestNewHMACKey(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		key, err := newHMACKey()
		if err != nil {
			t.Fatal(err)
		}
		if len(key) != 64 || slices.ContainsFunc(key, func(b byte) bool { return (b < '0' || b > '9') && (b < 'a' || b > 'f') }) {
			t.Errorf("%q is not 64 hexadecimal digits", key)
		}
		seen[string(key)] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 keys are only %d", len(slices.Collect(maps.Keys(seen))))
	}
}

// A bridge that is made anew goes on with its keys, and a Secret that was taken away is made again: neither is a reason for
// another rotation.
func TestKeysThatAreFoundAgainAreNotDue(t *testing.T) {
	pair, err := newKeyPair("")
	if err != nil {
		t.Fatal(err)
	}
	in := tokenInput(t, "", tokens{})
	in.spec.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{RotateEvery: "720h"}}
	in.spec.Credentials.JWT = v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{RotateEvery: "720h"}}
	in.have.hmac = loadHMAC(stored{}, stored{exists: true, data: bytesOf("hmac-key", "a", "hmac-current", "a")}, testNow, testOverlap)
	in.have.pairs = loadKeyPairs(stored{exists: true, data: map[string][]byte{signingCurrent: pair}}, tokens{}, testNow)
	c := computeCredentials(in)
	for what, r := range map[string]rotation{"HMAC": c.hold.hmac.rotation, "signing": c.hold.pairs.rotation} {
		if r.phase() != v1alpha1.RotationStable || r.next != "" {
			t.Errorf("the %s key that was found again is rotated: %+v", what, r)
		}
	}
	for what, s := range map[string]*v1alpha1.RotationStatus{"HMAC": &c.hmac.RotationStatus, "signing": c.jwt.Rotation} {
		if next := s.NextRotation; next == nil || next.Time.Before(testNow.Add(648*time.Hour)) {
			t.Errorf("the next rotation of the %s key is to be at %v", what, next)
		}
	}
}

// Keys are rotated no later than rotateEvery says, no more than a tenth of it earlier, and those of many bridges not at
// once; those of one bridge always after the same time, of whole seconds.
func TestRotationsAreSpread(t *testing.T) {
	times := map[time.Duration]bool{}
	for i := range 50 {
		in := credentialsInput{have: held{uid: fmt.Sprintf("5ad1c06c-%04d", i)}}
		every := in.rotateEvery(&v1alpha1.GenerateSpec{RotateEvery: "720h"})
		if every > 720*time.Hour || every < 648*time.Hour || every%time.Second != 0 {
			t.Errorf("it rotates every %s", every)
		}
		if again := in.rotateEvery(&v1alpha1.GenerateSpec{RotateEvery: "720h"}); again != every {
			t.Errorf("it rotates every %s, and then every %s", every, again)
		}
		times[every] = true
	}
	if len(times) < 45 {
		t.Errorf("50 bridges rotate after only %d times", len(times))
	}
	if every := (credentialsInput{}).rotateEvery(&v1alpha1.GenerateSpec{}); every != 0 {
		t.Errorf("what never rotates does every %s", every)
	}
}

// A key that could not be handed on as it is, is refused, and the one before stays.
func TestHMACKeysRefused(t *testing.T) {
	tests := map[string]struct{ value, want string }{
		"one line break":   {"key\n", ""},
		"two line breaks":  {"key\n\n", `Secret "site": the value of "hmac" ends with more than one line break: store the key without any`},
		"nothing":          {"\n", `Secret "site": the value of "hmac" is empty: it should hold the HMAC key that the site signs with`},
		"16 KiB":           {strings.Repeat("k", 16<<10), ""},
		"more than 16 KiB": {strings.Repeat("k", 16<<10+1), `Secret "site": the value of "hmac" is longer than 16 KiB: store a key of 32 random bytes, as text`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := tokenInput(t, "jwt", tokens{})
			in.have.hmac = someKeys("before", "", "", rotation{stagedAt: testNow})
			in.secrets["site"].Data["hmac"] = []byte(tc.value)
			var c credentials
			c.computeHMAC(in)
			said := ""
			if p := c.problem(); p != nil {
				said = p.message
			}
			if said != tc.want {
				t.Errorf("it says %q, want %q", said, tc.want)
			}
			if staged := c.hold.hmac.next != ""; staged != (tc.want == "") || c.hold.hmac.current != v1alpha1.KeyID([]byte("before")) {
				t.Errorf("the keys are %+v", c.hold.hmac.rotation)
			}
			for id, key := range c.hold.hmac.values {
				if v1alpha1.KeyID(v1alpha1.CredentialValue(key)) != id {
					t.Errorf("who reads key %s from a Secret of the operator's takes it for another one", id)
				}
			}
		})
	}
}
