// SPDX-License-Identifier: Apache-2.0

package customization

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const rotateNow = "feedbackbridge.dev/rotate-now"

func generatedHMAC(t *testing.T, b *unstructured.Unstructured) {
	set(t, b, map[string]any{"generate": map[string]any{"rotateEvery": "720h"}}, "spec", "credentials", "hmac")
}

func hmacPhase(phase string) func(*testing.T, *unstructured.Unstructured) {
	return func(t *testing.T, b *unstructured.Unstructured) {
		generatedHMAC(t, b)
		set(t, b, phase, "status", "credentials", "hmac", "phase")
	}
}

// The actions that a person can choose in each state; the others are greyed out.
func TestActionsOffered(t *testing.T) {
	for name, tc := range map[string]struct {
		given func(*testing.T, *unstructured.Unstructured)
		want  string
	}{
		"a token that the operator signs": {nil, "rotate-now suspend"},
		"nothing that the operator makes": {func(t *testing.T, b *unstructured.Unstructured) {
			set(t, b, map[string]any{"tokenSecretRef": map[string]any{"name": "site", "key": "jwt"}}, "spec", "credentials", "jwt")
		}, "suspend"},
		"generated keys":                   {hmacPhase("Stable"), "rotate-now suspend"},
		"not looked at yet":                {func(t *testing.T, b *unstructured.Unstructured) { delete(b.Object, "status"); generatedHMAC(t, b) }, "rotate-now suspend"},
		"a rotation was staged":            {hmacPhase("Staged"), "rotate-now-force suspend"},
		"the key before is still accepted": {hmacPhase("Adopted"), "rotate-now-force suspend"},
		"the user's own key rolls in": {func(t *testing.T, b *unstructured.Unstructured) {
			set(t, b, "Published", "status", "credentials", "hmac", "phase")
		}, "rotate-now suspend"},
		"a signing key rotates": {func(t *testing.T, b *unstructured.Unstructured) {
			set(t, b, map[string]any{"generate": map[string]any{}}, "spec", "credentials", "jwt")
			set(t, b, "Published", "status", "credentials", "jwt", "rotation", "phase")
		}, "rotate-now-force suspend"},
		"suspended": {func(t *testing.T, b *unstructured.Unstructured) { set(t, b, true, "spec", "suspend") }, "resume"},
	} {
		t.Run(name, func(t *testing.T) {
			bridge := readBridge(t, "ready")
			if tc.given != nil {
				tc.given(t, bridge)
			}
			vm := lua.VM{ResourceOverrides: overrides(t)}
			scripts, err := vm.GetResourceActionDiscovery(bridge)
			if err != nil {
				t.Fatal(err)
			}
			actions, err := vm.ExecuteResourceActionDiscovery(bridge, scripts)
			if err != nil {
				t.Fatal(err)
			}
			var offered []string
			for _, action := range actions {
				if _, err := vm.GetResourceAction(bridge, action.Name); err != nil {
					t.Errorf("%s is offered and does not exist: %v", action.Name, err)
				}
				if !action.Disabled {
					offered = append(offered, action.Name)
				}
			}
			slices.Sort(offered)
			if got := strings.Join(offered, " "); got != tc.want {
				t.Errorf("offered: %q, want %q", got, tc.want)
			}
		})
	}
}

// An action changes one thing, and nothing else of the object.
func TestActions(t *testing.T) {
	for action, check := range map[string]func(*testing.T, *unstructured.Unstructured){
		"rotate-now": func(t *testing.T, b *unstructured.Unstructured) {
			aboutNow(t, b.GetAnnotations()[rotateNow])
			b.SetAnnotations(without(b.GetAnnotations(), rotateNow))
		},
		"rotate-now-force": func(t *testing.T, b *unstructured.Unstructured) {
			at, forced := strings.CutPrefix(b.GetAnnotations()[rotateNow], "force-")
			if !forced {
				t.Errorf("not forced: %v", b.GetAnnotations())
			}
			aboutNow(t, at)
			b.SetAnnotations(without(b.GetAnnotations(), rotateNow))
		},
		"suspend": func(t *testing.T, b *unstructured.Unstructured) {
			if suspended, _, _ := unstructured.NestedBool(b.Object, "spec", "suspend"); !suspended {
				t.Error("not suspended")
			}
			unstructured.RemoveNestedField(b.Object, "spec", "suspend")
		},
		"resume": func(t *testing.T, b *unstructured.Unstructured) {
			if _, there, _ := unstructured.NestedBool(b.Object, "spec", "suspend"); there {
				t.Error("spec.suspend is still there")
			}
		},
	} {
		for name, annotations := range map[string]map[string]string{"bare": nil, "annotated": {"team": "shop"}} {
			t.Run(action+"/"+name, func(t *testing.T) {
				bridge := readBridge(t, "ready")
				bridge.SetAnnotations(annotations)
				// Lua cannot tell an empty object from an empty list.
				set(t, bridge, map[string]any{}, "spec", "storage", "ephemeral")
				set(t, bridge, []any{}, "spec", "telegram", "routes")
				want := bridge.DeepCopy()
				if action == "resume" {
					set(t, bridge, true, "spec", "suspend")
				}
				vm := lua.VM{ResourceOverrides: overrides(t)}
				definition, err := vm.GetResourceAction(bridge, action)
				if err != nil {
					t.Fatal(err)
				}
				changes, err := vm.ExecuteResourceAction(bridge, definition.ActionLua, nil)
				if err != nil || len(changes) != 1 || changes[0].K8SOperation != lua.PatchOperation {
					t.Fatalf("changes: %+v, %v", changes, err)
				}
				got := changes[0].UnstructuredObj
				check(t, got)
				if !equality.Semantic.DeepEqual(want.Object, got.Object) {
					t.Errorf("more than that changed:\nwant %v\n got %v", want.Object, got.Object)
				}
			})
		}
	}
}

func aboutNow(t *testing.T, text string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("%q is not the time: %v", text, err)
	}
}

func without(m map[string]string, key string) map[string]string {
	m = maps.Clone(m)
	delete(m, key)
	if len(m) == 0 {
		return nil
	}
	return m
}
