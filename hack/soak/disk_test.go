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

// sufferFullDisk fills the disk, and makes room again after the bot was killed and started with a full disk. All the while it has to say what
// keeps it from working, and then to go on by itself.
func (w *world) sufferFullDisk() {
	w.fillDisk()
	w.saysThatItIsFull("when it runs")
	w.kill()
	w.startBot()
	w.saysThatItIsFull("when it starts")
	if bot := w.running(); bot.ended() {
		w.fail("the bot ended because its disk is full: %v\n%s", bot.err, tail(w.logFile()))
	}
	must(w.t, os.Remove(w.ballast()))
	if w.running().ended() {
		w.startBot()
	}
}

func (w *world) saysThatItIsFull(when string) {
	if !poll(30*time.Second*slowness, func() bool {
		answer, err := health.Ask(w.t.Context(), w.state())
		return err == nil && answer.Report.Storage != nil && answer.Report.Storage.Reason == v1alpha1.ReasonStorageFull
	}) {
		w.fail("the bot does not say %s that its disk is full\n%s", when, tail(w.logFile()))
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
