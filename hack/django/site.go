// SPDX-License-Identifier: Apache-2.0

package django

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
)

// Site is a Django project under daphne.
type Site struct {
	*process.Process
	// Project is the directory that the project is run in, Application its ASGI application, and Environment its settings.
	Project, Application string
	Environment          []string
	// Flags are daphne's.
	Flags []string

	dir, address string
}

// Settings are what the sites of this repository are told by their environment.
type Settings struct {
	// Redis is the channel layer's address.
	Redis string
	// Database is the file of an SQLite database, or the address of a PostgreSQL ("host=... user=... dbname=...").
	Database string
	// JWTSecret is what the bot's token is signed with (HS256), HMACKey what frames are.
	JWTSecret, HMACKey string
	// Hosts are the hosts that the site is reached by, which an Origin has to be one of.
	Hosts string
	// Address is the host and port to listen at; empty takes a free one.
	Address string
	// More are further variables, as NAME=value.
	More []string
}

// Brief returns the site that the brief describes, in its own words. It needs SQLite. Its files go to dir.
func Brief(root, dir string, settings Settings) (*Site, error) {
	return newSite(dir, filepath.Join(root, "hack", "django-site", "brief"), "config.asgi:application", settings)
}

// Portal returns the project around the drop-in app.
func Portal(root, dir string, settings Settings) (*Site, error) {
	harness, err := filepath.Abs(filepath.Join(root, "hack", "django"))
	if err != nil {
		return nil, err
	}
	settings.More = append(slices.Clone(settings.More), "PYTHONPATH="+harness, "SITE_MORE_APPS=harness")
	return newSite(dir, filepath.Join(root, "hack", "django-site"), "portal.asgi:application", settings)
}

func newSite(dir, project, application string, settings Settings) (*Site, error) {
	address := settings.Address
	if address == "" {
		var err error
		if address, err = process.FreeAddress(); err != nil {
			return nil, err
		}
	}
	return &Site{Project: project, Application: application, dir: dir, address: address,
		Environment: append([]string{"SITE_REDIS=" + settings.Redis, "SITE_DATABASE=" + settings.Database, "SITE_JWT_SECRET=" + settings.JWTSecret,
			"SITE_HMAC_KEY=" + settings.HMACKey, "SITE_HOSTS=" + settings.Hosts, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}, settings.More...)}, nil
}

// Address is the host and port that it listens at. It stays the same when the site is started again.
func (s *Site) Address() string { return s.address }

// Log is the file that daphne writes to.
func (s *Site) Log() string { return filepath.Join(s.dir, "site.log") }

// python is Debian's interpreter, to which its packages belong, unless PYTHON names another one.
func python() string {
	if named := os.Getenv("PYTHON"); named != "" {
		return named
	}
	return "/usr/bin/python3"
}

func (s *Site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(python(), args...) // #nosec G204 -- the project is this repository's own
	cmd.Dir = s.Project
	cmd.Env = append(os.Environ(), s.Environment...)
	return cmd
}

// Start runs daphne.
func (s *Site) Start(ctx context.Context) (err error) {
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	args := append([]string{"-m", "daphne", "-b", host, "-p", port}, s.Flags...)
	if s.Process, err = process.Launch(s.command(append(args, s.Application)...), s.Log()); err != nil {
		return err
	}
	return process.AwaitListening(ctx, s.address, s.Process, s.Log())
}

// Kill ends daphne as a power cut does.
func (s *Site) Kill() error { return s.End(syscall.SIGKILL) }

// Manage runs a command of manage.py and returns what it prints.
func (s *Site) Manage(ctx context.Context, args ...string) ([]byte, error) {
	var out, complaints bytes.Buffer
	cmd := s.command(append([]string{"manage.py"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("manage.py %s: %w", args[0], err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // it may just have ended
	defer stop()
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("manage.py %s: %w\n%s%s", args[0], err, out.Bytes(), complaints.Bytes())
	}
	return out.Bytes(), nil
}

// Begin starts a command of manage.py that goes on by itself. Its output is cmd's standard output, where that is set by the caller.
func (s *Site) Begin(log string, set func(*exec.Cmd), args ...string) (*process.Process, error) {
	cmd := s.command(append([]string{"manage.py"}, args...)...)
	set(cmd)
	return process.Launch(cmd, log)
}
