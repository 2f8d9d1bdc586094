// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// wrongSpec is a mistake in a good bridge, and what the API server says to it.
type wrongSpec struct {
	change  func(*v1alpha1.FeedbackBridge)
	message string
	// alsoInFile is whether a manifest from a file is refused too: the bot could not work by it.
	alsoInFile bool
}

func inSpec(change func(*v1alpha1.FeedbackBridgeSpec)) func(*v1alpha1.FeedbackBridge) {
	return func(b *v1alpha1.FeedbackBridge) { change(&b.Spec) }
}

func siteURL(url string) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.URL = url })
}

func apiURL(url string) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.APIURL = url })
}

func jwtSpec(change func(*v1alpha1.JWTSpec)) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { change(&s.Credentials.JWT) })
}

func chatLimit(l v1alpha1.RateLimit) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.Limits.PerChat = l })
}

const (
	msgName    = "metadata.name must be at most 50 characters of a-z, 0-9 and '-': the bot's objects are named after it"
	msgWSS     = "url must start with wss://; for a plain ws:// address in a test, set site.allowInsecure: true"
	msgURL     = "url must be a WebSocket address such as wss://shop.example/ws/feedback-bot, without user name or fragment"
	msgToken   = "url must not carry the token: put the token into a Secret and name it in credentials.jwt"
	msgAdmin   = "adminURL must be an http:// or https:// address"
	msgPing    = "pingInterval must be between 1s and 5m"
	msgOneJWT  = "jwt needs exactly one of signingKeySecretRef (the operator mints tokens with your key), generate (with a key of its own) and tokenSecretRef (a ready token)"
	msgMinted  = "jwt.algorithm, issuer, subject, audience, ttl and renewBefore describe a token that the operator mints: remove them, or use signingKeySecretRef or generate"
	msgPairs   = "jwt.generate makes key pairs: algorithm must be ES256, RS256 or EdDSA"
	msgOneHMAC = "hmac needs exactly one of secretRef (your key) and generate (the operator makes and rotates it)"
	msgOverlap = "hmac.overlap must not be shorter than messageTTL: frames signed with the key before may still be on their way"
	msgLongest = "hmac.overlap must be at most 8760h"
	msgEvery   = "rotateEvery must be between 1m and 87600h"
	msgOften   = "hmac.generate.rotateEvery must be longer than hmac.overlap (24h unless given)"
	msgSize    = "size must be more than 0, such as 1Gi"
	msgRenew   = "jwt.renewBefore must be shorter than jwt.ttl (24h unless given)"
	msgTTL     = "jwt.ttl must be between 1m and 8760h"
	msgRenew10 = "jwt.renewBefore must be at least 10s"
	msgMessage = "messageTTL must be between 5s and 1h"
	msgHTTPS   = "apiURL must start with https://; for a plain http:// Bot API server, set telegram.allowInsecure: true"
	msgAPI     = "apiURL must be the address of a Bot API server such as https://api.telegram.org, without user name, query or fragment"
	msgChat    = `chatID must be the chat's numeric id in quotes, such as "-1001234567890"; those of groups and channels are negative`
	msgWindow  = "window must be between 100ms and 1h"
	msgStorage = "storage takes one of persistentVolumeClaim, postgres and ephemeral: remove the others"
	msgClass   = "storageClassName cannot change once the volume exists: delete and re-create the claim to move"
)

func hmacSpec(change func(*v1alpha1.HMACSpec)) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { change(&s.Credentials.HMAC) })
}

func generated(every v1alpha1.Duration) *v1alpha1.GenerateSpec {
	return &v1alpha1.GenerateSpec{RotateEvery: every}
}

func volumeSize(size string) func(*v1alpha1.FeedbackBridge) {
	return inSpec(func(s *v1alpha1.FeedbackBridgeSpec) {
		s.Storage.PersistentVolumeClaim = &v1alpha1.VolumeClaimSpec{Size: new(resource.MustParse(size))}
	})
}

func wrongSpecs() map[string]wrongSpec {
	other := &v1alpha1.SecretKeyRef{Name: "site", Key: "token"}
	return map[string]wrongSpec{
		"a long name":             {func(b *v1alpha1.FeedbackBridge) { b.Name = strings.Repeat("x", 51) }, msgName, false},
		"a name with a dot":       {func(b *v1alpha1.FeedbackBridge) { b.Name = "a.b" }, msgName, false},
		"ws":                      {siteURL("ws://shop.example/ws"), msgWSS, true},
		"https for a WebSocket":   {siteURL("https://shop.example/ws"), msgURL, true},
		"no host":                 {siteURL("wss:///ws"), msgURL, true},
		"a user name in the url":  {siteURL("wss://user@shop.example/ws"), msgURL, true},
		"a port and no host":      {siteURL("wss://:443/ws"), msgURL, true},
		"a port in words":         {siteURL("wss://shop.example:https/ws"), msgURL, true},
		"a Bot API port, no host": {apiURL("https://:8081"), msgAPI, true},
		"a chat beyond int64":     {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "9999999999999999999" }), msgChat, true},
		"a Secret's path": {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.TokenSecretRef.Name = "other/telegram" }),
			"should match", false},
		"a fragment in the url":   {siteURL("wss://shop.example/ws#x"), msgURL, true},
		"a blank in the url":      {siteURL("wss://shop.example/a b"), msgURL, false},
		"the token in the url":    {siteURL("wss://shop.example/ws?a=b&token=x"), msgToken, true},
		"an admin page by ftp":    {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.AdminURL = "ftp://shop.example" }), msgAdmin, false},
		"pings too often":         {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.PingInterval = "999ms" }), msgPing, true},
		"pings too seldom":        {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.PingInterval = "5m1s" }), msgPing, true},
		"no token at all":         {jwtSpec(func(j *v1alpha1.JWTSpec) { *j = v1alpha1.JWTSpec{Issuer: "x"} }), msgOneJWT, false},
		"two tokens":              {jwtSpec(func(j *v1alpha1.JWTSpec) { j.TokenSecretRef = other }), msgOneJWT, false},
		"a ttl for a ready token": {jwtSpec(func(j *v1alpha1.JWTSpec) { *j = v1alpha1.JWTSpec{TokenSecretRef: other, TTL: "1h"} }), msgMinted, false},
		"an algorithm for a ready token": {jwtSpec(func(j *v1alpha1.JWTSpec) {
			*j = v1alpha1.JWTSpec{TokenSecretRef: other, Algorithm: v1alpha1.JWTAlgorithmRS256}
		}), msgMinted, false},
		"renewed before it is minted": {jwtSpec(func(j *v1alpha1.JWTSpec) { j.TTL, j.RenewBefore = "1h", "1h" }), msgRenew, false},
		"renewed a day ahead of 24h":  {jwtSpec(func(j *v1alpha1.JWTSpec) { j.RenewBefore = "24h" }), msgRenew, false},
		"a short ttl":                 {jwtSpec(func(j *v1alpha1.JWTSpec) { j.TTL = "59s" }), msgTTL, false},
		"a long ttl":                  {jwtSpec(func(j *v1alpha1.JWTSpec) { j.TTL = "8761h" }), msgTTL, false},
		"a short renewBefore":         {jwtSpec(func(j *v1alpha1.JWTSpec) { j.RenewBefore = "9s" }), msgRenew10, false},
		"three sources of tokens":     {jwtSpec(func(j *v1alpha1.JWTSpec) { j.TokenSecretRef, j.Generate = other, generated("") }), msgOneJWT, false},
		"pairs of a shared secret": {jwtSpec(func(j *v1alpha1.JWTSpec) {
			*j = v1alpha1.JWTSpec{Generate: generated(""), Algorithm: v1alpha1.JWTAlgorithmHS256}
		}), msgPairs, false},
		"signing keys for a second":     {jwtSpec(func(j *v1alpha1.JWTSpec) { *j = v1alpha1.JWTSpec{Generate: generated("1s")} }), msgEvery, false},
		"no HMAC key at all":            {hmacSpec(func(s *v1alpha1.HMACSpec) { *s = v1alpha1.HMACSpec{Overlap: "24h"} }), msgOneHMAC, false},
		"two HMAC keys":                 {hmacSpec(func(s *v1alpha1.HMACSpec) { s.Generate = generated("") }), msgOneHMAC, false},
		"no time for frames on the way": {hmacSpec(func(s *v1alpha1.HMACSpec) { s.Overlap = "44s" }), msgOverlap, false},
		"an overlap beyond a year":      {hmacSpec(func(s *v1alpha1.HMACSpec) { s.Overlap = "8761h" }), msgLongest, false},
		"HMAC keys for eleven years":    {hmacSpec(func(s *v1alpha1.HMACSpec) { *s = v1alpha1.HMACSpec{Generate: generated("96360h")} }), msgEvery, false},
		"rotated within the overlap":    {hmacSpec(func(s *v1alpha1.HMACSpec) { *s = v1alpha1.HMACSpec{Generate: generated("24h")} }), msgOften, false},
		"a volume of no size":           {volumeSize("0"), msgSize, false},
		"a volume of less than none":    {volumeSize("-1Gi"), msgSize, false},
		"a short messageTTL":            {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.HMAC.MessageTTL = "4s" }), msgMessage, true},
		"a long messageTTL":             {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.HMAC.MessageTTL = "61m" }), msgMessage, true},
		"http for the Bot API":          {apiURL("http://bot-api.example"), msgHTTPS, true},
		"a query for the Bot API":       {apiURL("https://bot-api.example?x"), msgAPI, false},
		"a user name for the Bot API":   {apiURL("https://user@bot-api.example"), msgAPI, true},
		"a chat's name":                 {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "@shop" }), msgChat, true},
		"a chat's id with a leading 0":  {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "-0123" }), msgChat, true},
		"a window of no length":         {chatLimit(v1alpha1.RateLimit{Messages: new(int32(1)), Window: "0s"}), msgWindow, true},
		"a window of two hours":         {chatLimit(v1alpha1.RateLimit{Messages: new(int32(1)), Window: "2h"}), msgWindow, true},
		"two places for state":          {inSpec(bothStorages), msgStorage, true},
		"a duration that is none":       {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.PingInterval = "20" }), "should match", true},
		"a language that we lack":       {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.Language = "eo" }), "Unsupported value", true},
		"a protocol that isn't":         {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.Protocol = "V3" }), "Unsupported value", true},
		"a token in a place that isn't": {inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.TokenIn = "Cookie" }), "Unsupported value", true},
		"a negative limit":              {chatLimit(v1alpha1.RateLimit{Messages: new(int32(-1)), Window: "1m"}), "should be greater than or equal to 0", true},
	}
}

func bothStorages(s *v1alpha1.FeedbackBridgeSpec) {
	s.Storage.PersistentVolumeClaim = &v1alpha1.VolumeClaimSpec{}
	s.Storage.Ephemeral = &v1alpha1.EphemeralSpec{}
}

// Each wrong spec is refused by the API server, in words that say what to write; and, where the bot depends on it, by
// Validate when the manifest comes from a file.
func TestWrongSpecsAreRefused(t *testing.T) {
	h := newHarness(t)
	all := wrongSpecs()
	maps.Copy(all, newerWrongSpecs())
	for name, tc := range all {
		t.Run(name, func(t *testing.T) {
			bridge := h.goodBridge("shop")
			tc.change(bridge)
			err := h.client.Create(h.ctx, bridge.DeepCopy(), client.DryRunAll)
			if err == nil || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("the API server says\n%v\nwant\n%s", err, tc.message)
			}
			bridge.SetDefaults()
			if err := bridge.Validate(); (err != nil) != tc.alsoInFile {
				t.Errorf("Validate says %v, want an error: %t", err, tc.alsoInFile)
			}
		})
	}
}

func TestStorageClassCannotChange(t *testing.T) {
	h := newHarness(t)
	bridge := h.goodBridge("shop")
	bridge.Spec.Storage.PersistentVolumeClaim = &v1alpha1.VolumeClaimSpec{StorageClassName: new("fast")}
	h.must(h.client.Create(h.ctx, bridge))
	for name, class := range map[string]*string{"to another": new("slow"), "to none": nil} {
		changed := bridge.DeepCopy()
		changed.Spec.Storage.PersistentVolumeClaim.StorageClassName = class
		if err := h.client.Update(h.ctx, changed); err == nil || !strings.Contains(err.Error(), msgClass) {
			t.Errorf("%s: the API server says %v, want %s", name, err, msgClass)
		}
	}
	changed := bridge.DeepCopy()
	changed.Spec.Storage = v1alpha1.StorageSpec{Ephemeral: &v1alpha1.EphemeralSpec{}}
	h.must(h.client.Update(h.ctx, changed))
}

// Storage changes from the default to the pod and back by what a person writes, by either way of applying it.
func TestStorageCanChange(t *testing.T) {
	h := newHarness(t)
	manifest := func(storage string) client.Patch {
		text := fmt.Sprintf(`{"apiVersion":"feedbackbridge.dev/v1alpha1","kind":"FeedbackBridge","metadata":{"name":"shop"},"spec":{
			"site":{"url":"wss://shop.example/ws"},
			"credentials":{"jwt":{"tokenSecretRef":{"name":"a","key":"a"}},"hmac":{"secretRef":{"name":"a","key":"b"}}},
			"telegram":{"tokenSecretRef":{"name":"a","key":"c"},"chatID":"1"}%s}}`, storage)
		return client.RawPatch(types.ApplyPatchType, []byte(text))
	}
	bridge := &v1alpha1.FeedbackBridge{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: h.namespace}}
	for _, storage := range []string{"", `,"storage":{"ephemeral":{}}`, `,"storage":{"persistentVolumeClaim":{}}`, `,"storage":{"ephemeral":{}}`, ""} {
		if err := h.client.Patch(h.ctx, bridge, manifest(storage), client.FieldOwner("person")); err != nil {
			t.Errorf("%q: %v", storage, err)
		}
	}
	h.must(h.client.Delete(h.ctx, bridge))
	created := h.goodBridge("shop")
	h.must(h.client.Create(h.ctx, created))
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"storage":{"ephemeral":{}}}}`))
	if err := h.client.Patch(h.ctx, created, patch); err != nil {
		t.Errorf("as kubectl apply does it: %v", err)
	}
}

// Good specs at the edges of the rules are accepted by both.
func TestGoodSpecsAreAccepted(t *testing.T) {
	h := newHarness(t)
	good := map[string]func(*v1alpha1.FeedbackBridge){
		"the least":                func(*v1alpha1.FeedbackBridge) {},
		"the longest name":         func(b *v1alpha1.FeedbackBridge) { b.Name = strings.Repeat("x", 50) },
		"a query and a port":       siteURL("wss://shop.example:8443/ws?room=a"),
		"an IPv6 address, no port": siteURL("wss://[2001:db8::1]"),
		"a query without path":     siteURL("wss://shop.example?room=a"),
		"an IPv6 address":          siteURL("wss://[2001:db8::1]:8443/ws"),
		"a query that ends tokens": siteURL("wss://shop.example/ws?tokens=a"),
		"ws in a test": inSpec(func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Site.URL, s.Site.AllowInsecure = "ws://127.0.0.1:8000/ws", new(true)
		}),
		"a Bot API server of one's own": inSpec(func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Telegram.APIURL, s.Telegram.AllowInsecure = "http://127.0.0.1:8081/prefix", new(true)
		}),
		"generated keys": inSpec(func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Credentials = v1alpha1.CredentialsSpec{
				HMAC: v1alpha1.HMACSpec{Generate: generated("1441m")},
				JWT:  v1alpha1.JWTSpec{Generate: generated("1m"), Algorithm: v1alpha1.JWTAlgorithmEdDSA, TTL: "1m"},
			}
		}),
		"the shortest overlap":   hmacSpec(func(s *v1alpha1.HMACSpec) { s.Overlap, s.MessageTTL = "5s", "5s" }),
		"a byte of a volume":     volumeSize("1"),
		"a fraction of a volume": volumeSize("0.5Gi"),
		"no limit":               chatLimit(v1alpha1.RateLimit{Messages: new(int32(0)), Window: "100ms"}),
		"renewed at the end":     jwtSpec(func(j *v1alpha1.JWTSpec) { j.TTL, j.RenewBefore = "1m", "10s" }),
		"a short ttl alone":      jwtSpec(func(j *v1alpha1.JWTSpec) { j.TTL = "1h" }),
		"the edges of pings":     inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.PingInterval = "1s" }),
		"a fraction of a minute": inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.HMAC.MessageTTL = "0.5m" }),
		"a user's chat":          inSpec(func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.ChatID = "42" }),
	}
	maps.Copy(good, newerGoodSpecs())
	for name, change := range good {
		t.Run(name, func(t *testing.T) {
			bridge := h.goodBridge("shop")
			change(bridge)
			if err := h.client.Create(h.ctx, bridge.DeepCopy(), client.DryRunAll); err != nil {
				t.Errorf("the API server says %v", err)
			}
			bridge.SetDefaults()
			if err := bridge.Validate(); err != nil {
				t.Errorf("Validate says %v", err)
			}
		})
	}
}

// Every rule of the CRD has a case above: a message that nobody has seen is a message that nobody has read.
func TestEveryRuleIsTested(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "config", "crd", "bases", "feedbackbridge.dev_feedbackbridges.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd any
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{msgClass: true}
	for _, tc := range wrongSpecs() {
		seen[tc.message] = true
	}
	for _, tc := range newerWrongSpecs() {
		seen[tc.message] = true
	}
	messages := ruleMessages(crd)
	if len(messages) < 15 {
		t.Fatalf("only %d rules were found in the CRD", len(messages))
	}
	for _, m := range messages {
		if !seen[m] {
			t.Errorf("no case for: %s", m)
		}
	}
}

// ruleMessages collects the messages of all x-kubernetes-validations below a node.
func ruleMessages(node any) []string {
	var out []string
	switch n := node.(type) {
	case []any:
		for _, item := range n {
			out = append(out, ruleMessages(item)...)
		}
	case map[string]any:
		for key, value := range n {
			rules, ok := value.([]any)
			if key != "x-kubernetes-validations" || !ok {
				out = append(out, ruleMessages(value)...)
				continue
			}
			for _, rule := range rules {
				if fields, ok := rule.(map[string]any); ok {
					message, _ := fields["message"].(string)
					out = append(out, message)
				}
			}
		}
	}
	return out
}

// SetDefaults does to a manifest from a file what the API server does to an object.
func TestDefaultsEqualTheCRDs(t *testing.T) {
	h := newHarness(t)
	tests := map[string]func(*v1alpha1.FeedbackBridgeSpec){
		"nothing given": func(*v1alpha1.FeedbackBridgeSpec) {},
		"ephemeral":     func(s *v1alpha1.FeedbackBridgeSpec) { s.Storage.Ephemeral = &v1alpha1.EphemeralSpec{} },
		"a claim":       func(s *v1alpha1.FeedbackBridgeSpec) { s.Storage.PersistentVolumeClaim = &v1alpha1.VolumeClaimSpec{} },
		"one of two limits": func(s *v1alpha1.FeedbackBridgeSpec) {
			s.Telegram.Limits.Overall = v1alpha1.RateLimit{Messages: new(int32(0)), Window: "1s"}
		},
		"a runtime":  func(s *v1alpha1.FeedbackBridgeSpec) { s.Runtime.Image = "example.test/bot:2" },
		"a database": withPostgres(0),
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			bridge := h.goodBridge("shop")
			change(&bridge.Spec)
			fromServer := bridge.DeepCopy()
			h.must(h.client.Create(h.ctx, fromServer, client.DryRunAll))
			bridge.SetDefaults()
			equalQuantities := cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })
			// A storage that is not given stays absent in the API server, so that another can take its place.
			if fromServer.Spec.Storage == (v1alpha1.StorageSpec{}) {
				fromServer.Spec.Storage = bridge.Spec.Storage
			}
			if diff := cmp.Diff(fromServer.Spec.Storage, bridge.Spec.Storage, equalQuantities); diff != "" {
				t.Errorf("storage: the API server (-) and SetDefaults (+) differ:\n%s", diff)
			}
			fromServer.Spec.Storage, bridge.Spec.Storage = v1alpha1.StorageSpec{}, v1alpha1.StorageSpec{}
			// A runtime that is not given stays absent in the API server; the log level's default is the bot's too.
			if name != "a runtime" {
				bridge.Spec.Runtime.LogLevel = fromServer.Spec.Runtime.LogLevel
			}
			if diff := cmp.Diff(fromServer.Spec, bridge.Spec); diff != "" {
				t.Errorf("the API server (-) and SetDefaults (+) differ:\n%s", diff)
			}
		})
	}
}

// What the API server cannot check, such as a time zone, the operator says in the status.
func TestTheOperatorChecksWhatTheCRDCannot(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	for name, change := range map[string]func(*v1alpha1.FeedbackBridgeSpec){
		"a time zone that does not exist": func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.TimeZone = "Mars/Olympus" },
		"a port that does not exist":      func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.URL = "wss://shop.example:99999/ws" },
		"a Secret named as the bot's own": func(s *v1alpha1.FeedbackBridgeSpec) { s.Telegram.TokenSecretRef.Name = "shop-bot" },
		"a Secret named as the site's":    func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.SiteSecretName = "site" },
		"the site's named as the bot's":   func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.SiteSecretName = "shop-bot" },
		"the site's named as the keys'":   func(s *v1alpha1.FeedbackBridgeSpec) { s.Credentials.SiteSecretName = "shop-signing" },
	} {
		var before, after corev1.ConfigMap
		h.must(h.get("shop-bot", &before))
		spec := h.bridge("shop").Spec
		h.changeSpec("shop", change)
		h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec)
		h.condition("shop", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
		h.must(h.get("shop-bot", &after))
		if before.ResourceVersion != after.ResourceVersion {
			t.Errorf("%s reached the running bot", name)
		}
		h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { *s = spec })
		h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	}
}
