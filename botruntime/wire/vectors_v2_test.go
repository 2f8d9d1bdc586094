// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire/wiretest"
)

// vectorV2 is one entry of docs/protocol/v2-vectors.json, computed by CPython.
type vectorV2 struct {
	Name      string `json:"name"`
	Secret    string `json:"secret"`
	Now       int64  `json:"now"`       // when the frame was read, in Unix seconds
	Frame     string `json:"frame"`     // as it was sent
	Receiver  Side   `json:"receiver"`  // who reads it
	Canonical string `json:"canonical"` // what its signature covers
	Error     string `json:"error"`     // the error code that it is refused with; "" where it is good
}

// TestVectorsV2 holds frames that another implementation made, and its verdicts, against this one's.
func TestVectorsV2(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(wiretest.Dir(), "v2-vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vectorV2 }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 20 {
		t.Fatalf("%d vectors are too few", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			e, err := DecodeV2([]byte(v.Frame), v.Receiver, DefaultLimits())
			if err == nil {
				_, err = e.Verify(NewKeyRing(mustKey(t, v.Secret)), time.Unix(v.Now, 0), 45*time.Second)
			}
			got := ""
			if err != nil {
				got = Refusal(err).Code
			}
			if got != v.Error {
				t.Errorf("%q (%v), want %q", got, err, v.Error)
			}
			if v.Canonical == "" || !e.Signed() {
				return
			}
			if signed, _ := e.appendSigned(nil); string(signed) != v.Canonical {
				t.Errorf("signed\n got %s\nwant %s", signed, v.Canonical)
			}
		})
	}
}
