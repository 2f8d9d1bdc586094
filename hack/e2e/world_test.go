// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const (
	group = int64(-1001234567890)
	// secretText stands in every message that the tests send: it must never be seen in a log.
	secretText = "message-text-that-no-log-may-show"
)

// world is one bridge with its peers, in a namespace of its own.
type world struct {
	t         *testing.T
	namespace string
	name      string

	site     *simsite.Server
	siteURL  string
	siteDoor *door
	telegram *telegram.Server
	apiURL   string

	signingKey, hmacKey, token string
	secrets                    map[string]string // every value that was ever put into a Secret, and what it is
	bridge                     *v1alpha1.FeedbackBridge
}

// door is where a peer listens; it can be closed and opened again at the same address.
type door struct {
	t       *testing.T
	handler http.Handler
	address string

	mu     sync.Mutex
	server *http.Server
}

func openDoor(t *testing.T, handler http.Handler) *door {
	t.Helper()
	d := &door{t: t, handler: handler, address: net.JoinHostPort(cluster.hostAddress, "0")}
	d.open()
	t.Cleanup(d.close)
	return d
}

func (d *door) open() {
	d.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", d.address)
	if err != nil {
		d.t.Fatalf("listen where pods reach this machine: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.address = listener.Addr().String()
	d.server = &http.Server{Handler: d.handler, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.t.Errorf("serve %s: %v", d.address, err)
		}
	}(d.server)
}

func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.server.Close(); err != nil {
		d.t.Errorf("close %s: %v", d.address, err)
	}
}

// newWorld makes peers, namespace, secrets and a bridge; the bridge is not applied yet.
func newWorld(t *testing.T) *world {
	t.Helper()
	id := strings.ToLower(rand.Text()[:6])
	w := &world{
		t: t, namespace: "e2e-" + id, name: "shop-" + id,
		signingKey: "signing-" + rand.Text(), hmacKey: "hmac-" + rand.Text(),
		token: "123456:TEST-" + rand.Text(), secrets: map[string]string{"eyJ": "a JWT", secretText: "a message's text"},
	}
	w.telegram = telegram.New(telegram.Config{Token: w.token})
	if err := w.telegram.AddChat(telegram.Chat{ID: group, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Administrator}); err != nil {
		t.Fatal(err)
	}
	accept, err := simsite.AcceptJWT([]byte(w.signingKey))
	if err != nil {
		t.Fatal(err)
	}
	w.site = simsite.New(simsite.Config{Accept: accept, Key: w.key(w.hmacKey), Form: wire.FormASCII})
	t.Cleanup(w.site.Close)
	t.Cleanup(w.telegram.Close)
	w.siteDoor = openDoor(t, w.site)
	w.siteURL = "ws://" + w.siteDoor.address + simsite.DefaultPath
	w.apiURL = "http://" + openDoor(t, w.telegram).address
	w.createNamespace()
	w.secret("site", "signing-key", w.signingKey)
	w.secret("hmac", "key", w.hmacKey)
	w.secret("telegram", "token", w.token)
	w.bridge = w.manifest()
	return w
}

func (w *world) key(secret string) wire.Key {
	w.t.Helper()
	key, err := wire.NewKey([]byte(secret))
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

// createNamespace makes a namespace that admits restricted pods only, and removes it after the test.
func (w *world) createNamespace() {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: w.namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := cluster.Create(w.t.Context(), ns); err != nil {
		w.t.Fatalf("create the namespace: %v", err)
	}
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.explain()
		}
		w.checkLogs()
		if err := cluster.Delete(context.Background(), ns); err != nil {
			w.t.Errorf("delete the namespace: %v", err)
		}
	})
}

func (w *world) secret(name, key, value string) {
	w.t.Helper()
	w.secrets[value] = "secret " + name + ", key " + key
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, StringData: map[string]string{key: value}}
	err := cluster.Create(w.t.Context(), s)
	if apierrors.IsAlreadyExists(err) {
		err = cluster.Update(w.t.Context(), s)
	}
	if err != nil {
		w.t.Fatalf("write secret %s: %v", name, err)
	}
}

func (w *world) manifest() *v1alpha1.FeedbackBridge {
	unlimited := v1alpha1.RateLimit{Messages: new(int32(0)), Window: "1s"}
	return &v1alpha1.FeedbackBridge{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: w.name},
		Spec: v1alpha1.FeedbackBridgeSpec{
			Site: v1alpha1.SiteSpec{URL: w.siteURL, AllowInsecure: new(true), PingInterval: "2s"},
			Credentials: v1alpha1.CredentialsSpec{
				JWT:  v1alpha1.JWTSpec{SigningKeySecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "signing-key"}},
				HMAC: v1alpha1.HMACSpec{SecretRef: &v1alpha1.SecretKeyRef{Name: "hmac", Key: "key"}},
			},
			Telegram: v1alpha1.TelegramSpec{
				TokenSecretRef: v1alpha1.SecretKeyRef{Name: "telegram", Key: "token"},
				ChatID:         fmt.Sprint(group), APIURL: w.apiURL, AllowInsecure: new(true),
				Limits: v1alpha1.TelegramLimits{PerChat: unlimited, Overall: unlimited},
			},
			Runtime: v1alpha1.RuntimeSpec{LogLevel: "debug"},
		},
	}
}

// apply creates the bridge and waits until it is ready; it returns how long that took.
func (w *world) apply() time.Duration {
	w.t.Helper()
	if err := cluster.Create(w.t.Context(), w.bridge); err != nil {
		w.t.Fatalf("create the bridge: %v", err)
	}
	return w.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, time.Minute)
}

// waitCondition waits for a condition's status, and its reason where one is given.
func (w *world) waitCondition(kind string, status metav1.ConditionStatus, reason string, within time.Duration) time.Duration {
	w.t.Helper()
	return eventually(w.t, within, fmt.Sprintf("%s=%s %s", kind, status, reason), func() (bool, string) {
		if err := cluster.Get(w.t.Context(), client.ObjectKeyFromObject(w.bridge), w.bridge); err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(w.bridge.Status.Conditions, kind)
		if c == nil {
			return false, "the condition is not there"
		}
		return c.Status == status && (reason == "" || c.Reason == reason), fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
	})
}

// send has the site send a feedback.
func (w *world) send(feedbackID int64, message string) (id string) {
	w.t.Helper()
	id, err := w.site.Send(map[string]any{
		"feedback_id": feedbackID, "telegram_id": 999, "telegram_username": "user", "telegram_first_name": "Имя <b>",
		"nickname": "Player & Nick", "category": "bug", "message": message + " " + secretText,
		"created_at": "2025-10-17T12:00:00", "source": "website",
	})
	if err != nil {
		w.t.Fatalf("send: %v", err)
	}
	return id
}

// result waits for the site to have a feedback's result.
func (w *world) result(id string, within time.Duration) simsite.Result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	r, err := w.site.WaitResult(ctx, id)
	if err != nil {
		w.t.Fatalf("no result within %s: %v", within, err)
	}
	return r
}

// pod is the bot's one pod that is not on its way out.
func (w *world) pod() *corev1.Pod {
	w.t.Helper()
	var found *corev1.Pod
	eventually(w.t, 30*time.Second, "one pod of the bot", func() (bool, string) {
		found = nil
		n := 0
		for _, p := range pods(w.t, w.namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.name}) {
			if p.DeletionTimestamp == nil {
				found, n = &p, n+1
			}
		}
		return n == 1, fmt.Sprintf("%d pods", n)
	})
	return found
}

// explain prints what a person would look at after a failure.
func (w *world) explain() {
	ctx := context.Background()
	for _, args := range [][]string{
		{"-n", w.namespace, "get", "feedbackbridges", "-o", "yaml"},
		{"-n", w.namespace, "get", "pods,pvc,events", "-o", "wide"},
		{"-n", w.namespace, "logs", "-l", v1alpha1.LabelBridge + "=" + w.name, "--tail=60"},
		{"-n", operatorNamespace, "logs", "deployment/" + operatorDeployment(w.t).Name, "--tail=40"},
	} {
		out, err := kubectl(ctx, args...)
		w.t.Logf("kubectl %s\n%s%v", strings.Join(args, " "), out, err)
	}
	w.t.Logf("site: %+v", w.site.Stats())
	w.t.Logf("telegram: %+v", w.telegram.Stats())
}

// checkLogs searches the logs of the bot, at its most talkative, and of the operator, the events and the object for
// anything secret. What it cannot read it cannot vouch for: that fails, too.
func (w *world) checkLogs() {
	bot := []string{"-n", w.namespace, "logs", "-l", v1alpha1.LabelBridge + "=" + w.name, "--tail=-1"}
	var all strings.Builder
	for _, source := range []struct {
		holds string // what shows that it is the right one
		args  []string
	}{
		{"connected to the site", bot},
		{"", append(bot, "--previous")}, // only after a restart
		{"leader", []string{"-n", operatorNamespace, "logs", "-l", "app.kubernetes.io/name=feedbackbridge-operator", "--tail=-1"}},
		{"kind: Event", []string{"-n", w.namespace, "get", "events", "-o", "yaml"}},
		{"apiVersion", []string{"-n", w.namespace, "get", "feedbackbridges", "-o", "yaml"}},
	} {
		out, err := kubectl(context.Background(), source.args...)
		if source.holds != "" && (err != nil || !strings.Contains(out, source.holds)) {
			w.t.Errorf("kubectl %s: cannot be searched for secrets: %v, %d bytes", strings.Join(source.args, " "), err, len(out))
		}
		all.WriteString(out)
	}
	logs := all.String()
	for secret, what := range w.secrets {
		if i := strings.Index(logs, secret); i >= 0 {
			w.t.Errorf("%s is shown: ...%s", what, strings.ReplaceAll(logs[max(0, i-80):i], secret, "***"))
		}
	}
}
