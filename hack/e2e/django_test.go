// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/hack/django"
	"github.com/feedbackbridge/feedbackbridge/hack/django/person"
	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
	"github.com/feedbackbridge/feedbackbridge/hack/e2e/world"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// daphneFor has the bridge's site be a Django project under daphne, on this machine, where pods reach it. It starts with start.
func daphneFor(w *world.World, kind func(root, dir string, settings django.Settings) (*django.Site, error), more ...string) (site *django.Site, start func()) {
	w.T.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	fatal(w.T, err)
	dir, err := os.MkdirTemp("", "e2e-django")
	fatal(w.T, err)
	redis, err := django.StartRedis(w.T.Context(), dir)
	fatal(w.T, err)
	address := freeAt(w.T, world.Cluster.HostAddress)
	site, err = kind(root, dir, django.Settings{Redis: redis.URL(), Database: filepath.Join(dir, "site.sqlite3"), Address: address,
		Hosts: world.Cluster.HostAddress, JWTSecret: w.SigningKey, HMACKey: w.HMACKey, More: more})
	fatal(w.T, err)
	_, err = site.Manage(w.T.Context(), "migrate", "--verbosity", "0")
	fatal(w.T, err)
	w.T.Cleanup(func() {
		if w.T.Failed() {
			w.T.Logf("the site:\n%s", process.Tail(site.Log()))
		}
		if site.Process != nil {
			fatal(w.T, site.End(syscall.SIGKILL))
		}
		fatal(w.T, redis.End(syscall.SIGKILL))
		fatal(w.T, os.RemoveAll(dir))
	})
	w.Bridge.Spec.Site.URL = "ws://" + address + "/ws/feedback-bot"
	return site, func() { fatal(w.T, site.Start(w.T.Context())) }
}

// freeAt is an address of a host at which nobody listens now.
func freeAt(t *testing.T, host string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	fatal(t, err)
	fatal(t, listener.Close())
	return listener.Addr().String()
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// posted waits for the group's post with a text.
func posted(w *world.World, text string) (found telegram.Message) {
	w.T.Helper()
	world.Eventually(w.T, time.Minute, "a post with "+text, func() (bool, string) {
		all := w.Telegram.Messages(world.Group)
		i := slices.IndexFunc(all, func(m telegram.Message) bool { return m.From.IsBot && strings.Contains(m.Text, text) })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0, fmt.Sprintf("%d messages", len(all))
	})
	return found
}

// The brief's own site, as literally as it runs, with a token that the operator mints.
func TestTheBriefsSite(t *testing.T) {
	w := world.New(t)
	site, start := daphneFor(w, django.Brief)
	start()
	w.Apply()
	response, err := http.Post("http://"+site.Address()+"/feedback", "application/json",
		strings.NewReader(`{"category": "bug", "nickname": "Ник <&>", "message": "Текст `+world.SecretText+`"}`))
	fatal(t, err)
	fatal(t, response.Body.Close())
	posted(w, "Ник <&>")
	speaks(w, "v1")
	world.Eventually(t, time.Minute, "telegram_sent is set", func() (bool, string) {
		response, err := http.Get("http://" + site.Address() + "/feedback")
		if err != nil {
			return false, err.Error()
		}
		defer response.Body.Close()
		var list struct {
			Feedback []struct {
				TelegramSent bool `json:"telegram_sent"`
			} `json:"feedback"`
		}
		err = json.NewDecoder(response.Body).Decode(&list)
		return err == nil && len(list.Feedback) == 1 && list.Feedback[0].TelegramSent, fmt.Sprint(list, err)
	})
}

// mount keeps a directory as the kubelet keeps that of a Secret in a pod, until the test ends.
func mount(w *world.World, secret, dir string) {
	w.T.Helper()
	fatal(w.T, os.Mkdir(dir, 0o700))
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.T.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s := &corev1.Secret{}
			if err := world.Cluster.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: secret}, s); err == nil {
				if err := write(dir, s.Data); err != nil {
					w.T.Errorf("mount: %v", err)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	}()
	w.T.Cleanup(func() {
		cancel()
		<-done
	})
}

// write makes the files of a directory those that are given, each at once.
func write(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, content) {
			continue
		}
		if err := os.WriteFile(path+".next", content, 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".next", path); err != nil {
			return err
		}
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range there {
		if _, wanted := files[entry.Name()]; !wanted {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// A Django site with the app, which finds the operator's keys in its mounted Secret, by version 2; and a rotation of all of them, which neither the site
// nor the bot is restarted for.
func TestADjangoSiteWithTheOperatorsKeys(t *testing.T) {
	w := world.New(t)
	secrets := filepath.Join(t.TempDir(), "secrets")
	site, start := daphneFor(w, django.Portal, "SITE_SECRET_DIR="+secrets, "SITE_JWT_SECRET=", "SITE_HMAC_KEY=")
	c := &w.Bridge.Spec.Credentials
	c.JWT = v1alpha1.JWTSpec{Generate: &v1alpha1.GenerateSpec{}, Algorithm: "ES256"}
	c.HMAC = v1alpha1.HMACSpec{Generate: &v1alpha1.GenerateSpec{}, MessageTTL: "5s", Overlap: "5s"}
	mount(w, w.Bridge.SiteSecretName(), secrets)
	start()
	w.Apply()
	speaks(w, "v2")
	pressAndCheck(w, ordered(w, site, 1), "ticket_site_1")
	ledger(t, site, `"status": "in_progress"`)

	pod, before := w.Pod(), *w.Bridge.Status.Credentials.HMAC
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"now"}}}`, v1alpha1.AnnotationRotateNow)
	fatal(t, world.Cluster.Patch(t.Context(), w.Bridge, client.RawPatch(types.MergePatchType, []byte(patch))))
	number := 1
	world.Eventually(t, 4*time.Minute, "both keys are new, and the old one has gone", func() (bool, string) {
		number++
		ordered(w, site, number)
		fatal(t, world.Cluster.Get(t.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge))
		now := w.Bridge.Status.Credentials.HMAC
		return now.CurrentKeyID != before.CurrentKeyID && now.Phase == v1alpha1.RotationStable, fmt.Sprintf("%+v", *now)
	})
	ordered(w, site, number+1)
	w.SameBot(pod)
	w.WaitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, "", time.Minute)
	if r := w.Report(); len(r.FramesRefused) > 0 {
		t.Errorf("frames were refused: %v", r.FramesRefused)
	}
	ledger(t, site, fmt.Sprintf(`"telegram_ticket": "ticket_site_%d"`, number+1))
}

// A site goes back to version 1 and forth again, and nobody notices: not the brief's site on the same operator, nor the person in front of it.
func TestADjangoSiteGoesBackAndForth(t *testing.T) {
	w := world.New(t)
	site, start := daphneFor(w, django.Portal)
	start()
	w.Apply()
	for number, protocols := range []string{"v2", "v1", "v2,v1"} {
		if number > 0 {
			fatal(t, site.Kill())
			site.Environment = append(site.Environment, "FEEDBACK_BRIDGE_PROTOCOLS="+protocols)
			start()
		}
		ordered(w, site, number+1)
		speaks(w, protocols[:2])
	}
	all := w.Telegram.Messages(world.Group)
	pressAndCheck(w, all[0], "ticket_site_1")
	ledger(t, site, `"status": "in_progress"`)
	person.Path(t, "ru", "http://"+site.Address()+"/", w.APIURL+"/#"+strconv.FormatInt(world.Group, 10), t.TempDir())
}

// speaks waits until the bridge's status has a version of the protocol.
func speaks(w *world.World, version string) {
	w.T.Helper()
	world.Eventually(w.T, time.Minute, "status.connection.protocol is "+version, func() (bool, string) {
		fatal(w.T, world.Cluster.Get(w.T.Context(), client.ObjectKeyFromObject(w.Bridge), w.Bridge))
		c := w.Bridge.Status.Connection
		return c != nil && c.Protocol == version, fmt.Sprintf("%+v", c)
	})
}

// ordered has the site create a feedback of a number, and waits for its post.
func ordered(w *world.World, site *django.Site, number int) telegram.Message {
	w.T.Helper()
	out, err := site.Manage(w.T.Context(), "burst", "--plain", "--first", fmt.Sprint(number), "--count", "1")
	fatal(w.T, err)
	if !strings.Contains(string(out), `"committed": true`) {
		w.T.Fatalf("%s", out)
	}
	return posted(w, fmt.Sprintf("[%d]", number))
}

// ledger waits until the site's list of feedback has a text.
func ledger(t *testing.T, site *django.Site, text string) {
	t.Helper()
	world.Eventually(t, time.Minute, "the site has "+text, func() (bool, string) {
		out, err := site.Manage(t.Context(), "ledger")
		fatal(t, err)
		return strings.Contains(string(out), text), string(out)
	})
}
