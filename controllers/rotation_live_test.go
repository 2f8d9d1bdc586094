// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// generatedBridge has everything generated.
func (h *harness) generatedBridge(name string) *v1alpha1.FeedbackBridge {
	b := h.goodBridge(name)
	b.Spec.Credentials = v1alpha1.CredentialsSpec{
		HMAC: v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}},
		JWT:  v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{}},
	}
	return b
}

// secret reads a Secret's data; none where it does not exist.
func (h *harness) secret(name string) map[string][]byte {
	h.Helper()
	var s corev1.Secret
	if err := client.IgnoreNotFound(h.get(name, &s)); err != nil {
		h.Fatal(err)
	}
	return s.Data
}

// annotate sets an annotation of a bridge, as a person would.
func (h *harness) annotate(bridge, name, value string) {
	h.Helper()
	text := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, name, value)
	h.must(h.client.Patch(h.ctx, h.bridge(bridge), client.RawPatch("application/merge-patch+json", []byte(text))))
}

// keysReport is a good report of a bot that holds what its Secret holds, and of a site that signs with one key and accepted
// a token of another.
func (h *harness) keysReport(bridge, used, kid string) *v1alpha1.BotReport {
	h.Helper()
	report := goodReport(h.clock.Now())
	data := h.secret(v1alpha1.BotName(bridge))
	for _, file := range []string{v1alpha1.FileHMACCurrent, v1alpha1.FileHMACNext, v1alpha1.FileHMACPrevious} {
		if key := data[file]; key != nil {
			report.HMACKeyIDs = append(report.HMACKeyIDs, v1alpha1.KeyID(key))
		}
	}
	if used != "" {
		report.HMACKeysUsed = []v1alpha1.KeyUse{{ID: used, First: report.StartedAt, Last: report.StartedAt}}
		report.SiteKeyID = used
	}
	report.JWTKeyID = kid
	return &report
}

// phase waits until both rotations of a bridge are in a phase, and returns the credentials' status.
func (h *harness) phase(bridge string, hmac, jwt v1alpha1.RotationPhase) *v1alpha1.CredentialsStatus {
	h.Helper()
	var found *v1alpha1.CredentialsStatus
	h.eventually(fmt.Sprintf("the HMAC key is %s and the signing key %s", hmac, jwt), func() error {
		c := h.bridge(bridge).Status.Credentials
		switch {
		case c == nil || c.HMAC == nil || c.JWT == nil || c.JWT.Rotation == nil:
			return fmt.Errorf("the status says %+v", c)
		case c.HMAC.Phase != hmac || c.JWT.Rotation.Phase != jwt:
			return fmt.Errorf("they are %s and %s", c.HMAC.Phase, c.JWT.Rotation.Phase)
		}
		found = c
		return nil
	})
	return found
}

// eventReasons are the reasons of the events so far that begin with Rotation.
func (h *harness) eventReasons() []string {
	var out []string
	for len(h.events.Events) > 0 {
		if fields := strings.Fields(<-h.events.Events); strings.HasPrefix(fields[1], "Rotation") {
			out = append(out, fields[1])
		}
	}
	slices.Sort(out)
	return out
}

// A rotation of generated keys, from the first keys to the end of the overlap, as a site and a person see it.
func TestGeneratedKeysRotate(t *testing.T) {
	h := newHarness(t)
	h.createSecrets()
	h.must(h.client.Create(h.ctx, h.generatedBridge("shop")))
	h.run()
	first := h.phase("shop", v1alpha1.RotationStable, v1alpha1.RotationStable)
	h.eventually("the site's Secret is there", func() error {
		site := h.secret("shop-site")
		if len(site["hmac-key"]) != 64 || string(site["hmac-key-id"]) != first.HMAC.CurrentKeyID || site["hmac-next"] != nil {
			return fmt.Errorf("it has %d bytes of a key of the id %q", len(site["hmac-key"]), site["hmac-key-id"])
		}
		if _, ok := parseJWKS(site[v1alpha1.SiteJWKS]).find(first.JWT.KeyID); !ok {
			return fmt.Errorf("jwks.json is %s", site[v1alpha1.SiteJWKS])
		}
		return nil
	})
	h.beat("shop", h.keysReport("shop", first.HMAC.CurrentKeyID, first.JWT.KeyID))
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	// Asked for: the HMAC key waits for the bot; the signing key only for the site's Secret.
	h.annotate("shop", v1alpha1.AnnotationRotateNow, "1")
	c := h.phase("shop", v1alpha1.RotationStaged, v1alpha1.RotationPublished)
	if site := h.secret("shop-site"); string(site["hmac-key-id"]) != first.HMAC.CurrentKeyID || site["hmac-next"] != nil {
		t.Errorf("the site has %v before the bot accepts it", site["hmac-next-id"])
	}
	if c.JWT.KeyID != c.JWT.Rotation.NextKeyID || c.HandledRotateNow != "1" {
		t.Errorf("the token is of key %s, and %q is handled", c.JWT.KeyID, c.HandledRotateNow)
	}
	if kid, _ := aboutToken(string(h.held("shop").Data[v1alpha1.FileJWTPrevious])); kid != first.JWT.KeyID {
		t.Errorf("the token to fall back to is of key %q", kid)
	}

	// The bot accepts it: the site gets it.
	h.beat("shop", h.keysReport("shop", first.HMAC.CurrentKeyID, first.JWT.KeyID))
	c = h.phase("shop", v1alpha1.RotationPublished, v1alpha1.RotationPublished)
	h.eventually("the site is given the next key", func() error {
		if site := h.secret("shop-site"); string(site["hmac-key-id"]) != c.HMAC.NextKeyID || string(site["hmac-next-id"]) != c.HMAC.NextKeyID ||
			string(site["hmac-current-id"]) != first.HMAC.CurrentKeyID {
			return fmt.Errorf("it is to sign with %s", site["hmac-key-id"])
		}
		return nil
	})

	// Another one meanwhile is refused.
	h.annotate("shop", v1alpha1.AnnotationRotateNow, "2")
	h.eventually("the refusal is noted", func() error {
		if c := h.bridge("shop").Status.Credentials; c.HandledRotateNow != "2" {
			return fmt.Errorf("%q is handled", c.HandledRotateNow)
		}
		return nil
	})

	// The site uses both: they are the current ones.
	next := c.HMAC.NextKeyID
	h.beat("shop", h.keysReport("shop", next, c.JWT.Rotation.NextKeyID))
	c = h.phase("shop", v1alpha1.RotationAdopted, v1alpha1.RotationAdopted)
	if c.HMAC.CurrentKeyID != next || c.HMAC.PreviousKeyID != first.HMAC.CurrentKeyID || c.JWT.Rotation.PreviousKeyID != first.JWT.KeyID {
		t.Errorf("the status says %+v and %+v", c.HMAC, c.JWT.Rotation)
	}

	// The overlap ends.
	h.clock.advance(25 * time.Hour)
	h.beat("shop", h.keysReport("shop", next, c.JWT.KeyID))
	c = h.phase("shop", v1alpha1.RotationStable, v1alpha1.RotationStable)
	h.eventually("the keys before are gone", func() error {
		site, bot := h.secret("shop-site"), h.held("shop").Data
		if site["hmac-previous"] != nil || bot["hmac-previous"] != nil || bot["jwt-previous"] != nil || len(parseJWKS(site["jwks.json"]).Keys) != 1 {
			return errors.New("something of them is left")
		}
		return nil
	})
	want := []string{"RotationAdopted", "RotationAdopted", "RotationPublished", "RotationPublished", "RotationRefused", "RotationRefused",
		"RotationRetired", "RotationRetired", "RotationStaged", "RotationStaged"}
	if got := h.eventReasons(); !slices.Equal(got, want) {
		t.Errorf("the events are %v, want %v", got, want)
	}
}
