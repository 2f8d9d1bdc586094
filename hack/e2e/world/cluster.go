// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package world

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// OperatorNamespace is where config/default puts the operator.
const OperatorNamespace = "feedbackbridge-system"

// Cluster is the local cluster that all tests share; Connect fills it in.
var Cluster struct {
	client.Client
	KubectlPath string
	Kubeconfig  string // path of the file
	HostAddress string // where pods reach this process
	AuditLog    string // path of the file; kind has none
}

// Connect loads the images, and fills in Cluster. The root is the repository's.
func Connect(ctx context.Context, root string) (err error) {
	tool := func(args ...string) string {
		if err != nil {
			return ""
		}
		var out string
		out, err = Output(ctx, filepath.Join(root, "bin", "cluster"), args...)
		return lastLine(out)
	}
	images := filepath.Join(root, "bin", "images")
	tool("load", filepath.Join(images, "operator.tar"), filepath.Join(images, "bot.tar"))
	Cluster.Kubeconfig = tool("kubeconfig")
	Cluster.AuditLog = filepath.Join(filepath.Dir(Cluster.Kubeconfig), "audit.log")
	Cluster.HostAddress = tool("host-address")
	Cluster.KubectlPath = filepath.Join(tool("binaries", "kubectl"), "kubectl")
	if err != nil {
		return err
	}
	return makeClient()
}

// InstallOperator installs config/default as a user would, and waits until it runs.
func InstallOperator(ctx context.Context, root string) error {
	if _, err := Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(root, "config", "default")); err != nil {
		return err
	}
	// The image's name stays the same, so a new image needs a new pod.
	if _, err := Kubectl(ctx, "-n", OperatorNamespace, "rollout", "restart", "deployment"); err != nil {
		return err
	}
	_, err := Kubectl(ctx, "-n", OperatorNamespace, "rollout", "status", "deployment", "--timeout=120s")
	return err
}

// RefuseBridgesOfOthers fails where there are bridges of somebody who uses the cluster otherwise, such as the demo's: tests that
// remove the CRD would remove these with it.
func RefuseBridgesOfOthers(ctx context.Context) error {
	var bridges v1alpha1.FeedbackBridgeList
	err := Cluster.List(ctx, &bridges)
	if meta.IsNoMatchError(err) {
		return nil
	}
	for i := range bridges.Items {
		if b := &bridges.Items[i]; !strings.HasPrefix(b.Namespace, "e2e-") {
			return fmt.Errorf("bridge %s/%s is on the cluster, and these tests would remove it: run 'make demo-down', or delete it", b.Namespace, b.Name)
		}
	}
	return err
}

func makeClient() error {
	config, err := clientcmd.BuildConfigFromFlags("", Cluster.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	Cluster.Client, err = client.New(config, client.Options{Scheme: scheme})
	return err
}

// Kubectl runs kubectl on the cluster, and returns what it wrote to stdout.
func Kubectl(ctx context.Context, args ...string) (string, error) {
	return Output(ctx, Cluster.KubectlPath, append([]string{"--kubeconfig", Cluster.Kubeconfig}, args...)...)
}

// Output runs a program, and returns what it wrote to stdout.
func Output(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// Eventually asks for a condition until it is met; why says, at the end of the wait, what is still wrong. It returns how
// long that took.
func Eventually(t *testing.T, within time.Duration, what string, met func() (ok bool, why string)) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, why := met()
		took := time.Since(began)
		if ok {
			return took
		}
		if took > within {
			t.Fatalf("not within %s: %s: %s", within, what, why)
		}
		<-tick.C
	}
}

// OperatorDeployment is the operator that InstallOperator installed.
func OperatorDeployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	list := &appsv1.DeploymentList{}
	if err := Cluster.List(context.Background(), list, client.InNamespace(OperatorNamespace)); err != nil || len(list.Items) != 1 {
		t.Fatalf("the operator's deployment: %d %v", len(list.Items), err)
	}
	return &list.Items[0]
}

// Pods lists the pods with certain labels.
func Pods(t *testing.T, namespace string, labels client.MatchingLabels) []corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	if err := Cluster.List(context.Background(), list, client.InNamespace(namespace), labels); err != nil {
		t.Fatalf("list pods: %v", err)
	}
	return list.Items
}
