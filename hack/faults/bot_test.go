// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// projection is how long it takes at most until a Secret's change is in the bot's directory.
	projection = 800 * time.Millisecond
	// beat is how often the bot renews its Lease, and counters is how often it reports what is no change of state.
	beat     = 3 * time.Second
	counters = 2 * time.Second
)

// bot is what a bot is to the operator: keys that it accepts, and a Lease with a report.
type bot struct {
	bridge *bridge
	dice   *rand.Rand

	mu sync.Mutex
	// version is of the Secret that is loaded, and due when the one after it will be.
	version, coming string
	due             time.Time
	files           map[string][]byte
	uses            []v1alpha1.KeyUse
	siteKeyID       string
	jwtKeyID        string
	runs            int
	started         time.Time
	connected       time.Time
	// changed is whether a state changed since the last report.
	changed bool
}

// load reads the bot's Secret some time after it changed, as a kubelet writes it into the bot's directory.
func (b *bot) load(ctx context.Context, now time.Time) {
	var secret corev1.Secret
	found, err := b.bridge.world.read(ctx, v1alpha1.BotName(b.bridge.name), &secret)
	if !found || err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case secret.ResourceVersion == b.version:
		return
	case b.files != nil && b.coming == "":
		b.coming, b.due = secret.ResourceVersion, now.Add(time.Duration(b.dice.Int64N(int64(projection))))
		return
	case now.Before(b.due):
		return
	}
	if b.files == nil {
		b.started, b.runs = now, 1
	}
	b.files, b.version, b.coming, b.changed = secret.Data, secret.ResourceVersion, "", true
}

// restart forgets what a bot has in its memory only, and reads its directory anew.
func (b *bot) restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.files == nil {
		return
	}
	b.uses, b.siteKeyID, b.jwtKeyID, b.started, b.changed = nil, "", "", time.Now(), true
	b.runs++
	b.connected, b.due = time.Time{}, time.Time{}
}

// runsAlready is whether the bot has been given credentials.
func (b *bot) runsAlready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.files != nil
}

// keyIDs are the ids of the keys that the bot accepts. The caller holds the lock.
func (b *bot) keyIDs() []string {
	var ids []string
	for _, file := range []string{v1alpha1.FileHMACCurrent, v1alpha1.FileHMACNext, v1alpha1.FileHMACPrevious} {
		if key := b.files[file]; len(key) > 0 {
			ids = append(ids, v1alpha1.KeyID(key))
		}
	}
	return ids
}

// accept takes a frame that is signed with a key, or says why not.
func (b *bot) accept(keyID string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := false
	for _, id := range b.keyIDs() {
		known = known || id == keyID
	}
	if !known {
		return fmt.Errorf("the frame's key %s is none of %v", keyID, b.keyIDs())
	}
	b.siteKeyID = keyID
	at := metav1.NewTime(now)
	for i := range b.uses {
		if b.uses[i].ID == keyID {
			b.uses[i].Last = at
			return nil
		}
	}
	b.uses, b.changed = append(b.uses, v1alpha1.KeyUse{ID: keyID, First: at, Last: at}), true
	return nil
}

// tokens are those that the bot dials with, in their order.
func (b *bot) tokens() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, file := range []string{v1alpha1.FileJWT, v1alpha1.FileJWTPrevious} {
		if token := b.files[file]; len(token) > 0 {
			out = append(out, string(token))
		}
	}
	return out
}

// dialled notes that the site accepted a token with this kid.
func (b *bot) dialled(keyID string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed = b.changed || b.jwtKeyID != keyID || b.connected.IsZero()
	b.jwtKeyID = keyID
	if b.connected.IsZero() {
		b.connected = now
	}
}

// says is the report as it is now.
func (b *bot) says() v1alpha1.BotReport {
	since := metav1.NewTime(b.started)
	reach := v1alpha1.PeerReport{OK: true, Reason: v1alpha1.ReasonConnected, Since: since}
	if b.connected.IsZero() {
		reach = v1alpha1.PeerReport{Reason: v1alpha1.ReasonConnecting, Message: "dialling", Since: since}
	}
	return v1alpha1.BotReport{
		Version: "model", StartedAt: since, Site: reach,
		Telegram:    v1alpha1.PeerReport{OK: true, Reason: v1alpha1.ReasonReachable, Since: since},
		SiteKeyID:   b.siteKeyID,
		HMACKeyIDs:  b.keyIDs(),
		BotUsername: "shop_bot", ChatTitle: b.bridge.name,
		HMACKeysUsed: append([]v1alpha1.KeyUse(nil), b.uses...), JWTKeyID: b.jwtKeyID,
	}
}

// report renews the Lease and writes the report, until the context ends; it also plays the Deployment controller.
func (b *bot) report(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var renewed, reported time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		b.mu.Lock()
		due := b.files != nil && (b.changed || now.Sub(renewed) >= beat || now.Sub(reported) >= counters)
		full := b.changed || now.Sub(reported) >= counters
		says, holder := b.says(), fmt.Sprintf("%s-%d", v1alpha1.BotName(b.bridge.name), b.runs)
		if due {
			b.changed = false
		}
		b.mu.Unlock()
		if !due {
			continue
		}
		if err := b.renew(ctx, holder, says, full); err != nil {
			b.mu.Lock()
			b.changed = b.changed || full // to be written again, for nobody has heard it
			b.mu.Unlock()
			continue
		}
		renewed = now
		if full {
			reported = now
		}
	}
}

func (b *bot) renew(ctx context.Context, holder string, says v1alpha1.BotReport, full bool) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	name := v1alpha1.BotName(b.bridge.name)
	patch := map[string]any{"spec": map[string]any{
		"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": metav1.NewMicroTime(time.Now()),
	}}
	if full {
		text, err := json.Marshal(says)
		if err != nil {
			return err
		}
		patch["metadata"] = map[string]any{"annotations": map[string]string{v1alpha1.AnnotationReport: string(text)}}
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	if err := b.bridge.world.client.Patch(ctx, lease, client.RawPatch(types.MergePatchType, text)); err != nil {
		return err
	}
	return b.rollOut(ctx, name)
}

// rollOut plays the Deployment controller: the pod is of the template as it is now.
func (b *bot) rollOut(ctx context.Context, name string) error {
	var d appsv1.Deployment
	if found, err := b.bridge.world.read(ctx, name, &d); !found || err != nil || d.Status.ObservedGeneration == d.Generation {
		return err
	}
	before := d.DeepCopy()
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
	}
	return b.bridge.world.client.Status().Patch(ctx, &d, client.MergeFrom(before))
}
