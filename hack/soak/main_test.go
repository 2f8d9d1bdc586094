// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

const (
	// envPrivate marks the process that has a mount namespace of its own, envMonth the one that plays the bot of TestMonth.
	envPrivate = "SOAK_PRIVATE_MOUNTS"
	envMonth   = "SOAK_MONTH_BOT"
)

// TestMain runs the tests in a mount namespace of their own: a disk that can be filled is a tmpfs there, which nobody else
// sees and which goes with them.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(envMonth) != "":
		os.Exit(monthBot())
	case os.Getenv("SOAK_DATABASE") != "" || os.Getenv("SOAK_DSN") != "": // there is no disk to fill
	case os.Getenv(envPrivate) == "":
		if code, ok := withPrivateMounts(); ok {
			os.Exit(code)
		}
	case syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") != nil:
		if err := os.Unsetenv(envPrivate); err != nil {
			panic(err)
		}
	}
	code := pgtest.Main(m)
	if err := os.RemoveAll(builtIn); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// withPrivateMounts runs this program again in a namespace; ok is false where the machine does not allow that.
func withPrivateMounts() (code int, ok bool) {
	runtime.LockOSThread() // the child dies with the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), envPrivate+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return 0, false
	}
	var exit *exec.ExitError
	switch err := cmd.Wait(); {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1), true
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}
