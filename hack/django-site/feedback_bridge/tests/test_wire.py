# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON, keys and signatures, against vectors that CPython computed."""

import json
import pickle
from pathlib import Path

from django.test import SimpleTestCase

from feedback_bridge import wire
from feedback_bridge.canonical import MAX_BYTES, Malformed, canonical, compact, parse
from feedback_bridge.keys import Key, KeyRing

VECTORS = json.loads((Path(__file__).parent / "data" / "wire-v1-vectors.json").read_text("utf-8"))["vectors"]
NOW = 1_770_000_000


class VectorTests(SimpleTestCase):
    def test_all_there(self):
        self.assertEqual(len(VECTORS), 308)

    def test_canonical_and_signature(self):
        for vector in VECTORS:
            key = Key(vector["secret"])
            payload = parse(vector["payload"])
            for form, ensure_ascii in (("ascii", True), ("utf8", False)):
                with self.subTest(vector["name"], form=form):
                    want = vector.get("canonical_" + form)
                    if want is None:
                        with self.assertRaises(Malformed):
                            canonical(payload, ensure_ascii)
                        continue
                    self.assertEqual(canonical(payload, ensure_ascii).decode(), want)
                    sig = wire.sign_v1(key, vector["ts"], vector["nonce"], payload, ensure_ascii)
                    self.assertEqual(sig, vector["sig_" + form])
                    self.assertTrue(wire.verify_v1(KeyRing([Key("other"), key]), vector["ts"], vector["nonce"], payload, sig))
                    self.assertFalse(wire.verify_v1(KeyRing([Key("other")]), vector["ts"], vector["nonce"], payload, sig))


class CanonicalTests(SimpleTestCase):
    def test_corners(self):
        for text, ascii_form, utf8_form in (
            ('{"b":1,"a":2,"a":3}', '{"a":3,"b":1}', None),
            ("[1.0,-0.0,1e16,1e-5,5e-324,-0]", "[1.0,-0.0,1e+16,1e-05,5e-324,0]", None),
            ('{"\U0001f600":1,"\uffff":2}', '{"\\uffff":2,"\\ud83d\\ude00":1}', '{"\uffff":2,"\U0001f600":1}'),
            ('"\\u007f<>&\\u2028/\\/"', '"\\u007f<>&\\u2028//"', '"\x7f<>&\u2028//"'),
            (' [ true , false , null ] ', "[true,false,null]", None),
            ("9" * 4300, "9" * 4300, None),
            ('"\\ud83d\\ude00"', '"\\ud83d\\ude00"', '"\U0001f600"'),
        ):
            with self.subTest(text[:40]):
                value = parse(text)
                self.assertEqual(canonical(value, True).decode(), ascii_form)
                self.assertEqual(canonical(value).decode(), utf8_form or ascii_form)

    def test_lone_surrogate_has_the_escaped_form_only(self):
        value = parse('"\\ud800"')
        self.assertEqual(canonical(value, True), b'"\\ud800"')
        with self.assertRaises(Malformed):
            canonical(value)
        self.assertEqual(compact(value), '"\\ud800"')

    def test_refused(self):
        for name, text in {
            "nothing": "",
            "trailing": "{} {}",
            "NaN": "[NaN]",
            "Infinity": "[-Infinity]",
            "overflow": "[1e999]",
            "digits": "9" * 4301,
            "raw control": '"\x01"',
            "byte order mark": "\ufeff{}",
            "65 levels": "[" * 65 + "]" * 65,
            "100,000 levels": "[" * 100_000 + "]" * 100_000,
            "values": "[" + "0," * 100_000 + "0]",
            "bytes": '"' + "я" * (MAX_BYTES // 2) + '"',
        }.items():
            with self.subTest(name), self.assertRaises(Malformed):
                parse(text)

    def test_just_accepted(self):
        parse("[" * 64 + "]" * 64)
        parse("[" + "0," * 99_998 + "0]")
        parse('"' + "я" * (MAX_BYTES // 2 - 1) + '"')


class KeyTests(SimpleTestCase):
    def test_id(self):
        # printf 'feedbackbridge hmac key id\0example' | sha256sum | cut -c-16
        self.assertEqual(Key("example").id, "b60fd978667dec61")
        with self.assertRaises(ValueError):
            Key("")

    def test_prints_no_secret(self):
        key = Key("correct horse")
        for text in (repr(key), str(key), f"{key}", repr(KeyRing([key])), repr([key])):
            self.assertNotIn("horse", text)
            self.assertIn(key.id, text)
        with self.assertRaises(TypeError):
            pickle.dumps(key)

    def test_ring(self):
        a, b, c = Key("a"), Key("b"), Key("c")
        ring = KeyRing([a, b, Key("a")])
        self.assertEqual(ring.ids, [a.id, b.id])
        self.assertEqual(ring.preferred, a)
        self.assertIsNone(ring.get(c.id))
        self.assertIsNone(KeyRing().preferred)

    def test_signs_with_what_both_hold(self):
        a, b, c = Key("a"), Key("b"), Key("c")
        ring = KeyRing([a, b])
        for accepted, preferred, want in (
            ((), "", a),
            ((b.id, a.id), b.id, a),  # what the site prefers, while the bot accepts it
            ((b.id,), b.id, b),
            ((c.id, b.id), c.id, b),
            ((c.id,), c.id, a),  # nothing in common: as good as any
        ):
            self.assertEqual(ring.agreed(accepted, preferred), want)


class VersionOneTests(SimpleTestCase):
    key = Key("secret")

    def result(self, ensure_ascii=False, **change):
        payload = {"id": "1", "ok": True, "result": {"ticket_id": "ticket_site_1", "message_id": 4, "sent_at": "2026-01-02T03:04:05"}, "error": None}
        payload.update({name: value for name, value in change.items() if name in payload})
        frame = {"type": "feedback_result", **payload, "ts": NOW, "nonce": "n"}
        frame["sig"] = wire.sign_v1(self.key, NOW, "n", payload, ensure_ascii)
        return {**frame, **{name: value for name, value in change.items() if name not in payload}}

    def open(self, frame, now=NOW):
        return wire.open_result_v1(frame, KeyRing([self.key]), now)

    def test_new_feedback_as_the_brief_says(self):
        frame = json.loads(wire.new_feedback_v1(self.key, "u", {"feedback_id": 1, "message": "Текст", "locale": "ru"}, NOW, "n", True))
        self.assertEqual(set(frame), {"type", "id", "data", "ts", "nonce", "sig"})
        self.assertEqual(tuple(frame["data"]), wire.V1_FIELDS)
        self.assertEqual(frame["sig"], wire.sign_v1(self.key, NOW, "n", frame["data"], True))

    def test_result(self):
        for ensure_ascii in (False, True):
            frame = self.result(ensure_ascii, ok=False, result=None, error="Отказ")
            self.assertEqual(self.open(frame), wire.Result("1", False, error="Отказ"))
        self.assertEqual(self.open(self.result()), wire.Result("1", True, "ticket_site_1", 4, "2026-01-02T03:04:05"))

    def test_what_may_pass_another_time(self):
        for error, code in (("Invalid HMAC signature", "invalid_signature"), ("Message expired", "expired"), ("Replayed nonce", "replayed")):
            result = self.open(self.result(ok=False, result=None, error=error))
            self.assertEqual((result.error_code, result.retryable), (code, True))
        self.assertFalse(self.open(self.result(ok=False, result=None, error="Invalid payload: message: missing")).retryable)

    def test_refused(self):
        for code, frame in (
            ("invalid_signature", self.result(sig="0" * 64)),
            ("invalid_signature", self.result(sig="é" * 64)),
            ("invalid_signature", self.result(ts=NOW + 1)),
            ("invalid_signature", {**self.result(), "result": {}}),
            ("invalid_message", self.result(ts=str(NOW))),
            ("invalid_message", self.result(ts=True)),
            ("invalid_message", self.result(ts=10**400)),
            ("invalid_message", self.result(nonce=None)),
            ("invalid_payload", self.result(ok="yes")),
            ("invalid_payload", self.result(result=None)),
            ("invalid_payload", self.result(ok=False, error=None)),
        ):
            with self.subTest(code), self.assertRaises(wire.FrameError) as caught:
                self.open(frame)
            self.assertEqual(caught.exception.code, code)
        for skew in (-45, 45):
            self.open(self.result(), NOW + skew)
        for skew in (-46, 46):
            with self.assertRaisesRegex(wire.FrameError, "expired"):
                self.open(self.result(), NOW + skew)


class VersionTwoTests(SimpleTestCase):
    key = Key("secret")

    def open(self, text, now=NOW):
        return wire.open_v2(wire.read(text), wire.SITE, KeyRing([Key("other"), self.key]), now)

    def frame(self, **change):
        """A frame that is signed as it is, with members changed, or left out for None."""
        frame = {"v": 2, "to": "site", "type": "hello", "id": "1", "data": {"я": 1.0}, "ts": NOW, "nonce": "n", "kid": self.key.id, **change}
        frame = {name: value for name, value in frame.items() if value is not None}
        return compact({**frame, "sig": self.key.sign(canonical(frame))})

    def test_seal_and_open(self):
        frame = self.open(wire.seal(self.key, wire.SITE, "hello", "1", {"я": 1.0}, NOW, "n"))
        self.assertEqual(frame, wire.Frame("hello", "1", {"я": 1.0}, "n", self.key.id))
        self.assertEqual(self.open(self.frame(more=[1])).type, "hello")  # unknown members are covered, and ignored

    def test_nothing_can_be_changed(self):
        whole = json.loads(wire.seal(self.key, wire.SITE, "hello", "1", {"a": 1}, NOW, "n"))
        for name, value in {"v": 3, "to": "bot", "type": "ack", "id": "2", "data": {}, "ts": NOW + 1, "nonce": "m", "kid": Key("other").id, "more": 1}.items():
            with self.subTest(name), self.assertRaises(wire.FrameError):
                self.open(compact({**whole, name: value}))
        for name in whole:
            with self.subTest(name, left="out"), self.assertRaises(wire.FrameError):
                self.open(compact({key: value for key, value in whole.items() if key != name}))

    def test_refused(self):
        for code, text in (
            ("invalid_message", "{"),
            ("invalid_message", "[]"),
            ("invalid_message", "{}"),
            ("invalid_message", self.frame(v=True)),
            ("invalid_message", self.frame(to=None)),
            ("invalid_message", self.frame(to="bot")),  # said by the site itself, and reflected
            ("invalid_message", self.frame(kid="я")),
            ("invalid_message", self.frame(v=2.0)),
            ("invalid_message", self.frame(data=[])),
            ("invalid_message", self.frame(id="")),
            ("invalid_message", self.frame(id="x" * 129)),
            ("invalid_message", self.frame(id="я")),
            ("invalid_message", self.frame(nonce="\n")),
            ("invalid_message", self.frame(nonce="n\n")),
            ("invalid_message", self.frame(ts=1.0)),
            ("invalid_signature", self.frame(kid="0" * 16)),
            ("invalid_signature", compact({**json.loads(self.frame()), "sig": json.loads(self.frame())["sig"].upper()})),
        ):
            with self.subTest(text[:60]), self.assertRaises(wire.FrameError) as caught:
                self.open(text)
            self.assertEqual(caught.exception.code, code)

    def test_lone_surrogate(self):
        unsigned = {"v": 2, "to": "site", "type": "hello", "id": "1", "data": {"a": "\ud800"}, "ts": NOW, "nonce": "n", "kid": self.key.id}
        sig = self.key.sign(canonical(unsigned, ensure_ascii=True))
        with self.assertRaises(wire.FrameError) as caught:
            self.open(json.dumps({**unsigned, "sig": sig}))
        self.assertEqual(caught.exception.code, "invalid_message")
        with self.assertRaises(Malformed):
            wire.seal(self.key, wire.SITE, "hello", "1", {"a": "\ud800"}, NOW, "n")

    def test_time(self):
        self.open(self.frame(), NOW + 45)
        for now in (NOW - 46, NOW + 46):
            with self.assertRaises(wire.FrameError) as caught:
                self.open(self.frame(), now)
            self.assertEqual(caught.exception.code, "expired")
