// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// An operator and a bot may be a version apart, either way: an upgrade replaces the operator first, and a bridge may pin
// its bot's image. testdata/previous is what the version before wrote.

func previous(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "previous", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// healthByText is the health of a bot whose report is a text.
func healthByText(t *testing.T, text string) health {
	t.Helper()
	lease := testLease(t, testNow, v1alpha1.BotReport{})
	lease.Annotations[v1alpha1.AnnotationReport] = text
	return healthOf(lease, testNow, testNow)
}

// An older bot's report lacks what is new, and says all the same that the bridge is well and which keys are in use.
func TestReportOfAnOlderBot(t *testing.T) {
	o := testObservation(t)
	o.health = healthByText(t, previous(t, "report.json"))
	for _, c := range computeConditions(o) {
		if c.Status != metav1.ConditionTrue {
			t.Errorf("%s is %s (%s): %s", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	current, before := v1alpha1.KeyID([]byte("key 1")), v1alpha1.KeyID([]byte("key 0"))
	keys := keyReportOf(o.health, testNow, testNow)
	if !slices.Equal(keys.accepts, []string{current, before}) {
		t.Errorf("the bot accepts %v", keys.accepts)
	}
	if used := slices.Collect(maps.Keys(keys.hmacUsed)); !slices.Equal(used, []string{current}) {
		t.Errorf("the site uses %v, want %s alone", used, current)
	}
	if keys.acceptedJWTKey() != "" {
		t.Errorf("the bot is said to connect by key %s, which it does not tell", keys.acceptedJWTKey())
	}
}

// An older bot reports the key that the site signed with last, and no uses: that brings a rotation to its end.
func TestRotationWithAnOlderBot(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.olderBeat("shop", []string{"first key"}, "first key")
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	phase := func(want v1alpha1.RotationPhase) {
		t.Helper()
		h.eventually("the rotation is "+string(want), func() error {
			if c := h.bridge("shop").Status.Credentials; c == nil || c.HMAC == nil || c.HMAC.Phase != want {
				return fmt.Errorf("the status says %+v", c)
			}
			return nil
		})
	}
	h.setSecret("site", "hmac", "second key")
	phase(v1alpha1.RotationStaged)
	h.olderBeat("shop", []string{"first key", "second key"}, "first key")
	phase(v1alpha1.RotationPublished)
	h.olderBeat("shop", []string{"first key", "second key"}, "second key")
	phase(v1alpha1.RotationAdopted)
	h.clock.advance(25 * time.Hour)
	h.olderBeat("shop", []string{"second key", "first key"}, "second key")
	phase(v1alpha1.RotationStable)
	if data := h.held("shop").Data; string(data[v1alpha1.FileHMACCurrent]) != "second key" || data[v1alpha1.FileHMACPrevious] != nil {
		t.Errorf("the bot has %q, and before it %q", data[v1alpha1.FileHMACCurrent], data[v1alpha1.FileHMACPrevious])
	}
}

// olderBeat plays a bot of the version before, which accepts some keys, and whose site signs with one of them.
func (h *harness) olderBeat(bridge string, accepts []string, used string) {
	h.Helper()
	report := map[string]any{}
	h.must(json.Unmarshal([]byte(previous(h.T, "report.json")), &report))
	ids := make([]string, len(accepts))
	for i, key := range accepts {
		ids[i] = v1alpha1.KeyID([]byte(key))
	}
	report["hmacKeyIDs"], report["siteKeyID"] = ids, v1alpha1.KeyID([]byte(used))
	text, err := json.Marshal(report)
	h.must(err)
	h.beatText(bridge, string(text))
}

// beatText is a heartbeat with a report that is a text.
func (h *harness) beatText(bridge, text string) {
	h.Helper()
	h.beat(bridge, nil)
	var lease coordinationv1.Lease
	h.must(h.get(v1alpha1.BotName(bridge), &lease))
	before := lease.DeepCopy()
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[v1alpha1.AnnotationReport] = text
	h.must(h.client.Patch(h.ctx, &lease, client.MergeFrom(before)))
}

// newer is a report with what no operator of this version knows: fields, reasons, words.
const newer = `{
  "version": "v9.0.0", "startedAt": "2026-03-01T12:00:00Z", "phase": "Hibernating", "shards": [{"id": 1}, 2, "three"],
  "site": {"ok": OK, "reason": "REASON", "since": "2026-03-01T12:00:00.123456789+03:00", "message": "words", "hops": 3},
  "telegram": {"ok": true, "reason": "ReachableByPigeon", "since": "2026-03-01T12:00:00Z"},
  "reconnects": 1, "hmacKeyIDs": ["a", "b", "c", "d", "e"], "siteKeyID": "f", "hmacKeysUsed": [{"id": "g", "how": "often"}],
  "refusing": {"reason": "moon-phase", "count": 1, "since": "2026-03-01T12:00:00Z", "by": "whom"},
  "tickets": {"received": 1, "posted": 1, "pending": 0, "adopted": 5}, "framesRefused": {"moon-phase": 1, "Ünlucky 7": 2}
}`

// A newer bot's unknown words reach the conditions as they are, where the API server takes them, and break nothing.
func TestReportOfANewerBot(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	says := func(ok, reason string) string {
		return strings.NewReplacer("OK", ok, "REASON", reason).Replace(newer)
	}
	h.beatText("shop", says("true", "Entangled"))
	h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, "Entangled")
	h.condition("shop", v1alpha1.ConditionTelegramReachable, metav1.ConditionTrue, "ReachableByPigeon")
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	for reason, want := range map[string]string{"Disentangled": "Disentangled", "no reason: at all!": "Unspecified", "": "Unspecified"} {
		h.beatText("shop", says("false", reason))
		h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, want)
	}
	for _, c := range h.bridge("shop").Status.Conditions {
		if c.Type == v1alpha1.ConditionStalled {
			t.Errorf("a reason that is not known is taken for one that only a person can do away with: %+v", c)
		}
	}
	h.beatText("shop", says("true", "Entangled"))
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// A report of another shape is no report, and no reason to give up.
func TestReportOfAnotherShape(t *testing.T) {
	for name, text := range map[string]string{
		"a list":             `[]`,
		"times are numbers":  strings.ReplaceAll(newer, `"2026-03-01T12:00:00Z"`, "1"),
		"keys are an object": `{"hmacKeyIDs": {"current": "a"}}`,
	} {
		o := testObservation(t)
		o.health = healthByText(t, text)
		for _, c := range computeConditions(o) {
			if c.Type == v1alpha1.ConditionSiteConnected && c.Reason != v1alpha1.ReasonHeartbeatMissing {
				t.Errorf("%s: %s is %s (%s)", name, c.Type, c.Status, c.Reason)
			}
		}
	}
}

// A bot of the version before reads its manifest strictly: it ends where there is a field that it does not know. So none
// may be in it that the previous CRD did not have, whatever the bridge uses.
func TestManifestForAnOlderBot(t *testing.T) {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal([]byte(previous(t, "crd.yaml")), &crd); err != nil {
		t.Fatal(err)
	}
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for name, change := range map[string]func(*v1alpha1.FeedbackBridgeSpec){
		"the least": func(*v1alpha1.FeedbackBridgeSpec) {},
		"everything generated": func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Credentials = v1alpha1.CredentialsSpec{
				HMAC:           v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{RotateEvery: "720h"}, Overlap: "24h"},
				JWT:            v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{RotateEvery: "720h"}, Algorithm: "ES256", TTL: "1h"},
				SiteSecretName: "shop-site",
			}
		},
		"an overlap": func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.HMAC.Overlap = "1h" },
	} {
		t.Run(name, func(t *testing.T) {
			text, err := botManifest(testBridge(change))
			if err != nil {
				t.Fatal(err)
			}
			var manifest map[string]any
			if err := yaml.Unmarshal([]byte(text), &manifest); err != nil {
				t.Fatal(err)
			}
			delete(manifest, "metadata") // of no schema, and always the same
			if unknown := unknownFields("", manifest, schema); len(unknown) > 0 {
				t.Errorf("a bot of the version before does not know %v in\n%s", unknown, text)
			}
		})
	}
}

// unknownFields are the paths of the fields of a value that a schema does not have.
func unknownFields(path string, value any, schema *apiextensionsv1.JSONSchemaProps) []string {
	var out []string
	switch v := value.(type) {
	case map[string]any:
		if len(schema.Properties) == 0 {
			return nil
		}
		for name, field := range v {
			if property, ok := schema.Properties[name]; ok {
				out = append(out, unknownFields(path+"."+name, field, &property)...)
			} else {
				out = append(out, path+"."+name)
			}
		}
	case []any:
		for _, item := range v {
			out = append(out, unknownFields(path+"[]", item, schema.Items.Schema)...)
		}
	}
	slices.Sort(out)
	return out
}

// whyRestarted are the fields of the pod template that differ from the previous version's, each with the reason that was
// worth a restart of every bot at the upgrade. Clear it with every new testdata/previous.
var whyRestarted = map[string]string{
	".spec.template.spec.containers[0].terminationMessagePolicy": "a crashed bot's last words belong into its pod's status",
	".spec.template.metadata.annotations.feedbackbridge.dev/config-hash": "the manifest no longer says where credentials come from, " +
		"so that no change of that restarts a bot from now on",
}

// An operator's upgrade leaves the bots' Deployments as they are, but for what is named.
func TestUpgradeDoesNotRestartBots(t *testing.T) {
	h := &harness{namespace: "support"}
	full := h.fullBridge("shop")
	full.Spec.Suspend = new(true)
	readyToken(&full.Spec)
	seen := map[string]bool{}
	for name, bridge := range map[string]*v1alpha1.FeedbackBridge{"least": h.goodBridge("shop"), "full": full} {
		bridge.UID = "uid-1"
		bridge.SetDefaults()
		before := deploymentIn(t, previous(t, "children-"+name+".yaml"))
		after := deploymentIn(t, childrenYAML(t, bridge))
		for _, path := range differences("", before, after) {
			seen[path] = true
			if whyRestarted[path] == "" {
				t.Errorf("%s: %s differs from the version before, which restarts every bot at the upgrade: undo it, or say in "+
					"whyRestarted what makes it worth that", name, path)
			}
		}
	}
	for path := range whyRestarted {
		if !seen[path] {
			t.Errorf("%s does not differ: nothing has to be explained", path)
		}
	}
}

func deploymentIn(t *testing.T, children string) map[string]any {
	t.Helper()
	for _, document := range strings.Split(children, "---\n") {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if object["kind"] == "Deployment" {
			return object
		}
	}
	t.Fatal(errors.New("there is no Deployment"))
	return nil
}

// differences are the paths of what is not the same in two values.
func differences(path string, a, b any) []string {
	var out []string
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return []string{path}
		}
		names := maps.Clone(x)
		maps.Copy(names, y)
		for name := range names {
			out = append(out, differences(path+"."+name, x[name], y[name])...)
		}
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return []string{path}
		}
		for i := range x {
			out = append(out, differences(fmt.Sprintf("%s[%d]", path, i), x[i], y[i])...)
		}
	default:
		if a != b {
			return []string{path}
		}
	}
	return out
}
