// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// requestTimeout bounds a call of the API server.
const requestTimeout = 30 * time.Second

// session is what a command works with.
type session struct {
	client    client.Client
	exec      executor
	namespace string // the one that was asked for, or the context's
	out       io.Writer
	now       func() time.Time
	poll      time.Duration // between two looks at what is waited for
}

// connectFlags are kubectl's flags by which a cluster and a namespace are found.
type connectFlags struct {
	kubeconfig, context, namespace string
}

func (f *connectFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "path of the kubeconfig; $KUBECONFIG or ~/.kube/config unless given")
	cmd.Flags().StringVar(&f.context, "context", "", "the kubeconfig's context; its current one unless given")
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "the namespace; the context's unless given")
}

func (f *connectFlags) connect(cmd *cobra.Command, version string) (*session, error) {
	quiet()
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: f.context}
	overrides.Context.Namespace = f.namespace
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.UserAgent = fieldManager + "/" + version
	config.Timeout = requestTimeout
	config.QPS = -1 // the server has its own limits, and a person makes few requests
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("set up the client: %w", err)
	}
	return &session{
		client: c, exec: &webSocketExecutor{config: config}, namespace: namespace,
		out: printable{cmd.OutOrStdout()}, now: time.Now, poll: time.Second,
	}, nil
}

// newScheme knows the types that the plug-in reads.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, coordinationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register types: %w", err)
		}
	}
	return scheme, nil
}
