// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/*"))

// settings are what the components' configurations are rendered from.
type settings struct {
	Root, Run, PKI, Binaries string // folders
	ContainerdSocket         string
	ShimSockets              string // folder

	Cluster, Node              string
	Bridge, BridgeAddress      string
	PodNetwork, ServiceNetwork string
	APIService, DNSService     string
	Ports                      ports
	PauseImage                 string
	StorageClass, Provisioner  string
}

// ports of the components: those of API, Kubelet and DNS are bound to the bridge's address, the others to loopback.
type ports struct {
	API, Kubelet, DNS                                  int
	EtcdClient, EtcdPeer                               int
	Controllers, Scheduler                             int
	KubeletHealth, ProxyHealth, ProxyMetrics, DNSReady int
}

// newSettings keeps clear of the networks and ports that other local clusters use by default.
func newSettings(l layout, binaries string) settings {
	return settings{
		Root: l.state, Run: l.run(), PKI: l.in("pki"), Binaries: binaries, ContainerdSocket: l.containerdSocket(),
		ShimSockets: shimSockets,
		Cluster:     "feedbackbridge", Node: "local",
		Bridge: bridgeName, BridgeAddress: "10.231.0.1", PodNetwork: "10.231.0.0/24",
		ServiceNetwork: "10.232.0.0/24", APIService: "10.232.0.1", DNSService: "10.232.0.10",
		Ports: ports{
			API: 16443, Kubelet: 10250, DNS: 10053,
			EtcdClient: 12379, EtcdPeer: 12380, Controllers: 12257, Scheduler: 12259,
			KubeletHealth: 12248, ProxyHealth: 12256, ProxyMetrics: 12249, DNSReady: 12181,
		},
		PauseImage:   "feedbackbridge.dev/pause:local",
		StorageClass: "local", Provisioner: provisionerName,
	}
}

// render fills in one of the templates.
func render(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// writeConfigs renders every component's configuration into config/.
func (s settings) writeConfigs() error {
	for name, folder := range map[string]string{
		"containerd.toml": "", "kubelet.yaml": "", "kube-proxy.yaml": "", "Corefile": "", "audit.yaml": "",
		"addons.yaml": "", "cni.conflist": "cni",
	} {
		content, err := render(name, s)
		if err != nil {
			return err
		}
		path := filepath.Join(s.Root, "config", folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make the folder of configurations: %w", err)
		}
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
			continue // kube-proxy ends when its file is written
		}
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // holds no secret
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

// kubeconfig renders a self-contained kubeconfig for the key pair called user in the PKI folder.
func (s settings) kubeconfig(user string) ([]byte, error) {
	encoded := make(map[string]string)
	for _, file := range []string{"ca.crt", user + ".crt", user + ".key"} {
		content, err := os.ReadFile(filepath.Join(s.PKI, file))
		if err != nil {
			return nil, fmt.Errorf("make the kubeconfig of %s: %w", user, err)
		}
		encoded[file] = base64.StdEncoding.EncodeToString(content)
	}
	return render("kubeconfig", struct {
		settings
		User, CA, Certificate, Key string
	}{s, user, encoded["ca.crt"], encoded[user+".crt"], encoded[user+".key"]})
}

// ensurePKI makes the cluster's keys and kubeconfigs once: they have to outlive a restart, as tokens and copies do.
func (s settings) ensurePKI(now time.Time) error {
	complete := filepath.Join(s.PKI, "complete")
	if _, err := os.Stat(complete); err == nil {
		return nil
	}
	if err := os.MkdirAll(s.PKI, 0o700); err != nil {
		return fmt.Errorf("make the folder of keys: %w", err)
	}
	ca, err := newAuthority(s.PKI, now)
	if err != nil {
		return err
	}
	for _, id := range s.identities() {
		if err := ca.issue(id); err != nil {
			return err
		}
		config, err := s.kubeconfig(id.file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.PKI, id.file+".kubeconfig"), config, 0o600); err != nil {
			return fmt.Errorf("write kubeconfig: %w", err)
		}
	}
	if err := writeNewKey(filepath.Join(s.PKI, "service-account.key")); err != nil {
		return err
	}
	return os.WriteFile(complete, nil, 0o600)
}

// identities are all who speak in the cluster; RBAC knows the names.
func (s settings) identities() []identity {
	const loopback = "127.0.0.1"
	return []identity{
		{file: "admin", user: "feedbackbridge-cluster:admin", groups: []string{"system:masters"}},
		{file: "kube-apiserver", user: "kube-apiserver", groups: []string{"system:masters"}, hosts: []string{
			loopback, "localhost", s.BridgeAddress, s.APIService,
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}},
		{file: "kube-controller-manager", user: "system:kube-controller-manager", hosts: []string{loopback}},
		{file: "kube-scheduler", user: "system:kube-scheduler", hosts: []string{loopback}},
		{file: "kube-proxy", user: "system:kube-proxy"},
		{file: "kubelet", user: "system:node:" + s.Node, groups: []string{"system:nodes"}, hosts: []string{s.BridgeAddress, s.Node}},
		{file: "coredns", user: "feedbackbridge-cluster:dns"},
		{file: "volumes", user: "feedbackbridge-cluster:volumes"},
	}
}
