// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
)

// diskSize is the size of the disk that the bot's state is on.
const diskSize = 512 << 20

func (w *world) ballast() string { return filepath.Join(w.state(), "ballast") }

// fillDisk leaves no room on the bot's disk, byte by byte in the end.
func (w *world) fillDisk() {
	f, err := os.OpenFile(w.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(w.t, err)
	defer f.Close()
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else {
			must(w.t, err)
		}
	}
}

// sufferFullDisk fills the disk, wants the bot to say so, kills it and has it start with a full disk, and makes room again. A bot that cannot
// start on a full disk is started again, as a kubelet would.
func (w *world) sufferFullDisk() {
	w.fillDisk()
	if !poll(30*time.Second*slowness, func() bool {
		answer, err := health.Ask(w.t.Context(), w.state())
		return err == nil && answer.Report.Storage != nil && answer.Report.Storage.Reason == v1alpha1.ReasonStorageFull
	}) {
		w.fail("the bot does not say that its disk is full\n%s", tail(w.logFile()))
	}
	w.kill()
	for w.startBot(); w.exits < 5 && poll(3*time.Second, w.running().ended); w.startBot() {
		w.exits++
	}
	must(w.t, os.Remove(w.ballast()))
	if w.running().ended() {
		w.startBot()
	}
}

// withoutSockets is a directory as far as it can be copied.
func withoutSockets(dir string) fs.FS { return plainFiles{os.DirFS(dir)} }

type plainFiles struct{ fs.FS }

// ReadDir leaves out what is neither a file nor a directory, and the ballast.
func (p plainFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(p.FS, name)
	var plain []fs.DirEntry
	for _, e := range all {
		if e.Name() != "ballast" && (e.IsDir() || e.Type().IsRegular()) {
			plain = append(plain, e)
		}
	}
	return plain, err
}
