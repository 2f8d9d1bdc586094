// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package pgtest starts a real PostgreSQL for tests: Debian's, in a directory of its own, on a unix socket.
package pgtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotInstalled means that this machine has no PostgreSQL.
var ErrNotInstalled = errors.New("PostgreSQL's initdb and postgres are neither in the PATH nor in /usr/lib/postgresql: install the package postgresql")

// find looks for one of PostgreSQL's programs: in the PATH, and where Debian puts them, the newest version first.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if err != nil || len(found) == 0 {
		return "", ErrNotInstalled
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) }), nil
}

// version is that of a program of Debian's.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for what is no number
	return n
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Main runs a package's tests, and stops the server that they may have started. It returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			return max(code, 1)
		}
	}
	return code
}

// DSN is the address of the package's server, which the first call starts. The test is skipped where PostgreSQL is not
// installed, but not in continuous integration (CI is set): there it fails.
func DSN(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = Start() })
	if errors.Is(shared.err, ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server.DSN
}

// Database is the DSN of an empty database of the same server.
func Database(t testing.TB) string {
	t.Helper()
	dsn := DSN(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the server ends soon
	name := fmt.Sprintf("test%d", time.Now().UnixNano())
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(dsn, "dbname=postgres", "dbname="+name, 1)
}

// Server is a running PostgreSQL.
type Server struct {
	// DSN is its address, and that of an empty database.
	DSN string

	dir  string
	cmd  *exec.Cmd
	done chan error
}

const startTimeout = 60 * time.Second

// Start makes a database cluster in a new directory and runs a server on it, which ends with this process at the latest.
func Start() (_ *Server, err error) {
	initdb, err1 := find("initdb")
	postgres, err2 := find("postgres")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	who, err := account()
	if err != nil {
		return nil, err
	}
	s := &Server{done: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	if who != nil {
		if err := os.Chown(s.dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(s.dir, "data")
	out, err := s.command(who, initdb, "-D", data, "-U", "bot", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := s.run(s.command(who, postgres, "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50")); err != nil {
		return nil, err
	}
	s.DSN = "host=" + s.dir + " user=bot dbname=postgres"
	return s, s.wait()
}

// account is who the server runs as, where this process is root's: PostgreSQL refuses to be root's.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func (s *Server) command(who *syscall.Credential, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) // #nosec G204 -- found in the PATH
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	// SIGQUIT has PostgreSQL end at once, with all its processes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	return cmd
}

// run starts the server from a thread that lives as long as it does: the death of the thread is what it hears of.
func (s *Server) run(cmd *exec.Cmd) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			s.done <- cmd.Wait()
			close(s.done)
		}
		_ = log.Close() // it was written by others
	}()
	s.cmd = cmd
	return <-started
}

// wait returns once the server answers.
func (s *Server) wait() error {
	deadline := time.Now().Add(startTimeout)
	for {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		conn, err := pgx.Connect(ctx, s.DSN)
		cancel()
		if err == nil {
			return conn.Close(context.Background())
		}
		select {
		case exit := <-s.done:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL ended: %w\n%s", errors.Join(exit, err), strings.TrimSpace(string(log)))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("PostgreSQL does not answer: %w", err), s.Stop())
		}
	}
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	for range s.done { // how it ended is what it was told
	}
	return os.RemoveAll(s.dir)
}
