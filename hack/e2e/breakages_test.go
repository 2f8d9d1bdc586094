// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	ready     = v1alpha1.ConditionReady
	creds     = v1alpha1.ConditionCredentialsReady
	workload  = v1alpha1.ConditionWorkloadAvailable
	site      = v1alpha1.ConditionSiteConnected
	messenger = v1alpha1.ConditionTelegramReachable

	inProgress = "InProgress"
	failed     = "Failed"
	current    = "Current"
)

// breakages are the rows of the table. The last ones, which Go runs first, take longest.
func breakages() []breakage {
	var all []breakage
	for _, list := range [][]breakage{specBreakages(), credentialBreakages(), siteBreakages(), telegramBreakages(), workloadBreakages()} {
		all = append(all, list...)
	}
	return all
}

func workloadBreakages() []breakage {
	return []breakage{
		{what: "The volume is not provided", before: func(w *world.World) {
			w.Bridge.Spec.Storage.PersistentVolumeClaim = &v1alpha1.VolumeClaimSpec{StorageClassName: new("no-such-class")}
		}, condition: workload, reason: v1alpha1.ReasonVolumePending, result: inProgress,
			mend: []string{"PersistentVolumeClaim shop-", "has no volume", `storage class "no-such-class" exists`}},
		{what: "The image does not exist", before: func(w *world.World) { w.Bridge.Spec.Runtime.Image = "registry.invalid/feedbackbridge-bot:9" },
			condition: workload, reason: v1alpha1.ReasonImageUnavailable, result: inProgress,
			mend: []string{"registry.invalid/feedbackbridge-bot:9", "correct spec.runtime.image"}},
		{what: "The namespace's quota is used up", before: func(w *world.World) {
			create(w, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"},
				Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}})
		}, condition: workload, reason: v1alpha1.ReasonQuotaExceeded, result: inProgress,
			mend: []string{"ResourceQuota", "raise it", "exceeded quota: small"}},
		{what: "The namespace's limits forbid the pod", before: func(w *world.World) {
			create(w, &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "tiny"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
				{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("8Mi")}}}}})
		}, condition: workload, reason: v1alpha1.ReasonPodRefused, result: inProgress,
			mend: []string{"change the policy", "spec.runtime", "maximum memory usage"}},
		{what: "No node fits", before: func(w *world.World) {
			w.Bridge.Spec.Runtime.NodeSelector = map[string]string{"example.com/disk": "none"}
			w.Bridge.Spec.Storage = v1alpha1.StorageSpec{Ephemeral: &v1alpha1.EphemeralSpec{}}
		}, condition: workload, reason: v1alpha1.ReasonUnschedulable, result: inProgress,
			mend: []string{"cannot be scheduled", "nodeSelector", "add nodes"}},
		{what: "The bot crashes", before: func(w *world.World) { w.Bridge.Spec.Runtime.Image = "docker.io/library/feedbackbridge-operator:dev" },
			condition: workload, reason: v1alpha1.ReasonCrashing, result: inProgress,
			mend: []string{"look at its log", "logs --previous", "exit code"}},
		{what: "The site does not take up a new HMAC key", before: func(w *world.World) {
			w.Bridge.Spec.Credentials.HMAC.MessageTTL, w.Bridge.Spec.Credentials.HMAC.Overlap = "5s", "5s"
			keepSending(w)
		}, after: func(w *world.World) { w.Secret("hmac", "key", "the next hmac key") },
			condition: v1alpha1.ConditionRotationOverdue, status: metav1.ConditionTrue, reason: v1alpha1.ReasonSiteKeyNotAdopted, result: current,
			mend: []string{"goes on signing with", "let the site load the new key", `Secret "hmac"`}},
		{what: "The bot falls silent: its pod no longer reaches the API server", after: cutFromAPIServer,
			condition: site, reason: v1alpha1.ReasonHeartbeatStale, status: metav1.ConditionUnknown, result: inProgress,
			mend: []string{"has not reported since", "look at its log", "kubectl -n", "reaches the API server"}},
	}
}

func credentialBreakages() []breakage {
	return []breakage{
		{what: "A Secret is missing", before: func(w *world.World) { w.Bridge.Spec.Telegram.TokenSecretRef.Name = "telegramm" },
			condition: creds, reason: v1alpha1.ReasonSecretNotFound, result: failed,
			mend: []string{`Secret "telegramm" does not exist`, "create it", `"token"`}},
		{what: "A Secret's key has another name", before: func(w *world.World) { w.Bridge.Spec.Credentials.HMAC.SecretRef.Key = "secret" },
			condition: creds, reason: v1alpha1.ReasonSecretKeyNotFound, result: failed,
			mend: []string{`no key "secret"`, "add it", "correct the reference", "it has key"}},
		{what: "A Secret holds something else", before: func(w *world.World) { w.Secret("telegram", "token", "not-a-telegram-token") },
			condition: creds, reason: v1alpha1.ReasonSecretMalformed, result: failed,
			mend: []string{`Secret "telegram"`, "store what BotFather gave you"}},
		{what: "The ready token has expired", before: useExpiredToken,
			condition: creds, reason: v1alpha1.ReasonTokenExpired, result: failed,
			mend: []string{`Secret "ready"`, "expired at", "store a new one"}},
	}
}

func siteBreakages() []breakage {
	return []breakage{
		{what: "The site refuses the token", before: func(w *world.World) {
			accept, err := simsite.AcceptJWT([]byte("another key"))
			if err != nil {
				w.T.Fatal(err)
			}
			w.Site.SetAccept(accept)
		}, condition: site, reason: v1alpha1.ReasonCredentialsRefused, result: failed,
			mend: []string{"HTTP 403", "the site refused the token", `key "signing-key" of Secret "site"`, "have the site check them"}},
		{what: "The site's certificate is signed by an unknown authority", before: func(w *world.World) {
			overTLS(w)
			w.Bridge.Spec.Site.TLS = &v1alpha1.SiteTLS{ServerName: "example.com"}
		}, condition: site, reason: v1alpha1.ReasonTLSFailure, result: inProgress,
			mend: []string{"unknown authority", "site.tls.caSecretRef"}},
		{what: "The site's certificate is for another name", before: overTLS,
			condition: site, reason: v1alpha1.ReasonTLSFailure, result: inProgress,
			mend: []string{"is for another name", "site.tls.serverName"}},
		{what: "The site's name does not resolve", before: func(w *world.World) { w.Bridge.Spec.Site.URL = "wss://shop.invalid/ws/feedback-bot" },
			condition: site, reason: v1alpha1.ReasonDNSFailure, result: inProgress,
			mend: []string{"shop.invalid does not resolve", "correct the host in spec.site.url"}},
		{what: "Nothing listens at the site's address", before: func(w *world.World) { w.SiteDoor.Close() },
			condition: site, reason: v1alpha1.ReasonConnectionRefused, result: inProgress,
			mend: []string{"nothing listens at", "start the site", "spec.site.url"}},
		{what: "The site has no WebSocket at the path", before: func(w *world.World) { w.Bridge.Spec.Site.URL += "s" },
			condition: site, reason: v1alpha1.ReasonHandshakeFailed, result: inProgress,
			mend: []string{"HTTP 404", "check site.url"}},
		{what: "A proxy answers instead of the site", before: func(w *world.World) {
			w.Site.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: http.StatusBadGateway}})
		}, condition: site, reason: v1alpha1.ReasonHandshakeFailed, result: inProgress,
			mend: []string{"HTTP 502", "spec.site.url", "proxy", "Upgrade"}},
		{what: "The site speaks version 1, and version 2 is demanded",
			before:    func(w *world.World) { w.Bridge.Spec.Site.Protocol = v1alpha1.SiteProtocolV2 },
			condition: site, reason: v1alpha1.ReasonProtocolTooOld, result: failed,
			mend: []string{"upgrade the site", "spec.site.protocol: Auto"}},
		{what: "The site does not answer", before: func(w *world.World) {
			w.Site.SetFaults(simsite.Faults{HandshakeDelay: simsite.Duration(time.Hour)})
		}, condition: site, reason: v1alpha1.ReasonTimeout, result: inProgress,
			mend: []string{"did not answer within", "see that the site runs"}},
		{what: "The site signs with another HMAC key", before: func(w *world.World) {
			w.Site.SetKey(w.Key("a key that was never in a Secret"), wire.FormUTF8)
			w.Send(1, "signed with the wrong key")
		}, condition: site, reason: v1alpha1.ReasonSiteKeyMismatch, result: failed,
			mend: []string{"does not hold", `put the key "key" of Secret "hmac" into the site`, "ids"}},
		{what: "The site's clock is wrong", before: func(w *world.World) {
			if _, err := w.Site.SendOut(simsite.Outgoing{Data: json.RawMessage(`{}`), Age: simsite.Duration(-10 * time.Minute)}); err != nil {
				w.T.Fatal(err)
			}
		}, condition: site, reason: v1alpha1.ReasonClockSkew, result: inProgress,
			mend: []string{"about 10m ahead of the bot's clock", "set the clocks", "messageTTL"}},
	}
}

func telegramBreakages() []breakage {
	return []breakage{
		{what: "Telegram does not know the token", before: func(w *world.World) { w.Secret("telegram", "token", "123456:TEST-ANOTHER") },
			condition: messenger, reason: v1alpha1.ReasonTokenRefused, result: failed,
			mend: []string{"put the token that BotFather gave into the Secret"}},
		{what: "The bot is not in the chat", before: func(w *world.World) { w.Bridge.Spec.Telegram.ChatID = "-1009999999999" },
			condition: messenger, reason: v1alpha1.ReasonChatNotFound, result: failed,
			mend: []string{"no chat -1009999999999", "add the bot to the group", "spec.telegram.chatID"}},
		{what: "The bot was removed from the chat", before: func(w *world.World) {
			addChat(w, telegram.Chat{ID: world.Group, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Kicked})
		}, condition: messenger, reason: v1alpha1.ReasonNoRights, result: failed, mend: []string{"add it to the group", "let it send messages"}},
		{what: "The bot may not write in the chat", before: func(w *world.World) {
			addChat(w, telegram.Chat{ID: world.Group, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Member, Muted: true})
			w.Send(1, "nobody can read this")
		}, condition: messenger, reason: v1alpha1.ReasonNoRights, result: failed, mend: []string{"not enough rights", "let it send messages"}},
		{what: "Another program takes the bot's updates", before: pollToo,
			condition: messenger, reason: v1alpha1.ReasonAnotherPoller, result: inProgress, mend: []string{"stop it", "a bot of its own"}},
		{what: "The Bot API does not answer", before: func(w *world.World) { w.Bridge.Spec.Telegram.APIURL = "http://" + closedAddress(w) },
			condition: messenger, reason: v1alpha1.ReasonUnreachable, result: inProgress,
			mend: []string{"cannot be reached", "check spec.telegram.apiURL"}},
	}
}

func specBreakages() []breakage {
	return []breakage{
		{what: "The time zone does not exist", before: func(w *world.World) { w.Bridge.Spec.Telegram.TimeZone = "Europe/Moskow" },
			condition: ready, reason: v1alpha1.ReasonInvalidSpec, result: failed,
			mend: []string{"spec.telegram.timeZone", "Europe/Moskow", "write one such as Europe/Moscow"}},
		{what: "An object of the bot's name is somebody else's", before: func(w *world.World) {
			create(w, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.BotName(w.Name)}})
		}, condition: ready, reason: v1alpha1.ReasonApplyFailed, result: failed,
			mend: []string{"ConfigMap", "not the operator's", "rename it, or rename the bridge"}},
	}
}

func addChat(w *world.World, c telegram.Chat) {
	w.T.Helper()
	if err := w.Telegram.AddChat(c); err != nil {
		w.T.Fatal(err)
	}
}

// overTLS puts the site behind a certificate of httptest's own authority, for example.com.
func overTLS(w *world.World) {
	w.T.Helper()
	server := httptest.NewUnstartedServer(w.Site)
	listener, err := (&net.ListenConfig{}).Listen(w.T.Context(), "tcp", net.JoinHostPort(world.Cluster.HostAddress, "0"))
	if err != nil {
		w.T.Fatal(err)
	}
	server.Listener.Close()
	server.Listener = listener
	server.StartTLS()
	w.T.Cleanup(server.Close)
	w.Bridge.Spec.Site.URL = "wss://" + listener.Addr().String() + simsite.DefaultPath
	w.Bridge.Spec.Site.AllowInsecure = nil
}

// useExpiredToken gives the bridge a token that ran out an hour ago.
func useExpiredToken(w *world.World) {
	w.T.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: "feedback-bot", ExpiresAt: jwt.NewNumericDate(time.Now().Add(-time.Hour)),
	}).SignedString([]byte(w.SigningKey))
	if err != nil {
		w.T.Fatal(err)
	}
	w.Secret("ready", "token", token)
	w.Bridge.Spec.Credentials.JWT = v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "ready", Key: "token"}}
}

// closedAddress is an address at which nothing listens any more.
func closedAddress(w *world.World) string {
	door := world.OpenDoor(w.T, http.NotFoundHandler())
	door.Close()
	return door.Address
}

// pollToo takes updates with the bot's token until the test ends.
func pollToo(w *world.World) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.APIURL+"/bot"+w.Token+"/getUpdates?timeout=1", nil)
			if err != nil {
				w.T.Error(err)
				return
			}
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				err = response.Body.Close()
			}
			if err != nil && ctx.Err() == nil {
				w.T.Errorf("poll: %v", err)
				return
			}
		}
	}()
	w.T.Cleanup(func() { cancel(); <-done })
}

// keepSending has the site send a feedback every second until the test ends.
func keepSending(w *world.World) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for id := 1; ; id++ {
			if _, err := w.Site.SendOut(simsite.Outgoing{Data: fmt.Appendf(nil, `{"feedback_id":%d,"category":"bug","message":"again"}`, id)}); err != nil {
				w.T.Errorf("send: %v", err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	w.T.Cleanup(func() { cancel(); <-done })
}

// cutFromAPIServer takes the way to the API server from the bot's pod, from within its network namespace.
func cutFromAPIServer(w *world.World) {
	w.T.Helper()
	var service corev1.Service
	if err := world.Cluster.Get(w.T.Context(), client.ObjectKey{Namespace: "default", Name: "kubernetes"}, &service); err != nil {
		w.T.Fatal(err)
	}
	out, err := exec.CommandContext(w.T.Context(), "nsenter", "-t", strconv.Itoa(w.BotProcess()), "-n",
		"ip", "route", "add", "blackhole", service.Spec.ClusterIP).CombinedOutput()
	if err != nil {
		w.T.Fatalf("take the route: %v: %s", err, out)
	}
}
