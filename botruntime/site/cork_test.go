// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// writes records what a connection is given, write by write.
type writes struct {
	net.Conn
	all  [][]byte
	fail error
}

func (w *writes) Write(p []byte) (int, error) {
	if w.fail != nil {
		return 0, w.fail
	}
	w.all = append(w.all, bytes.Clone(p))
	return len(p), nil
}

func TestCorkedConn(t *testing.T) {
	inner := &writes{}
	conn := newCorkedConn(inner)
	write := func(p string) {
		t.Helper()
		if n, err := conn.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("wrote %d of %d: %v", n, len(p), err)
		}
	}
	want := func(all ...string) {
		t.Helper()
		if len(inner.all) != len(all) {
			t.Fatalf("%d writes, want %d", len(inner.all), len(all))
		}
		for i := range all {
			if string(inner.all[i]) != all[i] {
				t.Errorf("write %d: %.20q, want %.20q", i, inner.all[i], all[i])
			}
		}
	}
	write("at once")
	want("at once")
	conn.cork()
	write("a")
	write("b")
	want("at once")
	if err := conn.uncork(); err != nil {
		t.Fatal(err)
	}
	want("at once", "ab")
	if err := conn.uncork(); err != nil {
		t.Fatal(err)
	}
	write("c")
	want("at once", "ab", "c")
	large := string(make([]byte, corkSize))
	conn.cork()
	write("d")
	write(large)
	want("at once", "ab", "c", "d"+large)

	inner.fail = errors.New("gone")
	write("e")
	if err := conn.uncork(); !errors.Is(err, inner.fail) {
		t.Errorf("uncork: %v", err)
	}
}
