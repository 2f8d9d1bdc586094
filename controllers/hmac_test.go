// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRollHMAC(t *testing.T) {
	a, b, c := []byte("a"), []byte("b"), []byte("c")
	hourAgo, dayAgo := testNow.Add(-time.Hour), testNow.Add(-hmacOverlap)
	tests := map[string]struct {
		have hmacKeys
		key  []byte
		want hmacKeys
	}{
		"the first key replaces nothing":                                {hmacKeys{}, a, hmacKeys{current: a}},
		"the same key changes nothing":                                  {hmacKeys{current: a}, a, hmacKeys{current: a}},
		"a new key keeps the one before":                                {hmacKeys{current: a}, b, hmacKeys{b, a, testNow}},
		"a third key drops the first":                                   {hmacKeys{b, a, hourAgo}, c, hmacKeys{c, b, testNow}},
		"going back is a change too":                                    {hmacKeys{b, a, hourAgo}, a, hmacKeys{a, b, testNow}},
		"within the overlap nothing changes":                            {hmacKeys{b, a, hourAgo}, b, hmacKeys{b, a, hourAgo}},
		"after the overlap the previous key is dropped, its time stays": {hmacKeys{b, a, dayAgo}, b, hmacKeys{current: b, rotatedAt: dayAgo}},
		"a change after the overlap starts another":                     {hmacKeys{b, a, dayAgo}, c, hmacKeys{c, b, testNow}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := rollHMAC(tc.have, tc.key, testNow)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(hmacKeys{})); diff != "" {
				t.Errorf("rollHMAC (-want +got):\n%s", diff)
			}
			if again := rollHMAC(got, tc.key, testNow); !cmp.Equal(got, again, cmp.AllowUnexported(hmacKeys{})) {
				t.Errorf("a second roll changes %+v to %+v", got, again)
			}
		})
	}
}

func TestHMACNextChange(t *testing.T) {
	if at := (hmacKeys{current: []byte("a"), rotatedAt: testNow}).nextChange(); !at.IsZero() {
		t.Errorf("nothing is to be dropped, and yet something changes at %s", at)
	}
	want := testNow.Add(hmacOverlap)
	if at := (hmacKeys{[]byte("b"), []byte("a"), testNow}).nextChange(); !at.Equal(want) {
		t.Errorf("the previous key is dropped at %s, want %s", at, want)
	}
}
