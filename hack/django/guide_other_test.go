// SPDX-License-Identifier: Apache-2.0

package django

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// signable is what a language's code is given: a payload of version 1, or a frame of version 2.
type signable struct {
	Key     string `json:"key"`
	TS      int64  `json:"ts"`
	Nonce   string `json:"nonce"`
	Payload string `json:"payload"`            // JSON
	Frame   string `json:"envelope,omitempty"` // JSON, with or without its sig
}

// signed is what it has to say.
type signed struct {
	Canonical string `json:"canonical"`
	Sig       string `json:"sig"`
	KID       string `json:"kid,omitempty"`
}

// drivers call the code of docs/site-other.md, by the language of its block. Each is given a file with signables, and prints what it made of them.
var drivers = map[string]struct{ program, file, before, after string }{
	"js": {"node", "guide.js", "", `
const out = JSON.parse(require("node:fs").readFileSync(process.argv[2])).map(({ key, ts, nonce, payload, envelope }) => {
  if (envelope) {
    const { sig, ...rest } = JSON.parse(envelope);
    return { canonical: canonical(rest), sig: signV2(key, JSON.parse(envelope)), kid: keyID(key) };
  }
  const value = JSON.parse(payload);
  return { canonical: canonical(value), sig: signV1(key, ts, nonce, value) };
});
if (!same("ab", "ab") || same("ab", "ac") || same("ab", "a")) throw new Error("same");
process.stdout.write(JSON.stringify(out));
`},
	"ruby": {"ruby", "guide.rb", "", `
out = JSON.parse(File.read(ARGV[0])).map do |v|
  if v["envelope"]
    frame = JSON.parse(v["envelope"])
    { canonical: canonical(frame.reject { |name, _| name == "sig" }), sig: sign_v2(v["key"], frame), kid: key_id(v["key"]) }
  else
    value = JSON.parse(v["payload"])
    { canonical: canonical(value), sig: sign_v1(v["key"], v["ts"], v["nonce"], value) }
  end
end
raise "same?" if !same?("ab", "ab") || same?("ab", "ac") || same?("ab", "a")
puts JSON.generate(out)
`},
	"php": {"php", "guide.php", "<?php\n", `
$out = [];
foreach (json_decode(file_get_contents($argv[1])) as $v) {
    if (isset($v->envelope)) {
        $frame = json_decode($v->envelope);
        $sig = sign_v2($v->key, $frame);
        unset($frame->sig);
        $out[] = ['canonical' => canonical($frame), 'sig' => $sig, 'kid' => key_id($v->key)];
    } else {
        $value = json_decode($v->payload);
        $out[] = ['canonical' => canonical($value), 'sig' => sign_v1($v->key, $v->ts, $v->nonce, $value)];
    }
}
echo json_encode($out, FORM);
`},
	"go": {"go", "guide.go", "package main\n\nimport \"os\"\n", `
type vector struct { Key, Nonce, Payload, Envelope string; TS int64 }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func decode[T any](text string) (v T) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	must(0, d.Decode(&v))
	return v
}

func main() {
	var out []map[string]string
	for _, v := range decode[[]vector](string(must(os.ReadFile(os.Args[1])))) {
		if v.Envelope == "" {
			value := decode[any](v.Payload)
			out = append(out, map[string]string{"canonical": string(must(canonical(value))), "sig": must(signV1([]byte(v.Key), v.TS, v.Nonce, value))})
			continue
		}
		frame := decode[map[string]any](v.Envelope)
		sig := must(signV2([]byte(v.Key), frame))
		delete(frame, "sig")
		out = append(out, map[string]string{"canonical": string(must(canonical(frame))), "sig": sig, "kid": keyID([]byte(v.Key))})
	}
	must(0, json.NewEncoder(os.Stdout).Encode(out))
}
`},
}

// The code of docs/site-other.md makes what CPython makes, of all vectors that have only whole numbers, in each language that is installed here.
func TestGuideForOtherSites(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join(root(), "docs", "site-other.md"))
	must(t, err)
	given, want := guideVectors(t, string(guide))
	dir := t.TempDir()
	input := filepath.Join(dir, "vectors.json")
	text, err := json.Marshal(given)
	must(t, err)
	must(t, os.WriteFile(input, text, 0o600))
	for language, driver := range drivers {
		t.Run(language, func(t *testing.T) {
			program, err := exec.LookPath(driver.program)
			if err != nil {
				t.Skipf("%s is not installed", driver.program)
			}
			file := filepath.Join(dir, driver.file)
			must(t, os.WriteFile(file, []byte(driver.before+block(t, string(guide), language)+driver.after), 0o600))
			args := []string{file, input}
			if language == "go" {
				args = []string{"run", file, input}
			}
			var complaints bytes.Buffer
			cmd := exec.Command(program, args...) // #nosec G204
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, complaints.Bytes())
			}
			var got []signed
			must(t, json.Unmarshal(out, &got))
			if len(got) != len(want) {
				t.Fatalf("%d answers, want %d", len(got), len(want))
			}
			for i := range want {
				if language == "php" && keyOfNUL.MatchString(given[i].Payload) {
					continue // PHP's json_decode refuses a key that begins so; no frame has one
				}
				if got[i] != want[i] {
					t.Errorf("%+v\ngives %+v\nwant  %+v", given[i], got[i], want[i])
				}
			}
		})
	}
}

var keyOfNUL = regexp.MustCompile(`[{,]\s*"\\u0000`)

// block is the first block of code in a language.
func block(t *testing.T, guide, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(guide, "\n```"+language+"\n")
	code, _, ended := strings.Cut(rest, "\n```")
	if !found || !ended {
		t.Fatalf("the guide has no code in %s", language)
	}
	return code + "\n"
}

// guideVectors are those of the guide itself, CPython's of version 1, and those of version 2.
func guideVectors(t *testing.T, guide string) (given []signable, want []signed) {
	t.Helper()
	add := func(g signable, s signed) { given, want = append(given, g), append(want, s) }
	var file struct {
		Vectors []struct {
			Secret    string  `json:"secret"`
			TS        int64   `json:"ts"`
			Nonce     string  `json:"nonce"`
			Payload   string  `json:"payload"`
			Canonical *string `json:"canonical_utf8"`
			Sig       string  `json:"sig_utf8"`
		} `json:"vectors"`
	}
	text, err := os.ReadFile(filepath.Join(root(), "botruntime", "wire", "testdata", "wire-v1-vectors.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &file))
	for _, v := range file.Vectors {
		if v.Canonical != nil && wholeNumbers(v.Payload) {
			add(signable{Key: v.Secret, TS: v.TS, Nonce: v.Nonce, Payload: v.Payload}, signed{Canonical: *v.Canonical, Sig: v.Sig})
		}
	}
	for _, v := range framesOfVersion2(t) {
		add(v.signable, v.signed)
	}
	if len(given) < 60 {
		t.Fatalf("only %d vectors have whole numbers", len(given))
	}
	g := guideOwn(t, guide)
	add(signable{Key: g.key, TS: g.ts, Nonce: g.nonce, Payload: g.json[0]}, signed{Canonical: g.rows[0][0], Sig: g.rows[0][1]})
	add(signable{Key: g.key, TS: g.ts, Nonce: g.nonce, Payload: g.rows[1][0]}, signed{Canonical: g.rows[1][0], Sig: g.rows[1][1]})
	add(signable{Key: g.key, Frame: g.json[1]}, signed{Canonical: g.rows[2][0], Sig: g.rows[2][1], KID: g.kid})
	return given, want
}

type frameVector struct {
	signable
	signed
}

// framesOfVersion2 are the good ones of docs/protocol/v2-vectors.json.
func framesOfVersion2(t *testing.T) (all []frameVector) {
	t.Helper()
	var file struct {
		Vectors []struct{ Secret, Frame, Canonical, Error string } `json:"vectors"`
	}
	text, err := os.ReadFile(filepath.Join(root(), "docs", "protocol", "v2-vectors.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &file))
	for _, v := range file.Vectors {
		if v.Error != "" || !wholeNumbers(v.Frame) {
			continue
		}
		var sealed struct{ Sig, KID string }
		must(t, json.Unmarshal([]byte(v.Frame), &sealed))
		all = append(all, frameVector{signable{Key: v.Secret, Frame: v.Frame}, signed{Canonical: v.Canonical, Sig: sealed.Sig, KID: sealed.KID}})
	}
	return all
}

// own is what the guide has to test with.
type own struct {
	key, kid, nonce string
	ts              int64
	json            []string    // the payload of version 1, the frame of version 2
	rows            [][2]string // canonical and sig, of a feedback, a result, and the frame
}

var (
	guideKey  = regexp.MustCompile("The key is `([^`]+)`. Its `kid` is `([0-9a-f]{16})`")
	guideTime = regexp.MustCompile("`ts` (\\d+), `nonce` `([^`]+)`")
	guideRow  = regexp.MustCompile("\\| canonical[^|]*\\| `([^\n]+)` \\|\n\\| `sig` \\| `([0-9a-f]{64})` \\|")
	guideJSON = regexp.MustCompile("(?s)```json\n([^\n]+)\n```")
)

func guideOwn(t *testing.T, guide string) (o own) {
	t.Helper()
	key, at := guideKey.FindStringSubmatch(guide), guideTime.FindStringSubmatch(guide)
	rows, blocks := guideRow.FindAllStringSubmatch(guide, -1), guideJSON.FindAllStringSubmatch(guide, -1)
	if key == nil || at == nil || len(rows) != 3 || len(blocks) != 2 {
		t.Fatalf("the guide's values are not as expected: %v %v %d %d", key, at, len(rows), len(blocks))
	}
	o.key, o.kid, o.nonce = key[1], key[2], at[2]
	var err error
	o.ts, err = strconv.ParseInt(at[1], 10, 64)
	must(t, err)
	for _, r := range rows {
		o.rows = append(o.rows, [2]string{r[1], r[2]})
	}
	for _, b := range blocks {
		o.json = append(o.json, b[1])
	}
	return o
}

// wholeNumbers tells whether a text's numbers are whole and small enough for every language, and its characters complete.
func wholeNumbers(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return strings.Contains(fmt.Sprint(err), "EOF")
		}
		switch v := token.(type) {
		case json.Number:
			n, err := strconv.ParseInt(v.String(), 10, 64)
			if err != nil || n != 0 && math.Abs(float64(n)) > 1<<53-1 || v.String() == "-0" {
				return false
			}
		case string:
			if strings.ContainsRune(v, '\ufffd') {
				return false // it may stand for half a character
			}
		}
	}
}
