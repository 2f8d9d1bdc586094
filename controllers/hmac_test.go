// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"slices"
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
		"another writer took the next key, which the site has": {stored{true, bytesOf("hmac-current", "a"), nil}, site,
			someKeys("a", "b", "", rotation{publishedAt: testNow})},
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
