// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// A pod has ten seconds to end, and a Lease to give back.
func TestADatabaseThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	w := newDatabaseWorld(t)
	road := pgtest.NewRoad(t)
	writeFile(t, w.files.credentials, v1alpha1.FilePostgresDSN, road.DSN)
	stop := w.launch(w.files)
	w.says(w.files, "the bot works", isConnected)
	w.carry(1)
	held := road.Freeze()
	if _, err := w.site.Send(map[string]any{"feedback_id": 2, "category": "bug", "message": "text"}); err != nil {
		t.Fatal(err)
	}
	<-held
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = stop() // what it may say of the database is not asked for
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it waits for the database")
		road.Thaw()
		<-ended
	}
}
