// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// unsigned is a JWT as far as its reader looks: header, claims, and something for a signature.
func unsigned(header, claims string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims)) + "." + e.EncodeToString([]byte("signature"))
}

func TestParseReadyToken(t *testing.T) {
	at := func(seconds int64) *metav1.Time { return new(metav1.NewTime(time.Unix(seconds, 0).UTC())) }
	hs256 := `{"alg":"HS256","kid":"k1"}`
	tests := map[string]struct {
		value string
		want  v1alpha1.JWTStatus
		err   string
	}{
		"a JWT": {value: unsigned(hs256, `{"iat":1700000000,"exp":1800000000}`),
			want: v1alpha1.JWTStatus{IssuedAt: at(1700000000), ExpiresAt: at(1800000000), KeyID: "k1"}},
		"fractions of seconds":          {value: unsigned(hs256, `{"exp":1800000000.75}`), want: v1alpha1.JWTStatus{ExpiresAt: at(1800000000), KeyID: "k1"}},
		"no expiry":                     {value: unsigned(hs256, `{}`), want: v1alpha1.JWTStatus{KeyID: "k1"}},
		"a kid that is no string":       {value: unsigned(`{"alg":"HS256","kid":7}`, `{"exp":1800000000}`), want: v1alpha1.JWTStatus{ExpiresAt: at(1800000000)}},
		"a kid that is a book":          {value: unsigned(`{"alg":"HS256","kid":"`+strings.Repeat("k", 200)+`"}`, `{}`)},
		"an expiry that no clock shows": {value: unsigned(hs256, `{"exp":1e300}`), want: v1alpha1.JWTStatus{KeyID: "k1"}},
		"an unknown algorithm":          {value: unsigned(`{"alg":"XX"}`, `{"exp":1800000000}`)},
		"an opaque token":               {value: "6ba7b810"},
		"dots and no JSON":              {value: "a.b.c"},
		"empty":                         {err: "is empty"},
		"two lines":                     {value: "a\nb", err: "holds white space or control characters: store the token alone, on one line"},
		"a blank":                       {value: "Bearer x", err: "holds white space or control characters: store the token alone, on one line"},
		"no UTF-8":                      {value: "\xff", err: "holds white space or control characters: store the token alone, on one line"},
		"too long":                      {value: strings.Repeat("x", 9<<10), err: "is longer than 8 KiB, which no server accepts as a token"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseReadyToken([]byte(tc.value))
			if tc.err != "" || err != nil {
				if err == nil || err.Error() != tc.err {
					t.Fatalf("parseReadyToken says %v, want %q", err, tc.err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("parseReadyToken (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a Secret holds, the parser returns, and what it returns can be written into a status and read back.
func FuzzParseReadyToken(f *testing.F) {
	f.Add([]byte(unsigned(`{"alg":"HS256","kid":"k1"}`, `{"iat":1,"exp":2}`)))
	f.Add([]byte(unsigned(`{"alg":"none"}`, `{"exp":-1e18,"aud":["a",1]}`)))
	f.Add([]byte(unsigned(`{"alg":"HS256"}`, `{"exp":253402300800,"iat":-62135596801}`)))
	f.Add([]byte("a.b.c"))
	f.Add([]byte(strings.Repeat("[", 5000)))
	f.Fuzz(func(t *testing.T, value []byte) {
		status, err := parseReadyToken(value)
		if err != nil {
			return
		}
		text, err := json.Marshal(status)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		var back v1alpha1.JWTStatus
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s cannot be read back: %v", text, err)
		}
		for _, pair := range [][2]*metav1.Time{{status.ExpiresAt, back.ExpiresAt}, {status.IssuedAt, back.IssuedAt}} {
			if !pair[0].Equal(pair[1]) {
				t.Errorf("%s reads back as %v", text, pair[1])
			}
		}
		if status.KeyID != back.KeyID || len(status.KeyID) > maxKeyIDBytes {
			t.Errorf("the key id %q reads back as %q", status.KeyID, back.KeyID)
		}
	})
}

func TestCheckTelegramToken(t *testing.T) {
	for _, good := range []string{"123456:TEST-TOKEN", "1:a_B-9"} {
		if err := checkTelegramToken([]byte(good)); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "TEST-TOKEN", "123456", "123456:", ":TEST", "123456:TEST TOKEN", "bot123456:TEST", "123456:TEST\n"} {
		if checkTelegramToken([]byte(bad)) == nil {
			t.Errorf("%q is taken for a bot token", bad)
		}
	}
}
