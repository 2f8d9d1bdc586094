// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
)

// operatorUser is who the operator is to the API server.
const operatorUser = "system:serviceaccount:" + world.OperatorNamespace + ":feedbackbridge-operator"

// access is one thing that a role allows, or that somebody did; resource has its subresource behind a slash.
type access struct{ group, resource, verb string }

func (a access) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s.%s", a.verb, a.resource, a.group))
}

// grantedUnseen are the verbs that the audit log cannot show to be needed, and why they are granted all the same.
func grantedUnseen(a access) string {
	switch {
	case a == access{"feedbackbridge.dev", "feedbackbridges/finalizers", "update"}:
		return "the admission plug-in OwnerReferencesPermissionEnforcement asks for it; the controllers' tests run with it"
	case a.verb == "list":
		return "caches begin with a streamed watch, and with a list where the API server or a proxy cannot stream"
	case a.verb == "get":
		return "an object that has a child's name and is not in the cache is looked at; the controllers' tests make one of each kind"
	case a.resource == "events" && a.verb == "patch":
		return "an event that happens again within minutes is patched; a run need not have one"
	case a.resource == "events" && a.group == "":
		return "leader election writes its events to the core group"
	}
	return ""
}

// compareRBAC holds what the operator may do against what it did since a time, by the audit log: a verb that was never
// used has no place in the role, and nothing that it tried may have been refused.
func compareRBAC(since time.Time) error {
	granted, err := grantedToOperator()
	if err != nil {
		return err
	}
	used, refused, err := accesses(since, operatorUser)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range slices.SortedFunc(maps.Keys(granted), compareAccess) {
		if !used[a] && grantedUnseen(a) == "" {
			errs = append(errs, fmt.Errorf("the role allows what the whole run never used: %s", a))
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(refused), compareAccess) {
		errs = append(errs, fmt.Errorf("the role lacks what the operator tried: %s", a))
	}
	if len(used) == 0 {
		errs = append(errs, fmt.Errorf("the audit log shows nothing of %s", operatorUser))
	}
	fmt.Printf("rbac: the operator used %d of %d granted verbs; nothing was refused: %t\n", len(used), len(granted), len(refused) == 0)
	return errors.Join(errs...)
}

func compareAccess(a, b access) int { return strings.Compare(a.String(), b.String()) }

// grantedToOperator is every verb of the operator's ClusterRole, one by one.
func grantedToOperator() (map[access]bool, error) {
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		return nil, err
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(text, &role); err != nil {
		return nil, fmt.Errorf("read config/rbac/role.yaml: %w", err)
	}
	granted := map[access]bool{}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					granted[access{group, resource, verb}] = true
				}
			}
		}
	}
	return granted, nil
}

// accesses are what a user did since a time, by the audit log, and what was refused as forbidden.
func accesses(since time.Time, user string) (used, refused map[access]bool, err error) {
	used, refused = map[access]bool{}, map[access]bool{}
	// The API server sets a full log aside, under its name and the time.
	pattern := strings.TrimSuffix(world.Cluster.AuditLog, ".log") + "*.log"
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		if err := eachAudited(file, func(e audited) { e.add(since, user, used, refused) }); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return used, refused, nil
}

// audited is a line of the audit log, as far as it matters.
type audited struct {
	Verb                     string
	User                     struct{ Username string }
	ObjectRef                struct{ APIGroup, Resource, Subresource string }
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
	Annotations              map[string]string
}

func eachAudited(path string, do func(audited)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var e audited
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		do(e)
	}
}

// add notes what a user did. A server-side apply that made its object has been authorized to patch and to create.
func (e audited) add(since time.Time, user string, used, refused map[access]bool) {
	if e.User.Username != user || e.ObjectRef.Resource == "" || e.RequestReceivedTimestamp.Before(since) {
		return
	}
	a := access{e.ObjectRef.APIGroup, strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"), e.Verb}
	// Admission says Forbidden, too: to what is made in a namespace that goes, or beyond a quota.
	switch {
	case e.Annotations["authorization.k8s.io/decision"] == "forbid":
		refused[a] = true
	case e.ResponseStatus.Code == http.StatusCreated:
		used[a], used[access{a.group, a.resource, "create"}] = true, true
	default:
		used[a] = true
	}
}
