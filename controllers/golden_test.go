// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The children of three bridges, the least one, one that uses every field, and one with a database, as they are sent to the API
// server. After
// a change that is meant: UPDATE_GOLDEN=1 go test ./controllers -run Golden, and read the difference.
func TestChildrenGolden(t *testing.T) {
	h := &harness{namespace: "support"}
	full := h.fullBridge("shop")
	full.Spec.Suspend = new(true)
	readyToken(&full.Spec)
	for name, bridge := range map[string]*v1alpha1.FeedbackBridge{"least": h.goodBridge("shop"), "full": full, "postgres": h.postgresBridge("shop", 2)} {
		t.Run(name, func(t *testing.T) {
			bridge.UID = "uid-1"
			bridge.SetDefaults()
			got := childrenYAML(t, bridge)
			path := filepath.Join("testdata", "children-"+name+".yaml")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func childrenYAML(t *testing.T, b *v1alpha1.FeedbackBridge) string {
	t.Helper()
	manifest, err := botManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	deployment, err := buildDeployment(b, testImage, hashOf(manifest))
	if err != nil {
		t.Fatal(err)
	}
	config, err := buildConfigMap(b, manifest)
	if err != nil {
		t.Fatal(err)
	}
	hold := held{hmac: someKeys("b", "", "a", rotation{rotatedAt: testNow, retireAt: testNow.Add(testOverlap)})}
	var out strings.Builder
	children := []runtime.ApplyConfiguration{
		buildServiceAccount(b), buildRole(b), buildRoleBinding(b), buildLease(b), buildNetworkPolicy(b, DefaultAPIServerPorts),
	}
	if claim := buildVolumeClaim(b); claim != nil {
		children = append(children, claim)
	}
	for _, child := range append(children, buildSecret(b, hold), config, deployment) {
		text, err := yaml.Marshal(child)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n" + string(text))
	}
	return out.String()
}
