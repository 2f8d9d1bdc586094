// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seedVariable repeats a run of TestAgainstPython.
const seedVariable = "WIRE_TEST_SEED"

// TestAgainstPython compares with the interpreter whose output the protocol
// is: what is accepted, and both canonical forms byte for byte. Only documents
// over our own limits are left out.
func TestAgainstPython(t *testing.T) {
	python := startPython(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(seedVariable); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	var accepted, refused, lone int
	for range 5000 {
		doc := g.document()
		want := python.ask(t, doc)
		v, err := Parse([]byte(doc), DefaultLimits())
		switch {
		case errors.Is(err, ErrLimit):
			continue
		case err != nil && !want.ok, err == nil && want.ok:
		default:
			t.Fatalf("%s=%d: %q: we say %v, CPython says %s", seedVariable, seed, doc, err, want)
		}
		if err != nil {
			refused++
			continue
		}
		accepted++
		if want.lone {
			lone++
		}
		if got := canonicalForms(t, v); got != want {
			t.Fatalf("%s=%d: %q:\nwe print      %s\nCPython prints %s", seedVariable, seed, doc, got, want)
		}
	}
	t.Logf("%s=%d: %d accepted, %d of them with lone surrogates, %d refused", seedVariable, seed, accepted, lone, refused)
	if accepted < 2000 || refused < 500 || lone < 200 {
		t.Errorf("the generator is out of balance")
	}
}

// forms is what a document is printed as.
type forms struct {
	ok, lone    bool
	ascii, utf8 string
	why         string
}

func (f forms) String() string {
	if !f.ok {
		return f.why
	}
	return fmt.Sprintf("%s | %q", f.ascii, f.utf8)
}

func canonicalForms(t testing.TB, v Value) forms {
	t.Helper()
	ascii, err := v.AppendCanonical(nil, FormASCII)
	if err != nil {
		t.Fatal(err)
	}
	utf8, err := v.AppendCanonical(nil, FormUTF8)
	if err != nil && !errors.Is(err, ErrLoneSurrogate) {
		t.Fatal(err)
	}
	return forms{ok: true, lone: err != nil, ascii: string(ascii), utf8: string(utf8)}
}

// python is a running testdata/canonical.py.
type python struct {
	in  io.Writer
	out *bufio.Reader
}

func startPython(t *testing.T) *python {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("not compared with CPython: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), path, "testdata/canonical.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // killed or not: what it had to say has been read
	})
	return &python{in: in, out: bufio.NewReader(out)}
}

func (p *python) ask(t *testing.T, doc string) forms {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, base64.StdEncoding.EncodeToString([]byte(doc))); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	line = strings.TrimSuffix(line, "\n")
	if strings.HasPrefix(line, "refused ") {
		return forms{why: line}
	}
	ascii, utf8, _ := strings.Cut(line, " ")
	f := forms{ok: true, lone: utf8 == "-", ascii: unbase64(t, ascii)}
	if !f.lone {
		f.utf8 = unbase64(t, utf8)
	}
	return f
}

func unbase64(t *testing.T, s string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	return string(b)
}
