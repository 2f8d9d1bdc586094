// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func metav1ObjectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// keyWorld is an operator that ends all the time, a bot that loads its Secret when the kubelet brings it, and an honest
// site that signs with the one key that it was given, as long as it was given no other.
type keyWorld struct {
	*harness
	faults *faults
	cache  *freshCache
	// current is the operator that works now.
	current *Reconciler
	random  *rand.Rand
	// generates is whether the operator makes the keys; else a person does.
	generates bool

	// loaded is what the bot holds; connected is the id of the key whose token the site accepted, since when.
	loaded    map[string][]byte
	connected string
	since     time.Time
	used      map[string]time.Time
	// site is what the site holds.
	site map[string][]byte

	mu sync.Mutex
	// confirmed are the HMAC keys that the bot ever said it accepts; made are all keys that were ever stored, by kind.
	confirmed map[string]bool
	made      map[string]map[string]bool
	wrong     []string
}

func newKeyWorld(t *testing.T, generates bool, seed uint64) *keyWorld {
	t.Helper()
	w := &keyWorld{
		harness: newHarness(t), faults: &faults{}, random: rand.New(rand.NewPCG(seed, 1)), generates: generates,
		used: map[string]time.Time{}, confirmed: map[string]bool{}, made: map[string]map[string]bool{"hmac": {}, "pair": {}},
	}
	w.faults.seen = w.check
	w.cache = w.newFreshCache(w.faults)
	w.current = w.newOperator()
	w.createSecrets()
	return w
}

func (w *keyWorld) create(name string) {
	w.Helper()
	b := w.goodBridge(name)
	if w.generates {
		b = w.generatedBridge(name)
	}
	b.Spec.Credentials.HMAC.Overlap, b.Spec.Credentials.JWT.TTL, b.Spec.Credentials.JWT.RenewBefore = "1h", "1h", "20m"
	w.must(w.client.Create(w.ctx, b))
}

// newOperator is one that remembers nothing.
func (w *keyWorld) newOperator() *Reconciler {
	return &Reconciler{
		Client: w.cache, Live: w.cache.Client, Recorder: events.NewFakeRecorder(1000), BotImage: testImage,
		APIServerPorts: DefaultAPIServerPorts, Now: w.clock.Now,
	}
}

// reconcile lets the operator work. It ends with every error, and another one comes.
func (w *keyWorld) reconcile() {
	w.Helper()
	tries := 5
	if w.faults.random != nil {
		tries = 500
	}
	for range tries {
		if _, err := w.current.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key("shop")}); err == nil {
			return
		}
		w.current = w.newOperator()
	}
	w.Fatal("the operator does not get over its errors")
}

func hmacFiles() []string {
	return []string{v1alpha1.FileHMACCurrent, v1alpha1.FileHMACNext, v1alpha1.FileHMACPrevious}
}

func idsIn(data map[string][]byte) map[string]bool {
	ids := map[string]bool{}
	for _, file := range hmacFiles() {
		if key := data[file]; key != nil {
			ids[v1alpha1.KeyID(key)] = true
		}
	}
	return ids
}

// check is what holds between any two writes.
func (w *keyWorld) check(req *http.Request) {
	if !strings.Contains(req.URL.Path, "/secrets/") {
		return
	}
	bot, site, signing := w.secret("shop-bot"), w.secret("shop-site"), w.secret("shop-signing")
	w.mu.Lock()
	defer w.mu.Unlock()
	complain := func(format string, args ...any) { w.wrong = append(w.wrong, fmt.Sprintf(format, args...)) }
	accepted := idsIn(bot)
	for id := range accepted {
		w.made["hmac"][id] = true
	}
	for _, file := range []string{signingCurrent, signingNext} {
		if key, err := parseKeyPair(signing[file]); err == nil {
			w.made["pair"][key.id] = true
		}
	}
	if key := site[v1alpha1.SiteHMACKey]; key != nil {
		id := v1alpha1.KeyID(key)
		if !accepted[id] {
			complain("the site is to sign with %s, which is not in the bot's Secret", id)
		}
		if len(w.confirmed) > 0 && !w.confirmed[id] {
			complain("the site is to sign with %s, which no bot has confirmed", id)
		}
		if string(site[v1alpha1.SiteHMACKey+v1alpha1.SiteKeyIDSuffix]) != id {
			complain("the key %s has the id %s beside it", id, site[v1alpha1.SiteHMACKey+v1alpha1.SiteKeyIDSuffix])
		}
	}
	public := parseJWKS(site[v1alpha1.SiteJWKS])
	if kid, _ := aboutToken(string(bot[v1alpha1.FileJWT])); w.generates && len(public.Keys) > 0 {
		fallback, _ := aboutToken(string(bot[v1alpha1.FileJWTPrevious]))
		if _, ok := public.find(kid); !ok && kid != "" {
			complain("the token's key %s is not in jwks.json", kid)
		}
		if _, ok := public.find(fallback); !ok && fallback != "" && len(w.confirmed) > 0 {
			complain("the former token's key %s is not in jwks.json", fallback)
		}
	}
}

// syncBot is the kubelet.
func (w *keyWorld) syncBot() {
	if data := w.secret("shop-bot"); data != nil {
		w.loaded = data
	}
}

// report is the bot's heartbeat.
func (w *keyWorld) report() {
	w.Helper()
	var lease coordinationv1.Lease
	if err := w.get("shop-bot", &lease); apierrors.IsNotFound(err) || w.loaded == nil {
		return
	}
	w.clock.advance(time.Second)
	now := w.clock.Now()
	report := goodReport(now)
	if report.JWTKeyID = w.connected; w.connected != "" {
		report.JWTAcceptedAt = new(metav1.NewTime(w.since))
	}
	for id := range idsIn(w.loaded) {
		report.HMACKeyIDs = append(report.HMACKeyIDs, id)
		if at, ok := w.used[id]; ok {
			report.HMACKeysUsed = append(report.HMACKeysUsed, v1alpha1.KeyUse{ID: id, First: metav1.NewTime(at), Last: metav1.NewTime(at)})
		}
	}
	text, err := json.Marshal(report)
	w.must(err)
	before := lease.DeepCopy()
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = new("pod"), new(int32(30))
	lease.Spec.RenewTime = new(metav1.NewMicroTime(now))
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, v1alpha1.AnnotationReport, string(text))
	w.must(w.client.Patch(w.ctx, &lease, client.MergeFrom(before)))
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.confirmed, idsIn(w.loaded))
}

// syncSite gives the site what its Secret holds; a person gives it the key by hand, once the bot has it.
func (w *keyWorld) syncSite() {
	if w.generates {
		if data := w.secret("shop-site"); data != nil {
			w.site = data
		}
		return
	}
	users := w.secret("site")
	if idsIn(w.loaded)[v1alpha1.KeyID(v1alpha1.CredentialValue(users["hmac"]))] {
		w.site = map[string][]byte{v1alpha1.SiteHMACKey: v1alpha1.CredentialValue(users["hmac"]), "jwt": users["jwt"]}
	}
}

// sign sends a frame to the bot.
func (w *keyWorld) sign() {
	if key := w.site[v1alpha1.SiteHMACKey]; key != nil && w.loaded != nil {
		id := v1alpha1.KeyID(key)
		if !idsIn(w.loaded)[id] {
			w.wrong = append(w.wrong, "a frame of an honest site is refused: it signs with "+id)
		}
		w.used[id] = w.clock.Now()
	}
}

// connect dials the site, with both tokens if need be.
func (w *keyWorld) connect() {
	if w.site == nil || w.loaded == nil {
		return
	}
	for _, file := range []string{v1alpha1.FileJWT, v1alpha1.FileJWTPrevious} {
		if kid, ok := w.siteAccepts(string(w.loaded[file])); ok {
			w.connected, w.since = kid, w.clock.Now()
			return
		}
	}
	w.wrong = append(w.wrong, "the site refuses every token that the bot has")
}

func (w *keyWorld) siteAccepts(token string) (string, bool) {
	kid, end := aboutToken(token)
	if kid == "" || !w.clock.Now().Before(end) {
		return "", false
	}
	if w.generates {
		_, ok := parseJWKS(w.site[v1alpha1.SiteJWKS]).find(kid)
		return kid, ok
	}
	_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return w.site["jwt"], nil }, jwt.WithTimeFunc(w.clock.Now))
	return kid, err == nil
}

// rotate asks for a rotation and lets everything happen until it is over.
func (w *keyWorld) rotate(value string) {
	w.Helper()
	before := w.bridge("shop").Status.Credentials
	if w.generates {
		w.annotate("shop", v1alpha1.AnnotationRotateNow, value)
	} else {
		w.setSecret("site", "hmac", "hmac "+value)
		w.setSecret("site", "jwt", "jwt "+value)
	}
	for range 60 {
		w.reconcile()
		switch w.random.IntN(3) {
		case 0:
			w.syncBot()
		case 1:
			w.syncSite()
		}
		w.sign()
		w.connect()
		w.report()
		w.reconcile()
		c := w.bridge("shop").Status.Credentials
		if c.HMAC.CurrentKeyID != before.HMAC.CurrentKeyID && w.holdsNewest() {
			w.clock.advance(20 * time.Minute)
			if c.HMAC.Phase == v1alpha1.RotationStable && (c.JWT.Rotation == nil || c.JWT.Rotation.Phase == v1alpha1.RotationStable) &&
				c.JWT.KeyID != before.JWT.KeyID {
				return
			}
		}
	}
	text, _ := json.Marshal(w.bridge("shop").Status.Credentials)
	w.Fatalf("rotation %s does not come to its end: %s (%v)", value, text, w.wrong)
}

// holdsNewest is whether bot and site have loaded what there is.
func (w *keyWorld) holdsNewest() bool {
	w.syncBot()
	w.syncSite()
	return maps.EqualFunc(w.loaded, w.secret("shop-bot"), slices.Equal)
}

// begin brings the bridge to its first settled state.
func (w *keyWorld) begin() {
	w.Helper()
	for range 4 {
		w.reconcile()
		w.syncBot()
		w.syncSite()
		w.connect()
		w.sign()
		w.report()
	}
	if c := w.bridge("shop").Status.Credentials; c == nil || c.HMAC == nil || c.HMAC.Phase != v1alpha1.RotationStable {
		w.Fatalf("the first keys are not there: %+v", c)
	}
}

// expect fails on what went wrong, and where more keys were made than rotations asked for, or children twice.
func (w *keyWorld) expect(rotations int) {
	w.Helper()
	for _, wrong := range w.wrong {
		w.Error(wrong)
	}
	if n := len(w.made["hmac"]); n != rotations+1 {
		w.Errorf("%d HMAC keys were stored in %d rotations", n, rotations)
	}
	if n := len(w.made["pair"]); w.generates && n != rotations+1 {
		w.Errorf("%d key pairs were stored in %d rotations", n, rotations)
	}
	labelled := client.MatchingLabels{v1alpha1.LabelBridge: "shop"}
	var secrets corev1.SecretList
	w.must(w.client.List(w.ctx, &secrets, client.InNamespace(w.namespace), labelled))
	want := 1
	if w.generates {
		want = 3
	}
	if len(secrets.Items) != want {
		w.Errorf("there are %d Secrets of the operator, want %d", len(secrets.Items), want)
	}
	var deployments appsv1.DeploymentList
	w.must(w.client.List(w.ctx, &deployments, client.InNamespace(w.namespace), labelled))
	if len(deployments.Items) != 1 || deployments.Items[0].Generation != 1 {
		w.Errorf("there are %d Deployments, or the bot was restarted", len(deployments.Items))
	}
}
