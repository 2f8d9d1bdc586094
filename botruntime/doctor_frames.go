// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/site"
)

// frames reports the keys that the running bot works with, and whether it refuses what the site sends.
func (d *diagnosis) frames(r v1alpha1.BotReport) {
	d.report(true, "keys", "the bot that runs here: "+keysInUse(r))
	if r.Refusing != nil {
		d.report(false, "site", "the bot that runs here: "+refusing(r))
	}
}

// keysInUse says by which keys the bot and the site know each other.
func keysInUse(r v1alpha1.BotReport) string {
	says := "accepts the HMAC keys " + strings.Join(r.HMACKeyIDs, ", ")
	if r.SiteKeyID != "" {
		says += "; the site signed last with " + r.SiteKeyID
	}
	if r.JWTKeyID != "" {
		says += "; the site accepted a token of the key " + r.JWTKeyID
	}
	return says
}

// refusing says why the site's frames are refused, and what to do.
func refusing(r v1alpha1.BotReport) string {
	says := fmt.Sprintf("refuses the site's frames since %s (%d, the last: %s)", r.Refusing.Since.UTC().Format(time.RFC3339),
		r.Refusing.Count, r.Refusing.Reason)
	switch r.Refusing.Reason {
	case site.RefusedInvalidSignature:
		return says + "; give the site the HMAC key with the id " + strings.Join(r.HMACKeyIDs, " or ")
	case site.RefusedExpired:
		return says + fmt.Sprintf("; the times of its frames are %v, so set its clock, or the bot's", offset(r.Refusing.ClockOffsetSeconds))
	default:
		return says + "; the answers that the site got say what is wrong with them"
	}
}

// offset puts a clock's offset into words.
func offset(seconds int64) string {
	if seconds < 0 {
		return (time.Duration(-seconds) * time.Second).String() + " behind"
	}
	return (time.Duration(seconds) * time.Second).String() + " ahead"
}
