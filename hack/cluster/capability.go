// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// incapable is why a machine cannot run a cluster, in one line.
type incapable struct{ reason string }

func (e *incapable) Error() string { return "this machine cannot run the local cluster: " + e.reason }

// requirement is something of the machine's that the cluster uses, and the Debian package that brings it.
type requirement struct {
	pkg     string
	present func(ctx context.Context) bool
}

func command(name string) func(context.Context) bool {
	return func(context.Context) bool {
		_, err := exec.LookPath(name)
		return err == nil
	}
}

func existing(path string) func(context.Context) bool {
	return func(context.Context) bool {
		_, err := os.Stat(path)
		return err == nil
	}
}

var requirements = []requirement{
	{"iproute2", command("ip")},
	{"nftables", command("nft")},
	{"mount", command("umount")},
	{"containernetworking-plugins", existing("/usr/lib/cni/bridge")},
	{"gcc", command("gcc")},
	{"libc6-dev", existing("/usr/include/stdlib.h")},
	{"pkg-config", command("pkg-config")},
	{"libseccomp-dev", func(ctx context.Context) bool { return run(ctx, "pkg-config", "--exists", "libseccomp") == nil }},
	{"ca-certificates", existing("/etc/ssl/certs/ca-certificates.crt")},
}

// nativeCapable installs what is missing and says, as *incapable, why the machine cannot run Kubernetes's programs itself.
func nativeCapable(ctx context.Context, p *progress) error {
	switch {
	case runtime.GOOS != "linux":
		return &incapable{"it is not Linux"}
	case os.Getuid() != 0:
		return &incapable{"containers need root"}
	}
	if err := installPackages(ctx, p); err != nil {
		return err
	}
	return kernelCapable(ctx)
}

func installPackages(ctx context.Context, p *progress) error {
	var absent []string
	for _, r := range requirements {
		if !r.present(ctx) {
			absent = append(absent, r.pkg)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	names := strings.Join(absent, " ")
	if !command("apt-get")(ctx) {
		return &incapable{"these Debian packages, or what they hold, are missing, and there is no apt-get: " + names}
	}
	return p.step("installing "+names, 30*time.Second, func() error {
		if err := run(ctx, "apt-get", "update"); err != nil {
			return err
		}
		install := exec.CommandContext(ctx, "apt-get", append([]string{"install", "--yes", "--no-install-recommends"}, absent...)...)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return runQuietly(install)
	})
}

// kernelCapable tries the kernel's features by using them.
func kernelCapable(ctx context.Context) error {
	filesystems, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return fmt.Errorf("read the kernel's file systems: %w", err)
	}
	if !slices.Contains(strings.Fields(string(filesystems)), "overlay") && run(ctx, "modprobe", "overlay") != nil {
		return &incapable{"the kernel has no overlay file system"}
	}
	if missing := missingControllers(); len(missing) > 0 {
		return &incapable{"these control groups are missing: " + strings.Join(missing, " ")}
	}
	const probe = "fbb-probe"
	for _, kind := range []string{"bridge", "veth"} {
		if err := run(ctx, "ip", "link", "add", probe, "type", kind); err != nil {
			return &incapable{"no network interface of type " + kind + " can be made"}
		}
		if err := run(ctx, "ip", "link", "delete", probe); err != nil {
			return fmt.Errorf("remove the probe's interface: %w", err)
		}
	}
	if _, err := nftTables(ctx); err != nil {
		return &incapable{"the kernel has no nftables"}
	}
	return nil
}

// missingControllers looks for what the kubelet needs in both versions of control groups.
func missingControllers() []string {
	unified, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	return slices.DeleteFunc([]string{"cpu", "cpuset", "memory", "pids"}, func(name string) bool {
		if err == nil {
			return slices.Contains(strings.Fields(string(unified)), name)
		}
		_, err := os.Stat("/sys/fs/cgroup/" + name)
		return err == nil
	})
}

// isIncapable says whether err is about what the machine lacks.
func isIncapable(err error) bool {
	var e *incapable
	return errors.As(err, &e)
}
