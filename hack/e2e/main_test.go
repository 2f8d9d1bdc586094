// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// operatorNamespace is where config/default puts the operator.
const operatorNamespace = "feedbackbridge-system"

// cluster is the local cluster that all tests share.
var cluster struct {
	client.Client
	kubectl     string // path of the program
	kubeconfig  string
	hostAddress string // where pods reach this process
	auditLog    string
}

func TestMain(m *testing.M) {
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// prepare loads the images and installs the operator as a user would.
func prepare(ctx context.Context) (err error) {
	root := filepath.Join("..", "..")
	tool := func(args ...string) string {
		if err != nil {
			return ""
		}
		var out string
		out, err = output(ctx, filepath.Join(root, "bin", "cluster"), args...)
		return lastLine(out)
	}
	images := filepath.Join(root, "bin", "images")
	tool("load", filepath.Join(images, "operator.tar"), filepath.Join(images, "bot.tar"))
	cluster.kubeconfig = tool("kubeconfig")
	cluster.hostAddress = tool("host-address")
	cluster.kubectl = filepath.Join(tool("binaries", "kubectl"), "kubectl")
	if err != nil {
		return err
	}
	if err := connect(); err != nil {
		return err
	}
	if _, err := kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(root, "config", "default")); err != nil {
		return err
	}
	// The image's name stays the same, so a new image needs a new pod.
	if _, err := kubectl(ctx, "-n", operatorNamespace, "rollout", "restart", "deployment"); err != nil {
		return err
	}
	_, err = kubectl(ctx, "-n", operatorNamespace, "rollout", "status", "deployment", "--timeout=120s")
	return err
}

func connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", cluster.kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	cluster.Client, err = client.New(config, client.Options{Scheme: scheme})
	return err
}

func kubectl(ctx context.Context, args ...string) (string, error) {
	return output(ctx, cluster.kubectl, append([]string{"--kubeconfig", cluster.kubeconfig}, args...)...)
}

func output(ctx context.Context, program string, args ...string) (string, error) {
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

// eventually asks for a condition until it is met; why says, at the end of the wait, what is still wrong.
func eventually(t *testing.T, within time.Duration, what string, met func() (ok bool, why string)) time.Duration {
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

func operatorDeployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	list := &appsv1.DeploymentList{}
	if err := cluster.List(context.Background(), list, client.InNamespace(operatorNamespace)); err != nil || len(list.Items) != 1 {
		t.Fatalf("the operator's deployment: %d %v", len(list.Items), err)
	}
	return &list.Items[0]
}

func pods(t *testing.T, namespace string, labels client.MatchingLabels) []corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	if err := cluster.List(context.Background(), list, client.InNamespace(namespace), labels); err != nil {
		t.Fatalf("list pods: %v", err)
	}
	return list.Items
}
