// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// keys is whose keys a bridge has.
type keys string

const (
	generated keys = "generated"
	own       keys = "own"
)

// The keys of the Secrets that belong to the user.
const (
	ownHMAC    = "hmac"
	ownSigning = "signing"
)

const staffChat = int64(-1001234567890)

// object is a bridge; all its times are scaled: 5 s stand for a day.
const object = `apiVersion: feedbackbridge.dev/v1alpha1
kind: FeedbackBridge
metadata: {name: %[1]s, namespace: ` + namespace + `}
spec:
  site: {url: "%[2]s", allowInsecure: true}
  credentials:
    siteSecretName: %[1]s-site
    jwt: {%[3]s, algorithm: %[4]s, ttl: 1m, renewBefore: 30s}
    hmac: {%[5]s, overlap: 5s, messageTTL: 5s}
  telegram:
    tokenSecretRef: {name: %[1]s-telegram, key: token}
    chatID: "%[6]d"
    apiURL: "%[7]s"
    allowInsecure: true
    limits: {perChat: {messages: 0, window: 1s}, overall: {messages: 0, window: 1s}}
  storage: {ephemeral: {}}
`

// bridge is a FeedbackBridge with its site, its Telegram and its bot.
type bridge struct {
	character
	w         *world
	name      string
	number    int
	algorithm v1alpha1.JWTAlgorithm
	site      *site
	telegram  *telegram.Server
	api       *httptest.Server
	kubelet   *kubelet
	// sent counts the tickets, and ends the traffic when stopped.
	sent    int64
	traffic sender
	// rotated is what was achieved.
	rotated achieved
}

func newBridge(t *testing.T, w *world, number int, c character) *bridge {
	t.Helper()
	b := &bridge{character: c, w: w, number: number, name: fmt.Sprintf("%s-%s-%d", c.kind, c.keys, number)}
	switch {
	case c.keys == own && number%4 < 2:
		b.algorithm = v1alpha1.JWTAlgorithmHS256
	case c.keys == generated && number%5 == 3:
		b.algorithm = v1alpha1.JWTAlgorithmEdDSA
	default:
		b.algorithm = v1alpha1.JWTAlgorithmES256
	}
	b.kubelet = newKubelet(w, b.name, number)
	b.site = newSite(b)
	b.telegram = telegram.New(telegram.Config{})
	must(t, b.telegram.AddChat(telegram.Chat{ID: staffChat, Type: telegram.Supergroup, Title: "Support", BotStatus: telegram.Administrator}))
	b.api = httptest.NewServer(b.telegram)
	t.Cleanup(func() {
		b.site.server.Close()
		b.site.http.Close()
		b.telegram.Close()
		b.api.Close()
	})
	return b
}

// String is the bridge's name and its keys' algorithm.
func (b *bridge) String() string { return b.name + "/" + string(b.algorithm) }

func (b *bridge) dice(actor string) *mathrand.Rand { return source(b.w.seed, actor, b.number) }

// start makes the Secrets and the object, and waits until the bot is connected.
func (b *bridge) start(ctx context.Context) error {
	if err := b.create(ctx); err != nil {
		return err
	}
	b.w.spawn(func() { b.site.follow(b.w.ctx) })
	select {
	case <-b.site.equipped:
	case <-ctx.Done():
		return errors.New("the operator has nothing for the site")
	}
	b.w.spawn(func() { b.kubelet.run(b.w.ctx) })
	if err := b.site.server.WaitConnected(ctx); err != nil {
		return fmt.Errorf("the bot does not connect: %w", err)
	}
	b.w.spawn(func() { b.site.watchConnection(b.w.ctx) })
	return nil
}

func (b *bridge) create(ctx context.Context) error {
	jwt, hmac := "generate: {}", "generate: {}"
	secrets := []client.Object{b.secret("telegram", map[string]string{"token": telegram.TestToken})}
	if b.keys == own {
		jwt, hmac = b.reference("signingKeySecretRef", ownSigning), b.reference("secretRef", ownHMAC)
		signing, err := b.newSigningKey()
		if err != nil {
			return err
		}
		secrets = append(secrets, b.secret("own", map[string]string{ownHMAC: randomText(), ownSigning: signing}))
	}
	text := fmt.Sprintf(object, b.name, strings.Replace(b.site.http.URL, "http", "ws", 1)+simsite.DefaultPath,
		jwt, b.algorithm, hmac, staffChat, b.api.URL)
	var fbb v1alpha1.FeedbackBridge
	if err := yaml.UnmarshalStrict([]byte(text), &fbb); err != nil {
		return err
	}
	for _, o := range append(secrets, &fbb) {
		if err := b.w.client.Create(ctx, o); err != nil {
			return fmt.Errorf("create %s: %w", o.GetName(), err)
		}
	}
	return nil
}

func (b *bridge) secret(suffix string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: b.name + "-" + suffix}, StringData: data}
}

func (b *bridge) reference(field, key string) string {
	return fmt.Sprintf("%s: {name: %s-own, key: %s}", field, b.name, key)
}

func randomText() string {
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // it never fails
	return hex.EncodeToString(raw[:])
}

// newSigningKey is a key as its user would make it: a shared secret, or a private key in PEM.
func (b *bridge) newSigningKey() (string, error) {
	if b.algorithm == v1alpha1.JWTAlgorithmHS256 {
		return randomText(), nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// change changes one key of the user's Secret.
func (b *bridge) change(ctx context.Context, key, value string) error {
	patch := fmt.Sprintf(`{"data":{%q:%q}}`, key, base64.StdEncoding.EncodeToString([]byte(value)))
	return b.w.client.Patch(ctx, b.secret("own", nil), client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// annotate asks for a rotation of what the operator generates.
func (b *bridge) annotate(ctx context.Context, value string) error {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRotateNow, value)
	fbb := &v1alpha1.FeedbackBridge{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: b.name}}
	return b.w.client.Patch(ctx, fbb, client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// credentials is what the object's status says of them; empty parts where it says nothing yet.
func (b *bridge) credentials() (hmac v1alpha1.RotationStatus, jwt v1alpha1.JWTStatus) {
	var fbb v1alpha1.FeedbackBridge
	if !b.w.read(b.name, &fbb) || fbb.Status.Credentials == nil {
		return hmac, jwt
	}
	if s := fbb.Status.Credentials.HMAC; s != nil {
		hmac = s.RotationStatus
	}
	if s := fbb.Status.Credentials.JWT; s != nil {
		jwt = *s
	}
	return hmac, jwt
}

// overdue is whether the object says that the site holds a rotation up.
func (b *bridge) overdue() bool {
	var fbb v1alpha1.FeedbackBridge
	if !b.w.read(b.name, &fbb) {
		return false
	}
	for _, c := range fbb.Status.Conditions {
		if c.Type == v1alpha1.ConditionRotationOverdue && c.Status == metav1.ConditionTrue {
			return true
		}
	}
	return false
}

// report is what the bot says of itself in its Lease.
func (b *bridge) report() (r v1alpha1.BotReport) {
	var lease coordinationv1.Lease
	if b.w.read(v1alpha1.BotName(b.name), &lease) {
		_ = json.Unmarshal([]byte(lease.Annotations[v1alpha1.AnnotationReport]), &r) // there may be none yet
	}
	return r
}

// sender is a site's feedback.
type sender struct {
	stop context.CancelFunc
	done chan struct{}
}

// startTraffic sends feedback until stopTraffic.
func (b *bridge) startTraffic(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	b.traffic = sender{cancel, make(chan struct{})}
	dice := b.dice("traffic")
	go func() {
		defer close(b.traffic.done)
		for pause(ctx, between(dice, 50*time.Millisecond, 400*time.Millisecond)) {
			b.sent++
			if _, err := b.site.server.Send(map[string]any{
				"feedback_id": b.sent, "category": "bug", "message": "Feedback " + strconv.FormatInt(b.sent, 10),
			}); err != nil {
				b.w.done.fail("%s: send: %v", b, err)
			}
		}
	}()
}

// stopTraffic ends the feedback; sent is final then.
func (b *bridge) stopTraffic() {
	b.traffic.stop()
	<-b.traffic.done
}
