// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/controllers"
)

const (
	operatorNamespace = "feedbackbridge-system"
	operatorAccount   = "feedbackbridge-operator"
)

// plane is a kube-apiserver with an etcd of its own, in which nothing has been done yet.
type plane struct {
	env *envtest.Environment
	// admin is people's, kubelets' and bots' client, which no limit of the API server holds up.
	admin client.WithWatch
	// account is the operator's own account, with the rights of config/rbac. The bare client uses it too.
	account    *rest.Config
	kubeconfig string
	requests   *requests
	stopAudit  func() error
	// http is the admin's client, for the API server's own metrics.
	http *http.Client
}

// auditPolicy notes what the operator's account does.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: None, verbs: [watch]}
- {level: %s, users: ["system:serviceaccount:` + operatorNamespace + `:` + operatorAccount + `"]}
- {level: None}
`

// startPlane starts an API server that keeps its files in dir, and notes the operator's requests at an audit level.
func startPlane(ctx context.Context, dir, auditLevel string) (*plane, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	policy, log := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, fmt.Appendf(nil, auditPolicy, auditLevel), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return nil, err
	}
	p := &plane{env: &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		// Long: on a busy machine the API server takes its time, which no figure includes.
		ControlPlaneStartTimeout: 2 * time.Minute,
	}}
	p.env.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", policy).
		Append("audit-log-path", log).
		Append("audit-log-maxsize", "4096")
	p.env.ControlPlane.Etcd = &envtest.Etcd{}
	p.env.ControlPlane.Etcd.Configure().Append("unsafe-no-fsync").Append("quota-backend-bytes", "8589934592")
	config, err := p.env.Start()
	if err != nil {
		return nil, fmt.Errorf("start kube-apiserver and etcd: %w", err)
	}
	p.requests, p.stopAudit = followAudit(ctx, log)
	if err := p.open(ctx, config, dir); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *plane) stop() error {
	return errors.Join(p.env.Stop(), p.stopAudit())
}

// cpu is the CPU time that the API server has used.
func (p *plane) cpu(ctx context.Context) (time.Duration, error) {
	s, err := scrapeMetrics(ctx, p.http, strings.TrimSuffix(p.account.Host, "/")+"/metrics")
	return time.Duration(s.values[cpuSeconds] * float64(time.Second)), err
}

// open makes the clients and the operator's account.
func (p *plane) open(ctx context.Context, config *rest.Config, dir string) error {
	config = rest.CopyConfig(config)
	config.QPS = -1
	var err error
	if p.admin, err = client.NewWithWatch(config, client.Options{Scheme: controllers.Scheme()}); err != nil {
		return err
	}
	if p.http, err = rest.HTTPClientFor(config); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join("config", "rbac", "role.yaml"))
	if err != nil {
		return err
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(text, &role); err != nil {
		return fmt.Errorf("read config/rbac/role.yaml: %w", err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorAccount}}
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(6 * 3600))}}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}, account, &role,
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: operatorAccount}},
		},
	} {
		if err := p.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	if err := p.admin.SubResource("token").Create(ctx, account, token); err != nil {
		return fmt.Errorf("make the operator's token: %w", err)
	}
	p.account = rest.AnonymousClientConfig(config)
	p.account.QPS, p.account.BearerToken = -1, token.Status.Token
	p.kubeconfig = filepath.Join(dir, "kubeconfig")
	return writeKubeconfig(p.kubeconfig, p.account)
}

func writeKubeconfig(path string, c *rest.Config) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["load"] = &clientcmdapi.Cluster{Server: c.Host, CertificateAuthorityData: c.CAData}
	config.AuthInfos["load"] = &clientcmdapi.AuthInfo{Token: c.BearerToken}
	config.Contexts["load"] = &clientcmdapi.Context{Cluster: "load", AuthInfo: "load"}
	config.CurrentContext = "load"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write the operator's kubeconfig: %w", err)
	}
	return nil
}
