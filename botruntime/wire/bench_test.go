// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"
)

const (
	benchTS   = 1_760_702_400
	benchUUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	benchData = `{"feedback_id": 123, "telegram_id": 999000111, "telegram_username": "user", ` +
		`"telegram_first_name": "Имя", "nickname": "PlayerNick", "category": "bug", ` +
		`"message": "После обновления не открывается инвентарь.\nПерезапуск не помогает, \"кнопка\" не нажимается.", ` +
		`"created_at": "2025-10-17T12:00:00", "source": "website"}`
)

// benchFrames are a frame in each form, written as its site's json.dumps would:
// with its characters as they are, and escaped.
func benchFrames(b *testing.B, key Key) map[Form][]byte {
	frames := make(map[Form][]byte)
	for _, form := range []Form{FormUTF8, FormASCII} {
		v, err := Parse([]byte(benchData), DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		data, err := v.AppendCanonical(nil, form)
		if err != nil {
			b.Fatal(err)
		}
		frames[form], err = AppendNewFeedback(nil, benchUUID, data, key, form, benchTS, benchUUID)
		if err != nil {
			b.Fatal(err)
		}
	}
	return frames
}

func eachForm(b *testing.B, key Key, run func(b *testing.B, frame []byte)) {
	for form, frame := range benchFrames(b, key) {
		b.Run(form.String(), func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			run(b, frame)
		})
	}
}

// BenchmarkVerify is all that a frame goes through before it is stored.
func BenchmarkVerify(b *testing.B) {
	key := mustKey(b, "benchmark")
	ring := NewKeyRing(key)
	now := time.Unix(benchTS, 0)
	eachForm(b, key, func(b *testing.B, data []byte) {
		for b.Loop() {
			frame, err := Decode(data, DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := frame.Feedback.Verify(ring, now, time.Minute); err != nil {
				b.Fatal(err)
			}
			if _, err := frame.Feedback.Payload(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkEncodingJSONAndSHA256 is the yardstick for [BenchmarkVerify]: the
// standard library decoding and hashing the same bytes, without checks.
func BenchmarkEncodingJSONAndSHA256(b *testing.B) {
	eachForm(b, mustKey(b, "benchmark"), func(b *testing.B, data []byte) {
		for b.Loop() {
			var v any
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
			if sum := sha256.Sum256(data); sum[0] == 0 && sum[1] == 0 && sum[2] == 0 && sum[3] == 0 {
				b.Fatal("unlikely")
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	eachForm(b, mustKey(b, "benchmark"), func(b *testing.B, data []byte) {
		for b.Loop() {
			if _, err := Parse(data, DefaultLimits()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	v, err := Parse([]byte(benchData), DefaultLimits())
	if err != nil {
		b.Fatal(err)
	}
	for _, form := range []Form{FormUTF8, FormASCII} {
		b.Run(form.String(), func(b *testing.B) {
			var buf []byte
			for b.Loop() {
				if buf, err = v.AppendCanonical(buf[:0], form); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

var benchResult = Result{
	ID: benchUUID, OK: true, TicketID: "ticket_site_123", MessageID: 456, SentAt: "2025-10-17T12:00:01",
}

func BenchmarkAppendResult(b *testing.B) {
	key := mustKey(b, "benchmark")
	var buf []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = benchResult.AppendFrame(buf[:0], key, FormUTF8, benchTS, benchUUID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeResult(b *testing.B) {
	key := mustKey(b, "benchmark")
	ring := NewKeyRing(key)
	now := time.Unix(benchTS, 0)
	data, err := benchResult.AppendFrame(nil, key, FormUTF8, benchTS, benchUUID)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := DecodeResult(data, DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Verify(ring, now, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyV2 is [BenchmarkVerify] for the same feedback in version 2.
func BenchmarkVerifyV2(b *testing.B) {
	key := mustKey(b, "benchmark")
	ring, now := NewKeyRing(key), time.Unix(benchTS, 0)
	body, err := NewBody(TypeNewFeedback, []byte(benchData))
	if err != nil {
		b.Fatal(err)
	}
	data, err := AppendV2(nil, ToBot, benchUUID, body, key, benchTS, benchUUID)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		frame, err := DecodeV2(data, ToBot, DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := frame.Verify(ring, now, time.Minute); err != nil {
			b.Fatal(err)
		}
		if _, err := frame.Feedback(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendV2(b *testing.B) {
	key := mustKey(b, "benchmark")
	// Boxed once, as a session would keep it.
	var body Body = Answer{OK: true, TicketID: "ticket_site_123", MessageID: 456, SentAt: "2025-10-17T12:00:01"}
	var buf []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = AppendV2(buf[:0], ToBot, benchUUID, body, key, benchTS, benchUUID); err != nil {
			b.Fatal(err)
		}
	}
}
