// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func TestDoctorNamesKeysAndRefusals(t *testing.T) {
	since := metav1.NewTime(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	for _, test := range []struct {
		name   string
		report v1alpha1.BotReport
		want   string
		sick   bool
	}{
		{"keys", v1alpha1.BotReport{HMACKeyIDs: []string{"aa", "bb"}, SiteKeyID: "bb", JWTKeyID: "kid"},
			"ok    keys      the bot that runs here: accepts the HMAC keys aa, bb; the site signed last with bb; " +
				"the site accepted a token of the key kid\n", false},
		{"nothing came yet", v1alpha1.BotReport{HMACKeyIDs: []string{"aa"}},
			"ok    keys      the bot that runs here: accepts the HMAC keys aa\n", false},
		{"another key", v1alpha1.BotReport{HMACKeyIDs: []string{"aa", "bb"},
			Refusing: &v1alpha1.RefusalReport{Reason: "invalid_signature", Count: 3, Since: since}},
			"ok    keys      the bot that runs here: accepts the HMAC keys aa, bb\n" +
				"MEND  site      the bot that runs here: refuses the site's frames since 2026-11-22T12:00:00Z (3, the last: " +
				"invalid_signature); give the site the HMAC key with the id aa or bb\n", true},
		{"clock", v1alpha1.BotReport{HMACKeyIDs: []string{"aa"},
			Refusing: &v1alpha1.RefusalReport{Reason: "expired", Count: 1, Since: since, ClockOffsetSeconds: -3700}},
			"ok    keys      the bot that runs here: accepts the HMAC keys aa\n" +
				"MEND  site      the bot that runs here: refuses the site's frames since 2026-11-22T12:00:00Z (1, the last: expired); " +
				"the times of its frames are 1h1m40s behind, so set its clock, or the bot's\n", true},
		{"payload", v1alpha1.BotReport{HMACKeyIDs: []string{"aa"},
			Refusing: &v1alpha1.RefusalReport{Reason: "invalid_payload", Count: 1, Since: since}},
			"ok    keys      the bot that runs here: accepts the HMAC keys aa\n" +
				"MEND  site      the bot that runs here: refuses the site's frames since 2026-11-22T12:00:00Z (1, the last: invalid_payload); " +
				"the answers that the site got say what is wrong with them\n", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			d := diagnosis{out: &out}
			d.frames(test.report)
			if got := out.String(); got != test.want {
				t.Errorf("said\n%swant\n%s", got, test.want)
			}
			if err := d.verdict(); errors.Is(err, errSick) != test.sick {
				t.Errorf("verdict %v", err)
			}
		})
	}
}
