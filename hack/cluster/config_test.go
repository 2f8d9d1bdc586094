// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

func testSettings(t *testing.T) settings {
	t.Helper()
	return newSettings(layout{state: t.TempDir()}, "/programs")
}

func TestConfigurationsAreWellFormed(t *testing.T) {
	s := testSettings(t)
	if err := s.writeConfigs(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]map[string]any{
		"kubelet.yaml": {
			"kind": "KubeletConfiguration", "address": s.BridgeAddress, "syncFrequency": "2s",
			"configMapAndSecretChangeDetectionStrategy": "Watch",
			"containerRuntimeEndpoint":                  "unix://" + s.ContainerdSocket,
		},
		"kube-proxy.yaml":  {"kind": "KubeProxyConfiguration", "mode": "nftables", "healthzBindAddress": "127.0.0.1:12256"},
		"audit.yaml":       {"kind": "Policy"},
		"cni/cni.conflist": {"name": "feedbackbridge-cluster"},
	} {
		t.Run(file, func(t *testing.T) {
			var parsed map[string]any
			if err := yaml.UnmarshalStrict(read(t, filepath.Join(s.Root, "config", file)), &parsed); err != nil {
				t.Fatal(err)
			}
			for key, value := range want {
				if diff := cmp.Diff(value, parsed[key]); diff != "" {
					t.Errorf("%s: %s", key, diff)
				}
			}
		})
	}
	for i, document := range strings.Split(string(read(t, filepath.Join(s.Root, "config", "addons.yaml"))), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil || object.Kind == "" || object.Metadata.Name == "" {
			t.Errorf("add-on %d is no object (%v):\n%s", i, err, document)
		}
	}
}

func TestConfigurationsAreWrittenOnlyWhenTheyChange(t *testing.T) {
	s := testSettings(t)
	if err := s.writeConfigs(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Root, "config", "kube-proxy.yaml")
	past := time.Unix(1000, 0)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	modified := func() time.Time {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	if err := s.writeConfigs(); err != nil || !modified().Equal(past) {
		t.Errorf("the same content was written again (%v)", err)
	}
	s.Node = "other"
	if err := s.writeConfigs(); err != nil || modified().Equal(past) {
		t.Errorf("other content was not written (%v)", err)
	}
}

func TestKeysAreMadeOnceAndKnowTheirHosts(t *testing.T) {
	s := testSettings(t)
	now := time.Now()
	for range 2 {
		if err := s.ensurePKI(now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	roots := x509.NewCertPool()
	ca := parseCertificate(t, read(t, filepath.Join(s.PKI, "ca.crt")))
	roots.AddCert(ca)
	if !ca.NotBefore.Before(now.Add(-90 * time.Minute)) {
		t.Error("the second call made new keys")
	}
	for _, id := range s.identities() {
		cert := parseCertificate(t, read(t, filepath.Join(s.PKI, id.file+".crt")))
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("%s as a client: %v", id.file, err)
		}
		for _, host := range id.hosts {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Errorf("%s as %s: %v", id.file, host, err)
			}
		}
		config, err := clientcmd.LoadFromFile(filepath.Join(s.PKI, id.file+".kubeconfig"))
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Clusters[config.CurrentContext].Server; got != "https://10.231.0.1:16443" {
			t.Errorf("the kubeconfig of %s is for %s", id.file, got)
		}
	}
}

func parseCertificate(t *testing.T, content []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatal("no PEM block")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
