// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// breakage is a state of the world, and what its bridge's status says of it.
type breakage struct {
	given func(*testing.T, *observation)
	// condition is where the reason stands; Ready repeats it unless ready is another reason.
	condition string
	status    metav1.ConditionStatus
	reason    string
	ready     string
	// result is how kstatus, and with it Helm, Flux and Argo CD's health check, take it: Current, InProgress or Failed.
	result string
	// mend are words of the message that tell what to do, in their order.
	mend []string
}

// siteSays is a bot that has this to say of the site; the messages are the bot's own.
func siteSays(reason, message string) func(*testing.T, *observation) {
	return func(t *testing.T, o *observation) {
		o.at(t, 0, func(r *v1alpha1.BotReport) { r.Site = v1alpha1.PeerReport{Reason: reason, Message: message} })
	}
}

func telegramSays(reason, message string) func(*testing.T, *observation) {
	return func(t *testing.T, o *observation) {
		o.at(t, 0, func(r *v1alpha1.BotReport) { r.Telegram = v1alpha1.PeerReport{Reason: reason, Message: message} })
	}
}

func refusing(reason string, count, offset int64) func(*testing.T, *observation) {
	return func(t *testing.T, o *observation) {
		o.at(t, 0, func(r *v1alpha1.BotReport) {
			r.HMACKeyIDs = []string{"0123456789abcdef", "fedcba9876543210"}
			r.Refusing = &v1alpha1.RefusalReport{Reason: reason, Count: count, ClockOffsetSeconds: offset}
		})
	}
}

func missingSecret(_ *testing.T, o *observation) {
	_, p := secretSet{}.value(o.bridge.Spec.Telegram.TokenSecretRef, "the token")
	o.creds.fail(p)
}

func missingKey(_ *testing.T, o *observation) {
	set := secretSet{"telegram": &corev1.Secret{Data: map[string][]byte{"tokn": nil}}}
	_, p := set.value(o.bridge.Spec.Telegram.TokenSecretRef, "the token")
	o.creds.fail(p)
}

func problemOf(reason, message string) func(*testing.T, *observation) {
	return func(_ *testing.T, o *observation) { o.creds.fail(&problem{reason, message}) }
}

// overdue is a rotation that the site holds up; keyreport.go has its words.
func overdue(reason string) func(*testing.T, *observation) {
	return func(_ *testing.T, o *observation) {
		o.creds.overdue = &problem{reason, "let the site load the new key"}
	}
}

func podless(given func(*observation)) func(*testing.T, *observation) {
	return func(_ *testing.T, o *observation) { o.health = health{}; given(o) }
}

const (
	ready     = v1alpha1.ConditionReady
	creds     = v1alpha1.ConditionCredentialsReady
	workload  = v1alpha1.ConditionWorkloadAvailable
	site      = v1alpha1.ConditionSiteConnected
	messenger = v1alpha1.ConditionTelegramReachable
	yes       = metav1.ConditionTrue
	no        = metav1.ConditionFalse
)

func breakages() map[string]breakage {
	all := operatorBreakages()
	maps.Copy(all, siteBreakages())
	maps.Copy(all, telegramBreakages())
	maps.Copy(all, storageBreakages())
	return all
}

// operatorBreakages are those that the operator finds by itself.
func operatorBreakages() map[string]breakage {
	pods := func(list ...corev1.Pod) func(*testing.T, *observation) {
		return podless(func(o *observation) { o.pods = list })
	}
	return map[string]breakage{
		"nothing":   {nil, ready, yes, v1alpha1.ReasonReady, "", "Current", nil},
		"suspended": {func(_ *testing.T, o *observation) { o.bridge.Spec.Suspend = new(true) }, ready, no, v1alpha1.ReasonSuspended, "", "InProgress", []string{"set spec.suspend to false"}},
		"invalid spec": {func(_ *testing.T, o *observation) {
			o.bridge.Spec.Telegram.TimeZone = "Moscow"
			o.invalid = specProblem(o.bridge)
		}, ready, no, v1alpha1.ReasonInvalidSpec, "", "Failed", []string{"spec.telegram.timeZone", "Europe/Moscow"}},
		"a name that is taken": {func(_ *testing.T, o *observation) {
			o.applied.err = fmt.Errorf("apply ConfigMap shop-bot: %w", errForeign)
		},
			ready, no, v1alpha1.ReasonApplyFailed, "", "Failed", []string{"ConfigMap shop-bot", "rename it, or rename the bridge"}},
		"a refused child": {func(_ *testing.T, o *observation) { o.applied.err = invalidError() },
			ready, no, v1alpha1.ReasonApplyFailed, "", "Failed", []string{"Correct the part of the spec", "Deployment shop-bot"}},
		"no quota for a child": {func(_ *testing.T, o *observation) {
			o.applied.err = fmt.Errorf("apply PersistentVolumeClaim shop-bot: %w", apierrors.NewForbidden(schema.GroupResource{}, "shop-bot", errors.New("exceeded quota: small")))
		}, ready, no, v1alpha1.ReasonApplyFailed, "", "InProgress", []string{"Raise the namespace's ResourceQuota", "exceeded quota: small"}},
		"no right to a child": {func(_ *testing.T, o *observation) {
			o.applied.err = apierrors.NewForbidden(schema.GroupResource{}, "shop-bot", errors.New("no"))
		}, ready, no, v1alpha1.ReasonApplyFailed, "", "InProgress", []string{"Give the operator's role this right"}},

		"no Secret":     {missingSecret, creds, no, v1alpha1.ReasonSecretNotFound, "", "Failed", []string{"create it"}},
		"no key":        {missingKey, creds, no, v1alpha1.ReasonSecretKeyNotFound, "", "Failed", []string{`no key "token": add it`, "it has tokn"}},
		"a wrong value": {problemOf(v1alpha1.ReasonSecretMalformed, "store it"), creds, no, v1alpha1.ReasonSecretMalformed, "", "Failed", nil},
		"an old token":  {problemOf(v1alpha1.ReasonTokenExpired, "store a new one"), creds, no, v1alpha1.ReasonTokenExpired, "", "Failed", nil},
		"no right to Secrets": {func(_ *testing.T, o *observation) {
			o.applied.err = apierrors.NewForbidden(schema.GroupResource{}, "telegram", errors.New("no"))
			o.creds = o.lastCredentials(o.applied.err)
		}, creds, no, v1alpha1.ReasonSecretUnreadable, v1alpha1.ReasonApplyFailed, "InProgress", []string{"give it the rights of its role"}},
		"all Secrets": {nil, creds, yes, v1alpha1.ReasonCredentialsReady, v1alpha1.ReasonReady, "Current", nil},
		"a pod":       {nil, workload, yes, v1alpha1.ReasonWorkloadAvailable, v1alpha1.ReasonReady, "Current", nil},
		"no pod yet":  {podless(func(*observation) {}), workload, no, v1alpha1.ReasonWorkloadUnavailable, "", "InProgress", []string{"wait"}},
		"no Deployment": {podless(func(o *observation) {
			o.deployment = nil
			o.creds.fail(&problem{v1alpha1.ReasonSecretNotFound, "create it"})
		}), workload, no, v1alpha1.ReasonWorkloadUnavailable, v1alpha1.ReasonSecretNotFound, "Failed", []string{"do what its message says"}},
		"no volume":    {podless(func(o *observation) { o.pods, o.claim = []corev1.Pod{unscheduled("")}, claim(corev1.ClaimPending, nil) }), workload, no, v1alpha1.ReasonVolumePending, "", "InProgress", []string{"see that"}},
		"no image":     {pods(podWith(waiting("ErrImagePull", ""))), workload, no, v1alpha1.ReasonImageUnavailable, "", "InProgress", []string{"correct"}},
		"no quota":     {podless(func(o *observation) { o.deployment = replicaFailure("exceeded quota: x") }), workload, no, v1alpha1.ReasonQuotaExceeded, "", "InProgress", []string{"raise it"}},
		"no admission": {podless(func(o *observation) { o.deployment = replicaFailure("denied the request") }), workload, no, v1alpha1.ReasonPodRefused, "", "InProgress", []string{"change the policy"}},
		"no node":      {pods(unscheduled("0/1 nodes")), workload, no, v1alpha1.ReasonUnschedulable, "", "InProgress", []string{"change spec.runtime"}},
		"a crash":      {pods(podWith(crashed(waiting("CrashLoopBackOff", "").State, 3, corev1.ContainerStateTerminated{ExitCode: 1}, testNow))), workload, no, v1alpha1.ReasonCrashing, "", "InProgress", []string{"look at its log"}},
		"a pod too late": {podless(func(o *observation) {
			o.deployment = gaveUpDeployment()
			o.pods = []corev1.Pod{podWith(waiting("ErrImagePull", ""))}
		}), workload, no, v1alpha1.ReasonImageUnavailable, "", "Failed", []string{"correct"}},
		"a silent start": {podless(func(o *observation) { o.deployment.Status.AvailableReplicas = 1 }), site, metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatMissing, "", "InProgress", []string{"wait"}},
		"silence": {func(t *testing.T, o *observation) { o.at(t, time.Hour, nil); o.deployment.Status.AvailableReplicas = 1 },
			site, metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatStale, "", "InProgress", []string{"kubectl -n support logs shop-bot-abc", "API server"}},
		"silence of a pod that is not ready": {func(t *testing.T, o *observation) {
			o.at(t, time.Hour, nil)
			o.pods = []corev1.Pod{podWith(isRunning())}
		},
			workload, no, v1alpha1.ReasonHeartbeatStale, "", "InProgress", []string{"kubectl -n support logs p", "API server"}},
		"a changed spec": {func(_ *testing.T, o *observation) { o.rolled = true }, ready, no, v1alpha1.ReasonProgressing, "", "InProgress", []string{"wait"}},
	}
}

func siteBreakages() map[string]breakage {
	return map[string]breakage{
		"a key not adopted":         {overdue(v1alpha1.ReasonSiteKeyNotAdopted), v1alpha1.ConditionRotationOverdue, yes, v1alpha1.ReasonSiteKeyNotAdopted, v1alpha1.ReasonReady, "Current", []string{"let the site load"}},
		"a signing key not adopted": {overdue(v1alpha1.ReasonSigningKeyNotAdopted), v1alpha1.ConditionRotationOverdue, yes, v1alpha1.ReasonSigningKeyNotAdopted, v1alpha1.ReasonReady, "Current", []string{"let the site load"}},

		"connected":            {nil, site, yes, v1alpha1.ReasonConnected, v1alpha1.ReasonReady, "Current", nil},
		"dialling":             {siteSays(v1alpha1.ReasonConnecting, ""), site, no, v1alpha1.ReasonConnecting, "", "InProgress", []string{"wait"}},
		"a refused token":      {siteSays(v1alpha1.ReasonCredentialsRefused, "HTTP 403 Forbidden: the site refused the token; check the token"), site, no, v1alpha1.ReasonCredentialsRefused, "", "Failed", []string{"HTTP 403", `key "jwt" of Secret "site"`, "have the site check them"}},
		"a name unknown":       {siteSays(v1alpha1.ReasonDNSFailure, "shop.example does not resolve: no such host"), site, no, v1alpha1.ReasonDNSFailure, "", "InProgress", []string{"shop.example", "correct the host in spec.site.url"}},
		"a strange authority":  {siteSays(v1alpha1.ReasonTLSFailure, "the certificate of shop.example is signed by an unknown authority; name it in site.tls.caSecretRef"), site, no, v1alpha1.ReasonTLSFailure, "", "InProgress", []string{"site.tls.caSecretRef"}},
		"an old certificate":   {siteSays(v1alpha1.ReasonTLSFailure, "the certificate of shop.example has expired or is not valid yet"), site, no, v1alpha1.ReasonTLSFailure, "", "InProgress", []string{"renew"}},
		"nobody at home":       {siteSays(v1alpha1.ReasonConnectionRefused, "nothing listens at shop.example"), site, no, v1alpha1.ReasonConnectionRefused, "", "InProgress", []string{"start the site", "spec.site.url"}},
		"no WebSocket":         {siteSays(v1alpha1.ReasonHandshakeFailed, "HTTP 502 Bad Gateway instead of a WebSocket"), site, no, v1alpha1.ReasonHandshakeFailed, "", "InProgress", []string{"check the path in spec.site.url", "Upgrade"}},
		"no such path":         {siteSays(v1alpha1.ReasonHandshakeFailed, "HTTP 404 Not Found: the site has no WebSocket at this path; check site.url"), site, no, v1alpha1.ReasonHandshakeFailed, "", "InProgress", []string{"check site.url"}},
		"an old protocol":      {siteSays(v1alpha1.ReasonProtocolTooOld, ""), site, no, v1alpha1.ReasonProtocolTooOld, "", "Failed", []string{"upgrade the site", "spec.site.protocol: Auto"}},
		"no answer":            {siteSays(v1alpha1.ReasonTimeout, "shop.example did not answer within 10s"), site, no, v1alpha1.ReasonTimeout, "", "InProgress", []string{"see that the site runs"}},
		"a lost connection":    {siteSays(v1alpha1.ReasonConnectionLost, "the connection ended without a goodbye"), site, no, v1alpha1.ReasonConnectionLost, "", "InProgress", []string{"look at the site's log"}},
		"a closed connection":  {siteSays(v1alpha1.ReasonConnectionClosed, "the site closed the connection (code 1011)"), site, no, v1alpha1.ReasonConnectionClosed, "", "InProgress", []string{"look at the site's log"}},
		"a key unknown":        {refusing(refusedSignature, 1, 0), site, no, v1alpha1.ReasonSiteKeyMismatch, "", "Failed", []string{`put the key "hmac" of Secret "site" into the site`, "0123456789abcdef, fedcba9876543210"}},
		"a clock ahead":        {refusing(refusedExpired, 1, 131), site, no, v1alpha1.ReasonClockSkew, "", "InProgress", []string{"about 2m ahead of", "45s", "set the clocks", "messageTTL"}},
		"a clock behind":       {refusing(refusedExpired, 3, -7300), site, no, v1alpha1.ReasonClockSkew, "", "InProgress", []string{"about 2h behind"}},
		"one late frame":       {refusing(refusedExpired, 2, -60), site, yes, v1alpha1.ReasonConnected, v1alpha1.ReasonReady, "Current", nil},
		"a frame of no matter": {refusing("bad_json", 9, 0), site, yes, v1alpha1.ReasonConnected, v1alpha1.ReasonReady, "Current", nil},
	}
}

func telegramBreakages() map[string]breakage {
	return map[string]breakage{
		"reachable":         {nil, messenger, yes, v1alpha1.ReasonReachable, v1alpha1.ReasonReady, "Current", nil},
		"no word yet":       {telegramSays(v1alpha1.ReasonChecking, ""), messenger, no, v1alpha1.ReasonChecking, "", "InProgress", []string{"wait"}},
		"a token unknown":   {telegramSays(v1alpha1.ReasonTokenRefused, ""), messenger, no, v1alpha1.ReasonTokenRefused, "", "Failed", []string{`store the token that BotFather gave under the key "token" of Secret "telegram"`}},
		"no such chat":      {telegramSays(v1alpha1.ReasonChatNotFound, ""), messenger, no, v1alpha1.ReasonChatNotFound, "", "Failed", []string{"add the bot to the group", "spec.telegram.chatID"}},
		"no rights":         {telegramSays(v1alpha1.ReasonNoRights, "the bot may not post in chat -1"), messenger, no, v1alpha1.ReasonNoRights, "", "Failed", []string{"let it send messages"}},
		"a supergroup":      {telegramSays(v1alpha1.ReasonChatMigrated, `the group became a supergroup: set spec.telegram.chatID to "-100"`), messenger, no, v1alpha1.ReasonChatMigrated, "", "Failed", []string{`set spec.telegram.chatID to "-100"`}},
		"another poller":    {telegramSays(v1alpha1.ReasonAnotherPoller, "another program takes this bot's updates"), messenger, no, v1alpha1.ReasonAnotherPoller, "", "InProgress", []string{"stop the other program"}},
		"a long wait":       {telegramSays(v1alpha1.ReasonRateLimited, "Telegram asked to wait 5m0s before the next message"), messenger, no, v1alpha1.ReasonRateLimited, "", "InProgress", []string{"lower spec.telegram.limits"}},
		"Telegram is away":  {telegramSays(v1alpha1.ReasonUnreachable, "the Bot API cannot be reached: timeout"), messenger, no, v1alpha1.ReasonUnreachable, "", "InProgress", []string{"check spec.telegram.apiURL"}},
		"a word of a newer": {telegramSays("SomethingNew", "do this"), messenger, no, "SomethingNew", "", "InProgress", []string{"do this"}},
	}
}

func gaveUpDeployment() *appsv1.Deployment {
	return &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: progressDeadlineExceeded}}}}
}

// kstatus is how the library of that name judges an object: its rules for objects of a kind that it does not know.
func kstatus(generation int64, s v1alpha1.FeedbackBridgeStatus) string {
	switch {
	case s.ObservedGeneration != generation, meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReconciling):
		return "InProgress"
	case meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionStalled):
		return "Failed"
	case !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady):
		return "InProgress"
	default:
		return "Current"
	}
}

// What a person is told of each breakage, and what tools make of it.
func TestBreakages(t *testing.T) {
	for name, tc := range breakages() {
		t.Run(name, func(t *testing.T) {
			o := testObservation(t)
			if tc.given != nil {
				tc.given(t, o)
			}
			s := computeStatus(o)
			c := meta.FindStatusCondition(s.Conditions, tc.condition)
			if c.Status != tc.status || c.Reason != tc.reason || !hasInOrder(c.Message, tc.mend) {
				t.Errorf("%s is %s (%s): %s\nwant %s (%s) with %q", c.Type, c.Status, c.Reason, c.Message, tc.status, tc.reason, tc.mend)
			}
			if tc.ready == "" {
				tc.ready = tc.reason
			}
			if r := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); r.Reason != tc.ready {
				t.Errorf("Ready is %s (%s), want %s", r.Status, r.Reason, tc.ready)
			}
			if got := kstatus(o.bridge.Generation, s); got != tc.result {
				t.Errorf("kstatus says %s, want %s", got, tc.result)
			}
			tellsWhatToDo(t, s.Conditions)
		})
	}
}

// imperative are the verbs that the messages tell people what to do with.
var imperative = regexp.MustCompile(`(?i)\b(add|change|check|correct|create|do|give|have|let|load|look|lower|make|mend|name|put|raise|rename|renew|replace|see|set|start|stop|store|wait|write)\b`)

// tellsWhatToDo fails where a condition that is not as it should be only states a fact.
func tellsWhatToDo(t *testing.T, conditions []metav1.Condition) {
	t.Helper()
	for _, c := range conditions {
		bad := c.Status != yes
		switch c.Type {
		case v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionRotationOverdue, v1alpha1.ConditionStorageTrouble:
			bad = true
		}
		if bad && !imperative.MatchString(c.Message) {
			t.Errorf("%s (%s) does not say what to do: %s", c.Type, c.Reason, c.Message)
		}
	}
}

// Every reason is documented, is given by a breakage above, and every word of the bot's for a peer has its advice.
func TestEveryReasonIsKnown(t *testing.T) {
	docs := reasonDocs(t)
	given := map[string]bool{}
	for _, b := range breakages() {
		given[b.reason] = true
	}
	for reason, doc := range docs {
		if !given[reason] {
			t.Errorf("%s is given by no breakage", reason)
		}
		what, todo, _ := strings.Cut(doc, ". ")
		good := map[string]bool{v1alpha1.ReasonReady: true, v1alpha1.ReasonCredentialsReady: true, v1alpha1.ReasonWorkloadAvailable: true, v1alpha1.ReasonConnected: true, v1alpha1.ReasonReachable: true}
		if what == "" || (!good[reason] && !imperative.MatchString(todo)) {
			t.Errorf("the documentation of %s does not say what to do: %s", reason, doc)
		}
	}
	for reason := range peerAdvice {
		if docs[reason] == "" {
			t.Errorf("%s has advice and is no documented reason", reason)
		}
		if text := peerAdvice[reason].text(testObservation(t).bridge); !imperative.MatchString(text) {
			t.Errorf("the advice of %s is none: %s", reason, text)
		}
	}
}

// reasonDocs are the values of the API's Reason constants, and their comments without the name.
func reasonDocs(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "api", "v1alpha1", "conditions.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		_, doc, found := strings.Cut(strings.Join(strings.Fields(spec.Doc.Text()), " "), spec.Names[0].Name+": ")
		if !found {
			t.Errorf("the comment of %s does not begin with its name and a colon", spec.Names[0].Name)
		}
		docs[value] = doc
		return true
	})
	return docs
}
