// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// component is one process of the cluster.
type component struct {
	name   string
	args   []string
	env    []string
	health string // URL that answers 200 when it is well; empty where running is all that can be seen
}

// components are in the order in which they start, in groups that wait for the one before.
func (s settings) components(l layout) [][]component {
	kubeconfig := func(user string) string { return filepath.Join(s.PKI, user+".kubeconfig") }
	config := func(file string) string { return l.in("config", file) }
	loopback := func(scheme string, port int, path string) string {
		return scheme + "://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + path
	}
	etcd, peer := loopback("http", s.Ports.EtcdClient, ""), loopback("http", s.Ports.EtcdPeer, "")
	return [][]component{{
		{name: "etcd", health: etcd + "/health", args: []string{
			"--name=" + s.Node, "--data-dir=" + l.in("etcd"), "--unsafe-no-fsync", "--log-level=warn",
			"--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + s.Node + "=" + peer,
		}},
		{name: "containerd", args: []string{"--config=" + config("containerd.toml")},
			env: []string{"PATH=" + s.Binaries + ":" + os.Getenv("PATH")}},
	}, {
		s.apiServer(l, etcd),
	}, {
		{name: "kube-controller-manager", health: loopback("https", s.Ports.Controllers, "/healthz"),
			args: s.controllerManagerArgs(kubeconfig("kube-controller-manager"))},
		{name: "kube-scheduler", health: loopback("https", s.Ports.Scheduler, "/healthz"), args: append(
			s.servingArgs("kube-scheduler", s.Ports.Scheduler), "--leader-elect=false",
			"--kubeconfig="+kubeconfig("kube-scheduler"),
			"--authentication-kubeconfig="+kubeconfig("kube-scheduler"), "--authorization-kubeconfig="+kubeconfig("kube-scheduler"),
		)},
		{name: "kubelet", health: loopback("http", s.Ports.KubeletHealth, "/healthz"), args: []string{
			"--config=" + config("kubelet.yaml"), "--kubeconfig=" + kubeconfig("kubelet"), "--root-dir=" + l.in("kubelet"),
			"--hostname-override=" + s.Node, "--node-ip=" + s.BridgeAddress,
		}},
		{name: "kube-proxy", health: loopback("http", s.Ports.ProxyHealth, "/healthz"),
			args: []string{"--config=" + config("kube-proxy.yaml")}},
		{name: "coredns", health: loopback("http", s.Ports.DNSReady, "/ready"), args: []string{"-conf=" + config("Corefile")}},
		{name: "volumes", args: []string{"provision-volumes", "--kubeconfig=" + kubeconfig("volumes"), "--folder=" + l.in("volumes")}},
	}}
}

func (s settings) apiServer(l layout, etcd string) component {
	key := func(file string) string { return filepath.Join(s.PKI, file) }
	return component{
		name:   "kube-apiserver",
		health: fmt.Sprintf("https://%s:%d/readyz", s.BridgeAddress, s.Ports.API),
		args: []string{
			"--etcd-servers=" + etcd,
			"--bind-address=" + s.BridgeAddress, "--advertise-address=" + s.BridgeAddress, // loopback is refused as an endpoint
			"--secure-port=" + strconv.Itoa(s.Ports.API),
			"--service-cluster-ip-range=" + s.ServiceNetwork,
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
			"--client-ca-file=" + key("ca.crt"),
			"--tls-cert-file=" + key("kube-apiserver.crt"), "--tls-private-key-file=" + key("kube-apiserver.key"),
			"--kubelet-client-certificate=" + key("kube-apiserver.crt"), "--kubelet-client-key=" + key("kube-apiserver.key"),
			"--kubelet-certificate-authority=" + key("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + key("service-account.key"),
			"--service-account-signing-key-file=" + key("service-account.key"),
			"--audit-policy-file=" + l.in("config", "audit.yaml"), "--audit-log-path=" + l.auditLog(),
			"--audit-log-maxsize=200", "--audit-log-maxbackup=1",
		},
	}
}

func (s settings) controllerManagerArgs(kubeconfig string) []string {
	return append(s.servingArgs("kube-controller-manager", s.Ports.Controllers),
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--leader-elect=false", "--use-service-account-credentials=true",
		"--service-account-private-key-file="+filepath.Join(s.PKI, "service-account.key"),
		"--root-ca-file="+filepath.Join(s.PKI, "ca.crt"),
	)
}

func (s settings) servingArgs(name string, port int) []string {
	return []string{
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + filepath.Join(s.PKI, name+".crt"), "--tls-private-key-file=" + filepath.Join(s.PKI, name+".key"),
	}
}

// healthClient trusts the cluster's CA and speaks as its administrator.
func (s settings) healthClient() (*http.Client, error) {
	ca, err := os.ReadFile(filepath.Join(s.PKI, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read the CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA's file holds no certificate")
	}
	admin, err := tls.LoadX509KeyPair(filepath.Join(s.PKI, "admin.crt"), filepath.Join(s.PKI, "admin.key"))
	if err != nil {
		return nil, fmt.Errorf("read the administrator's key: %w", err)
	}
	return &http.Client{
		Timeout: 2 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{admin}, MinVersion: tls.VersionTLS12},
		},
	}, nil
}

// healthy asks a component how it is.
func (c component) healthy(ctx context.Context, client *http.Client) error {
	if c.health == "" {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.health, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", c.name, err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16)); err != nil {
		return fmt.Errorf("%s: read its health: %w", c.name, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", c.name, response.Status)
	}
	return nil
}
