// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func TestStatusFromTheAPIServer(t *testing.T) {
	p := newPerson(t, mayRead, may("", "events", "list"))
	if out, err := p.run("status"); err != nil || out != "There are no bridges in namespace "+p.namespace+".\n" {
		t.Errorf("no bridges: %q %v", out, err)
	}
	p.bridge("wiki", refusedBySite)
	blog := p.bridge("blog")
	out, err := p.run("status")
	lines := strings.Split(out, "\n")
	if err != nil || len(lines) != 6 || !strings.HasPrefix(lines[0], "NAME ") || !strings.HasPrefix(lines[1], "blog") || !strings.HasPrefix(lines[2], "wiki") ||
		lines[4] != "1 of 2 bridges is ready; wiki: "+refusedMessage+"." {
		t.Errorf("table: %v\n%s", err, out)
	}
	p.create(&corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "one"}, Reason: "SiteConnected", Message: "it was connected",
		InvolvedObject: corev1.ObjectReference{Kind: v1alpha1.Kind, Namespace: p.namespace, Name: "blog", UID: blog.UID}})
	p.create(&corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "another"}, Reason: "Stranger",
		InvolvedObject: corev1.ObjectReference{Kind: v1alpha1.Kind, Namespace: p.namespace, Name: "wiki"}})
	out, err = p.run("status", "blog")
	if err != nil || strings.Contains(out, "Stranger") {
		t.Errorf("page: %v\n%s", err, out)
	}
	wants(t, "page", out, p.namespace+"/blog is ready: ", "SiteConnected", "it was connected")
	out, err = p.run("status", "-o", "json")
	var d statusDocument
	if err != nil || json.Unmarshal([]byte(out), &d) != nil {
		t.Fatalf("json: %v\n%s", err, out)
	}
	if d.Total != 2 || d.Ready != 1 || len(d.Items) != 2 || d.Items[0].Kind != v1alpha1.Kind || d.Items[0].ManagedFields != nil || !strings.HasPrefix(d.Verdict, "1 of 2") {
		t.Errorf("json: %s", out)
	}
	if out, err := p.run("-n", "elsewhere", "status"); err != nil || !strings.Contains(out, "wiki") {
		t.Errorf("flags before the command: %v\n%s", err, out) // the last one counts
	}
	if _, err := p.run("status", "shop"); err == nil || !strings.Contains(err.Error(), "there is no bridge shop in namespace "+p.namespace) {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	p := newPerson(t, may(v1alpha1.GroupName, "feedbackbridges", "get"))
	p.bridge("shop", rotating)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"status":        {[]string{"status"}, "you lack the right to list feedbackbridges.feedbackbridge.dev in namespace " + p.namespace + " (kubectl auth can-i list feedbackbridges.feedbackbridge.dev -n " + p.namespace + ")"},
		"status of all": {[]string{"status", "-A"}, "in all namespaces"},
		"rotate":        {[]string{"rotate", "shop"}, "you lack the right to patch feedbackbridges.feedbackbridge.dev"},
		"tickets":       {[]string{"tickets", "shop"}, "you lack the right to list pods"},
		"send-test":     {[]string{"send-test", "shop"}, "you lack the right to list pods"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := p.run(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ...%s...", err, c.want)
			}
		})
	}
	out, err := p.run("status", "shop")
	if err != nil {
		t.Error(err)
	}
	wants(t, "page", out, "not shown: you lack the right to list events")
}

func TestRotateSetsTheAnnotationAndNothingElse(t *testing.T) {
	p := newPerson(t, mayRead, mayRotate)
	before := p.bridge("shop", rotating)
	for _, c := range []struct {
		args   []string
		prefix string
	}{{nil, ""}, {[]string{"--force"}, v1alpha1.RotateForce + "-"}} {
		out, err := p.run(append([]string{"rotate", "shop"}, c.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		after := p.read("shop")
		value, ok := strings.CutPrefix(after.Annotations[v1alpha1.AnnotationRotateNow], c.prefix)
		if at, err := time.Parse(time.RFC3339, value); !ok || err != nil || time.Since(at) > time.Minute {
			t.Errorf("annotations: %v", after.Annotations)
		}
		if after.Generation != before.Generation || len(after.Annotations) != 1 {
			t.Errorf("more was changed: %+v", after.ObjectMeta)
		}
		if !slices.ContainsFunc(after.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Manager == fieldManager }) {
			t.Errorf("the annotation has another manager: %+v", after.ManagedFields)
		}
		wants(t, "rotate", out, "A new HMAC key, a new signing key, a new token will be made.", "kubectl feedbackbridge status shop -n "+p.namespace)
	}
}

func TestRotateLeavesTheUsersOwnKeysAlone(t *testing.T) {
	p := newPerson(t, mayRead, mayRotate)
	before := p.bridge("shop", func(b *v1alpha1.FeedbackBridge) {
		b.Spec.Credentials.JWT = v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "jwt"}}
	})
	out, err := p.run("rotate", "shop")
	if err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	wants(t, "rotate", out, "The HMAC key is yours", "The token is yours")
	if after := p.read("shop"); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("written: %v", after.Annotations)
	}
}

// operate plays the operator: at each value of the annotation it takes the next of the steps, one status after the other.
func (p *person) operate(name string, steps ...func(*v1alpha1.CredentialsStatus)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for len(steps) > 0 {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			b := &v1alpha1.FeedbackBridge{}
			if err := p.client.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: name}, b); err != nil && ctx.Err() == nil {
				p.t.Errorf("read the bridge: %v", err)
			}
			value := b.Annotations[v1alpha1.AnnotationRotateNow]
			if value == "" {
				continue
			}
			b.Status.Credentials.HandledRotateNow = value
			steps[0](b.Status.Credentials)
			steps = steps[1:]
			if err := p.client.Status().Update(ctx, b); err != nil && ctx.Err() == nil {
				p.t.Errorf("write the status: %v", err)
			}
		}
	}()
	return func() { cancel(); <-done }
}

func generatedHMAC(b *v1alpha1.FeedbackBridge) {
	b.Spec.Credentials.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}}
	b.Spec.Credentials.JWT = v1alpha1.JWTSpec{TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "jwt"}}
}

func TestRotateWaitsUntilTheNewKeyIsInUse(t *testing.T) {
	p := newPerson(t, mayRead, mayRotate)
	p.bridge("shop", generatedHMAC)
	stop := p.operate("shop", func(c *v1alpha1.CredentialsStatus) {
		c.HMAC.RotationStatus = v1alpha1.RotationStatus{Phase: v1alpha1.RotationAdopted, CurrentKeyID: "3333cccc4444dddd", PreviousKeyID: "1111aaaa2222bbbb", RetireAt: at(day)}
	})
	defer stop()
	out, err := p.run("rotate", "shop", "--wait")
	if err != nil {
		t.Error(err)
	}
	wants(t, "rotate --wait", out, "HMAC key: Adopted: key 3333cccc… is in use; key 1111aaaa… is accepted until 2026-11-23T12:00:00Z\n", "Done.\n")
}

func TestRotateSaysWhatItWaitedForWhenTheTimeIsOver(t *testing.T) {
	p := newPerson(t, mayRead, mayRotate)
	p.bridge("shop", generatedHMAC)
	stop := p.operate("shop", func(c *v1alpha1.CredentialsStatus) {
		c.HMAC.RotationStatus = v1alpha1.RotationStatus{Phase: v1alpha1.RotationPublished, CurrentKeyID: "1111aaaa2222bbbb", NextKeyID: "3333cccc4444dddd"}
	})
	defer stop()
	out, err := p.run("rotate", "shop", "--wait", "--timeout", "2s")
	if err == nil || !strings.Contains(err.Error(), "not done within 2s, and the rotation goes on; HMAC key: Published: waiting for the site to sign with key 3333cccc…") {
		t.Errorf("got %v", err)
	}
	wants(t, "rotate --wait", out, "HMAC key: Published")
}

func TestRotateSaysThatItWasRefused(t *testing.T) {
	p := newPerson(t, mayRead, mayRotate, may("", "events", "list"))
	b := p.bridge("shop", generatedHMAC, func(b *v1alpha1.FeedbackBridge) {
		b.Status.Credentials.HMAC.RotationStatus = v1alpha1.RotationStatus{Phase: v1alpha1.RotationPublished, CurrentKeyID: "1111aaaa2222bbbb", NextKeyID: "3333cccc4444dddd"}
	})
	handle := func(*v1alpha1.CredentialsStatus) {}
	stop := p.operate("shop", handle)
	_, err := p.run("rotate", "shop", "--wait")
	stop()
	if err == nil || !strings.Contains(err.Error(), "refused: a rotation runs already (HMAC key: Published: waiting for the site") {
		t.Errorf("without an event: %v", err)
	}
	p.create(&corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "refused"}, Reason: eventRotationRefused, Message: "No other HMAC key is made",
		InvolvedObject: corev1.ObjectReference{Kind: v1alpha1.Kind, Namespace: p.namespace, Name: "shop", UID: b.UID}})
	annotations := p.read("shop")
	annotations.Annotations = nil
	if err := p.client.Update(t.Context(), annotations); err != nil {
		t.Fatal(err)
	}
	stop = p.operate("shop", handle)
	defer stop()
	if _, err := p.run("rotate", "shop", "--wait"); err == nil || err.Error() != "refused: No other HMAC key is made" {
		t.Errorf("with an event: %v", err)
	}
}

// bot makes what there is of a bot that runs: its pod, without a kubelet.
func (p *person) bot(bridge string) {
	p.t.Helper()
	pod := botPod(bridge + "-bot-1")
	pod.Namespace, pod.Labels = p.namespace, map[string]string{v1alpha1.LabelBridge: bridge}
	status := pod.Status
	pod.Status = corev1.PodStatus{}
	pod.Spec.TerminationGracePeriodSeconds = new(int64(0))
	p.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "default"}})
	p.create(&pod)
	pod.Status = status
	pod.Status.ContainerStatuses[0].ImageID = "bot@sha256:0"
	if err := p.client.Status().Update(context.Background(), &pod); err != nil {
		p.t.Fatal(err)
	}
}

// volume makes a claim that is bound.
func (p *person) volume(name string) {
	p.t.Helper()
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}
	p.create(claim)
	claim.Status.Phase = corev1.ClaimBound
	if err := p.client.Status().Update(context.Background(), claim); err != nil {
		p.t.Fatal(err)
	}
}

var mayAsk = may("", "pods", "list")

func TestTicketsAndTestMessagesGoThroughTheBot(t *testing.T) {
	p := newPerson(t, mayRead, mayAsk)
	p.bridge("shop")
	if _, err := p.run("tickets", "shop"); err == nil || !strings.Contains(err.Error(), "the bot does not run") {
		t.Errorf("without a bot: %v", err)
	}
	p.bot("shop")
	bot := &fakeExec{answer: execution{stdout: []byte(`{"tickets":[{"id":"ticket_site_1","state":"posted","status":"new","category":"bug","receivedAt":"2026-11-22T12:00:00Z","messageID":7}],"total":1}`)}}
	p.exec = bot
	out, err := p.run("tickets", "shop", "--limit", "5", "--failed")
	if err != nil || !slices.Equal(bot.command, []string{"/feedbackbridge-bot", "tickets", "--state", "/var/lib/bot", "-o", "json", "--limit", "5", "--failed"}) {
		t.Errorf("tickets: %v, asked %q", err, bot.command)
	}
	wants(t, "tickets", out, "ticket_site_1   posted", "One ticket refused by Telegram.")

	bot.answer = execution{stdout: []byte(`{"chatID":-1001234567890,"messageID":71,"at":"2026-11-22T12:00:00Z"}`)}
	out, err = p.run("send-test", "shop", "--text", "second\ntry")
	if err != nil || out != "Posted to \"Support\" (-1001234567890) as message 71.\n" || bot.stdin != "second try\n" ||
		!slices.Equal(bot.command, []string{"/feedbackbridge-bot", "send-test", "--state", "/var/lib/bot", "-o", "json", "--text", "-"}) {
		t.Errorf("send-test: %v, asked %q with %q, said %q", err, bot.command, bot.stdin, out)
	}
	bot.answer = execution{stdout: []byte(`{"reason":"NoRights","message":"the bot may not post in chat -1001234567890: add it to the group"}`)}
	out, err = p.run("send-test", "shop", "-o", "json")
	if err == nil || !strings.HasPrefix(err.Error(), "not posted: the bot may not post") || bot.stdin != "" {
		t.Errorf("refused: %v", err)
	}
	wants(t, "send-test -o json", out, `"reason": "NoRights"`)

	bot.answer = execution{stderr: []byte("feedbackbridge-bot: no store is there\n"), code: 1}
	if _, err := p.run("tickets", "shop"); err == nil || !strings.Contains(err.Error(), "no store is there") {
		t.Errorf("a bot that fails: %v", err)
	}
	p.exec = nil // the API server's own, which this person may not use
	if _, err := p.run("tickets", "shop"); err == nil || !strings.Contains(err.Error(), "you lack the right to create pods/exec in namespace "+p.namespace) {
		t.Errorf("exec: %v", err)
	}
}

func TestTheDoctorGathersFacts(t *testing.T) {
	p := newPerson(t, mayRead, mayAsk, may("", "secrets", "get"), may("apps", "deployments", "get"),
		may("", "persistentvolumeclaims", "get"), may(coordinationv1.GroupName, "leases", "get"))
	b := p.bridge("shop", func(b *v1alpha1.FeedbackBridge) {
		b.Spec.Storage = v1alpha1.StorageSpec{} // a volume claim, unless given
	})
	p.volume("shop-bot")
	for name, key := range map[string]string{"telegram": "token", "site": "signing-key", "hmac": "key", "shop-bot": v1alpha1.FileHMACCurrent} {
		p.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}, StringData: map[string]string{key: "a value that nobody may see"}})
	}
	pod := botPod("shop-bot-1")
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "shop-bot"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}, Spec: pod.Spec}}}
	p.create(d)
	d.Status = appsv1.DeploymentStatus{Replicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	if err := p.client.Status().Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	lease := leaseOf("shop-bot-1", time.Now(), 30)
	lease.ObjectMeta = metav1.ObjectMeta{Namespace: p.namespace, Name: "shop-bot"}
	p.create(lease)
	p.bot("shop")
	bot := &fakeExec{answer: execution{stdout: []byte(`{"ok":true,"peer":"telegram","message":"token: fine"}` + "\n" + `{"ok":true,"peer":"bot","message":"makes progress"}` + "\n")}}
	p.exec = bot
	out, err := p.run("doctor", "shop")
	if err != nil || strings.Contains(out, "✗") || strings.Contains(out, "nobody may see") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	wants(t, "doctor", out, "✓ bot: telegram", "✓ heartbeat", "✓ volume", "– operator", "cannot list resource \"leases\"", "nothing is wrong")
	if !slices.Equal(bot.command, []string{"/feedbackbridge-bot", "doctor", "--bridge", "/etc/bridge/bridge.yaml", "--credentials", "/etc/credentials", "--state", "/var/lib/bot", "-o", "json"}) {
		t.Errorf("asked %q", bot.command)
	}

	bot.answer = execution{stdout: []byte(`{"ok":false,"peer":"site","message":"refuses the token"}` + "\n"), code: 1}
	if err := p.client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "telegram"}}); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	out, err = p.run("doctor", b.Name, "-o", "json")
	var got diagnosis
	if !errors.Is(err, errSick) || json.Unmarshal([]byte(out), &got) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	failed := slices.DeleteFunc(got.Checks, func(c check) bool { return c.Result != fail })
	if got.Healthy || len(failed) != 2 || failed[0].Subject != "secret telegram" || failed[1].Message != "refuses the token" {
		t.Errorf("json: %s", out)
	}
}

func TestThePluginsNames(t *testing.T) {
	for argv0, want := range map[string]bool{"/usr/local/bin/kubectl-feedbackbridge": true, "kubectl-fbb": true, "kubectl-feedbackbridge.exe": true,
		"/feedbackbridge-operator": false, "kubectl": false} {
		if got := IsName(argv0); got != want {
			t.Errorf("%s: %v", argv0, got)
		}
	}
}
