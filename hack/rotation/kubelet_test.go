// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// How late a changed Secret reaches a pod's directory. A real kubelet may need more than a minute; all times are scaled.
const (
	leastLateness = 100 * time.Millisecond
	mostLateness  = 1500 * time.Millisecond
)

// kubelet runs one bridge's bot as the Deployment says: the volumes as directories, the program as a process.
type kubelet struct {
	w      *world
	bridge string
	dir    string
	dice   *rand.Rand

	template   corev1.PodTemplateSpec // that the bot was started by
	generation int64                  // of the Deployment when its template was last looked at
	process    *exec.Cmd
	ended      chan struct{} // closed when the process ended
	log        string
	exit       error // after ended
	// projected are the credentials directory's files, and version the folder that they are in.
	projected map[string][]byte
	version   int
	// token is the token in the directory.
	token atomic.Pointer[string]
	// tokenLeft is the shortest that the token in the directory was ever still valid for.
	tokenLeft time.Duration
}

func newKubelet(w *world, bridge string, number int) *kubelet {
	return &kubelet{w: w, bridge: bridge, dir: filepath.Join(w.dir, bridge), dice: source(w.seed, "kubelet", number), ended: make(chan struct{}), tokenLeft: time.Hour}
}

// path is where a volume is.
func (k *kubelet) path(volume string) string { return filepath.Join(k.dir, volume) }

// state is the bot's state directory.
func (k *kubelet) state() string { return k.path("state") }

// run starts the bot as soon as there is all that its pod needs, and keeps its credentials up to date until ctx ends.
func (k *kubelet) run(ctx context.Context) {
	if !until(ctx, func() bool { return k.start(ctx) }) {
		return
	}
	var due time.Time
	for pause(ctx, glance) {
		files, err := k.credentials()
		switch {
		case err != nil || maps.EqualFunc(files, k.projected, bytes.Equal):
			due = time.Time{} // what is missing leaves the directory as it is, as in a real pod
		case due.IsZero():
			due = time.Now().Add(between(k.dice, leastLateness, mostLateness))
		case time.Now().After(due):
			due = time.Time{}
			if err := k.project(files); err != nil {
				k.w.done.fail("%s: project the credentials: %v", k.bridge, err)
				return
			}
		}
		k.checkTemplate()
		k.checkToken()
	}
}

// checkToken notes how long the bot's token is still valid.
func (k *kubelet) checkToken() {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(string(k.projected[v1alpha1.FileJWT]), &claims); err == nil {
		k.tokenLeft = min(k.tokenLeft, time.Until(claims.ExpiresAt.Time))
	}
}

// checkTemplate fails where the operator asks for another pod: that would restart the bot.
func (k *kubelet) checkTemplate() {
	var d appsv1.Deployment
	if !k.w.read(v1alpha1.BotName(k.bridge), &d) || d.Generation == k.generation {
		return
	}
	k.generation = d.Generation
	if d.Spec.Template.String() != k.template.String() {
		k.template = d.Spec.Template
		k.w.done.restarts.Add(1)
		k.w.done.fail("%s: the pod's template changed, which restarts the bot", k.bridge)
	}
}

// start prepares the pod's volumes and runs its command; false while something is missing.
func (k *kubelet) start(ctx context.Context) bool {
	var d appsv1.Deployment
	var config corev1.ConfigMap
	bot := v1alpha1.BotName(k.bridge)
	if !k.w.read(bot, &d) || !k.w.read(bot, &config) || !k.w.read(bot, &corev1.ServiceAccount{}) {
		return false
	}
	k.template, k.generation = d.Spec.Template, d.Generation
	files, err := k.credentials()
	if err != nil {
		return false
	}
	err = errors.Join(
		writeFiles(k.path("bridge"), config.Data), os.MkdirAll(k.state(), 0o700), os.MkdirAll(k.path("credentials"), 0o700),
		k.project(files), k.serviceAccount(ctx), k.exec(),
	)
	if err == nil {
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		err = k.w.client.Status().Update(ctx, &d)
	}
	if err != nil {
		k.w.done.fail("%s: start the bot: %v", k.bridge, err)
	}
	return true
}

// credentials are the files that the pod's credentials volume should hold; an error says what is missing.
func (k *kubelet) credentials() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, volume := range k.template.Spec.Volumes {
		if volume.Name != "credentials" || volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			var secret corev1.Secret
			if source.Secret == nil || !k.w.read(source.Secret.Name, &secret) {
				return nil, fmt.Errorf("a source is missing: %v", source.Secret)
			}
			for key, value := range secret.Data {
				if len(source.Secret.Items) == 0 {
					files[key] = value
				}
			}
			for _, item := range source.Secret.Items {
				value, ok := secret.Data[item.Key]
				if !ok {
					return nil, fmt.Errorf("Secret %s has no %s", secret.Name, item.Key)
				}
				files[item.Path] = value
			}
		}
	}
	return files, nil
}

// project makes the credentials directory hold the files, as kubelet's atomic writer does: a new folder, to which the link
// ..data is moved in one step.
func (k *kubelet) project(files map[string][]byte) error {
	dir := k.path("credentials")
	k.version++
	folder := fmt.Sprintf("..version_%d", k.version)
	text := make(map[string]string, len(files))
	for name, value := range files {
		text[name] = string(value)
	}
	if err := writeFiles(filepath.Join(dir, folder), text); err != nil {
		return err
	}
	before, _ := os.Readlink(filepath.Join(dir, "..data"))
	if err := os.Symlink(folder, filepath.Join(dir, "..data_tmp")); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		return err
	}
	var errs []error
	for name := range files {
		if _, there := k.projected[name]; !there {
			errs = append(errs, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
		}
	}
	for name := range k.projected {
		if _, there := files[name]; !there {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	if before != "" {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, before)))
	}
	k.projected = files
	k.token.Store(new(string(files[v1alpha1.FileJWT])))
	return errors.Join(errs...)
}

func writeFiles(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// serviceAccount writes what a pod has to speak to the API server with: the token of the bot's own account.
func (k *kubelet) serviceAccount(ctx context.Context) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: k.template.Spec.ServiceAccountName}}
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(3600))}}
	if err := k.w.client.SubResource("token").Create(ctx, account, token); err != nil {
		return fmt.Errorf("make the bot's token: %w", err)
	}
	return writeFiles(k.path("service-account"), map[string]string{
		"token": token.Status.Token, "ca.crt": string(k.w.config.CAData), "namespace": namespace,
	})
}

// exec runs the container's command, with the mounted folders in their places.
func (k *kubelet) exec() error {
	container := k.template.Spec.Containers[0]
	var places []string
	for _, m := range container.VolumeMounts {
		places = append(places, m.MountPath, k.path(m.Name))
	}
	places = append(places, container.Command[0], k.w.bot)
	command := slices.Clone(container.Command)
	for i := range command {
		command[i] = strings.NewReplacer(places...).Replace(command[i])
	}
	api, err := url.Parse(k.w.config.Host)
	if err != nil {
		return err
	}
	k.log = filepath.Join(k.dir, "log")
	log, err := os.Create(k.log)
	if err != nil {
		return err
	}
	k.process = exec.Command(command[0], append(command[1:], "--service-account", k.path("service-account"))...) //nolint:noctx // end stops it
	k.process.Stderr = log
	k.process.Env = append(os.Environ(), "POD_NAME="+k.bridge+"-pod", "POD_NAMESPACE="+namespace,
		"KUBERNETES_SERVICE_HOST="+api.Hostname(), "KUBERNETES_SERVICE_PORT="+api.Port())
	if err := k.process.Start(); err != nil {
		return errors.Join(err, log.Close())
	}
	go func() {
		defer close(k.ended)
		k.exit = errors.Join(k.process.Wait(), log.Close())
	}()
	return nil
}

// end stops the bot as a kubelet does; the error is that it ended before, or badly.
func (k *kubelet) end() error {
	if k.process == nil {
		return nil
	}
	select {
	case <-k.ended:
		return fmt.Errorf("the bot ended by itself: %w", k.exit)
	default:
	}
	if err := k.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-k.ended:
		return k.exit
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("the bot does not stop"), k.process.Process.Kill())
	}
}

// lines are those of the bot's log that hold a text.
func (k *kubelet) lines(text string) (found []string) {
	raw, err := os.ReadFile(k.log)
	if err != nil {
		k.w.done.fail("%s: read the bot's log: %v", k.bridge, err)
	}
	for line := range strings.Lines(string(raw)) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
