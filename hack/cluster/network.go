// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
)

const (
	bridgeName = "fbb-cluster"
	natTable   = "fbb-cluster"
	forwarding = "/proc/sys/net/ipv4/ip_forward"
)

// raiseNetwork makes the bridge that pods hang on, lets the kernel forward, and lets pods reach the world under the
// machine's own address. It can be called again.
func (s settings) raiseNetwork(ctx context.Context, l layout) error {
	if _, err := net.InterfaceByName(bridgeName); err != nil {
		if err := run(ctx, "ip", "link", "add", bridgeName, "type", "bridge"); err != nil {
			return err
		}
	}
	prefix := s.PodNetwork[strings.IndexByte(s.PodNetwork, '/'):]
	if err := run(ctx, "ip", "address", "replace", s.BridgeAddress+prefix, "dev", bridgeName); err != nil {
		return err
	}
	if err := run(ctx, "ip", "link", "set", bridgeName, "up"); err != nil {
		return err
	}
	if err := rememberForwarding(l); err != nil {
		return err
	}
	if err := os.WriteFile(forwarding, []byte("1"), 0); err != nil {
		return fmt.Errorf("switch IP forwarding on: %w", err)
	}
	rules := fmt.Sprintf(`table ip %[1]s
delete table ip %[1]s
table ip %[1]s {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr %[2]s ip daddr != %[2]s masquerade
	}
}
`, natTable, s.PodNetwork)
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	return runQuietly(cmd)
}

// rememberForwarding keeps the setting that was there before the cluster came, once.
func rememberForwarding(l layout) error {
	remembered := l.run("ip_forward.before")
	if _, err := os.Stat(remembered); err == nil {
		return nil
	}
	before, err := os.ReadFile(forwarding)
	if err != nil {
		return fmt.Errorf("read the forwarding setting: %w", err)
	}
	return os.WriteFile(remembered, before, 0o600)
}

// removeNetwork takes back what raiseNetwork and kube-proxy did.
func removeNetwork(ctx context.Context, l layout) error {
	var errs []error
	if _, err := net.InterfaceByName(bridgeName); err == nil {
		errs = append(errs, run(ctx, "ip", "link", "delete", bridgeName))
	}
	tables, err := nftTables(ctx)
	errs = append(errs, err)
	for _, t := range tables {
		if t.Name == natTable || t.Name == "kube-proxy" {
			errs = append(errs, run(ctx, "nft", "delete", "table", t.Family, t.Name))
		}
	}
	before, err := os.ReadFile(l.run("ip_forward.before"))
	switch {
	case err == nil:
		errs = append(errs, os.WriteFile(forwarding, before, 0))
	case !errors.Is(err, fs.ErrNotExist):
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

type nftTable struct{ Family, Name string }

func nftTables(ctx context.Context) ([]nftTable, error) {
	output, err := exec.CommandContext(ctx, "nft", "--json", "list", "tables").Output()
	if err != nil {
		return nil, fmt.Errorf("list nft tables: %w", err)
	}
	return parseNftTables(output)
}

func parseNftTables(output []byte) ([]nftTable, error) {
	var listing struct {
		Nftables []struct{ Table *nftTable }
	}
	if err := json.Unmarshal(output, &listing); err != nil {
		return nil, fmt.Errorf("read nft's tables: %w", err)
	}
	var tables []nftTable
	for _, entry := range listing.Nftables {
		if entry.Table != nil {
			tables = append(tables, *entry.Table)
		}
	}
	return tables, nil
}

// run runs a command whose output matters only when it fails.
func run(ctx context.Context, name string, args ...string) error {
	return runQuietly(exec.CommandContext(ctx, name, args...))
}
