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
	python := startPython(t, "testdata/canonical.py")
	g, seed := seededGenerator(t)
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

func seededGenerator(t *testing.T) (g *generator, seed uint64) {
	t.Helper()
	seed = uint64(time.Now().UnixNano())
	if s := os.Getenv(seedVariable); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0))}, seed
}

// TestSignaturesAgainstPython compares what is signed of a frame of version 2,
// and the signature, with what a site in Python makes of the same bytes.
func TestSignaturesAgainstPython(t *testing.T) {
	python, key := startPython(t, "testdata/sign_v2.py"), mustKey(t, "key")
	g, seed := seededGenerator(t)
	var verified, lone int
	for range 2000 {
		frame := envelopeV2(map[string]string{
			"data": `{"a":` + g.document() + `}`, "kid": `"` + key.ID() + `"`, "nonce": `"a \"\u0041\""`, "sig": `"",` + `"extra":` + g.document(),
		})
		e, err := DecodeV2([]byte(frame), ToBot, DefaultLimits())
		var invalid *InvalidMessageError
		if errors.As(err, &invalid) && !strings.Contains(err.Error(), ErrLoneSurrogate.Error()) {
			continue // the other test compares what is JSON
		}
		canonical, sig := python.sign(t, frame)
		if err != nil {
			if sig != "-" {
				t.Fatalf("%s=%d: %q: we say %v, CPython signs it", seedVariable, seed, frame, err)
			}
			lone++
			continue
		}
		signed, _ := e.appendSigned(nil)
		e.Sig = sig
		if _, err := e.Verify(NewKeyRing(key), time.Unix(testTS, 0), time.Minute); err != nil || string(signed) != canonical {
			t.Fatalf("%s=%d: %q: %v:\nwe sign      %s\nCPython signs %s", seedVariable, seed, frame, err, signed, canonical)
		}
		verified++
	}
	if verified < 200 || lone < 10 {
		t.Errorf("%s=%d: %d verified and %d with lone surrogates: the generator is out of balance", seedVariable, seed, verified, lone)
	}
}

func (p *python) sign(t *testing.T, frame string) (canonical, sig string) {
	t.Helper()
	canonical, sig, _ = strings.Cut(p.line(t, frame), " ")
	if sig == "-" {
		return "", sig
	}
	return unbase64(t, canonical), sig
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

// python is a running script of testdata.
type python struct {
	in  io.Writer
	out *bufio.Reader
}

func startPython(t *testing.T, script string) *python {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("not compared with CPython: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), path, script)
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

// line is a script's answer to a document.
func (p *python) line(t *testing.T, doc string) string {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, base64.StdEncoding.EncodeToString([]byte(doc))); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (p *python) ask(t *testing.T, doc string) forms {
	t.Helper()
	line := p.line(t, doc)
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
