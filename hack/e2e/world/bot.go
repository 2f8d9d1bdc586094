// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package world

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// Pod is the bot's one pod that is not on its way out.
func (w *World) Pod() *corev1.Pod {
	w.T.Helper()
	var found *corev1.Pod
	Eventually(w.T, 30*time.Second, "one pod of the bot", func() (bool, string) {
		found = nil
		n := 0
		for _, p := range Pods(w.T, w.Namespace, client.MatchingLabels{v1alpha1.LabelBridge: w.Name}) {
			if p.DeletionTimestamp == nil {
				found, n = &p, n+1
			}
		}
		return n == 1, fmt.Sprintf("%d pods", n)
	})
	return found
}

// SameBot fails unless the bot's pod is the one given, and was not restarted since.
func (w *World) SameBot(before *corev1.Pod) {
	w.T.Helper()
	now := w.Pod()
	if now.UID != before.UID || now.Status.ContainerStatuses[0].RestartCount != before.Status.ContainerStatuses[0].RestartCount {
		w.T.Errorf("the bot was restarted")
	}
}

// Report is what the bot last said of itself.
func (w *World) Report() v1alpha1.BotReport {
	w.T.Helper()
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: w.Namespace, Name: v1alpha1.BotName(w.Name)}
	if err := Cluster.Get(context.Background(), key, lease); err != nil {
		w.T.Fatalf("read the lease: %v", err)
	}
	return decodeReport(w.T, lease.Annotations[v1alpha1.AnnotationReport])
}

// SiteKey is the key that the site should sign with, by the Secret that the operator writes for it.
func (w *World) SiteKey() string {
	w.T.Helper()
	s := &corev1.Secret{}
	key := client.ObjectKey{Namespace: w.Namespace, Name: w.Bridge.SiteSecretName()}
	if err := Cluster.Get(w.T.Context(), key, s); err != nil {
		w.T.Fatalf("read the site's Secret: %v", err)
	}
	value := string(s.Data[v1alpha1.SiteHMACKey])
	w.Confidential[value] = "secret " + key.Name + ", key " + v1alpha1.SiteHMACKey
	return value
}

// BotProcess finds the bot's process on this machine, which is the cluster's node.
func (w *World) BotProcess() int {
	w.T.Helper()
	var pid int
	Eventually(w.T, 30*time.Second, "the bot's process", func() (bool, string) {
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return false, err.Error()
		}
		for _, file := range files {
			// A process may end while it is looked at; then it is not the one.
			args, err := os.ReadFile(file)
			if err != nil || !strings.HasPrefix(string(args), "/feedbackbridge-bot\x00run\x00") ||
				!strings.Contains(string(args), "\x00"+v1alpha1.BotName(w.Name)+"\x00") {
				continue
			}
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return err == nil, "its pid is not a number"
		}
		return false, "not found in /proc"
	})
	return pid
}

func decodeReport(t *testing.T, annotation string) v1alpha1.BotReport {
	t.Helper()
	var report v1alpha1.BotReport
	if err := json.Unmarshal([]byte(annotation), &report); err != nil {
		t.Fatalf("decode the report %q: %v", annotation, err)
	}
	return report
}
