// SPDX-License-Identifier: Apache-2.0

package django

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
)

// Redis is a server that keeps nothing on disk, as a channel layer's does not have to.
type Redis struct {
	*process.Process
	dir, address string
}

// StartRedis starts one on a free port. Its log goes to dir.
func StartRedis(ctx context.Context, dir string) (*Redis, error) {
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	r := &Redis{dir: dir, address: address}
	return r, r.Start(ctx)
}

// URL is the server's address. It stays the same when the server is started again.
func (r *Redis) URL() string { return "redis://" + r.address }

// Start starts it, empty.
func (r *Redis) Start(ctx context.Context) (err error) {
	host, port, err := net.SplitHostPort(r.address)
	if err != nil {
		return err
	}
	log := filepath.Join(r.dir, "redis.log")
	cmd := exec.Command("redis-server", "--bind", host, "--port", port, "--dir", r.dir, "--save", "", "--appendonly", "no") // #nosec G204
	if r.Process, err = process.Launch(cmd, log); err != nil {
		return err
	}
	return process.AwaitListening(ctx, r.address, r.Process, log)
}

// Kill ends it as a power cut does.
func (r *Redis) Kill() error { return r.End(syscall.SIGKILL) }
