#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/protocol/v2-vectors.json: frames of version 2 and what their receiver has to make of them.

    python3 hack/django-site/feedback_bridge/tests/make_vectors.py

It shares no code with the app: what it prints comes from json and hmac alone. A vector has a secret, the receiver's clock
(now, Unix seconds), the frame as it is sent, what its signature covers (canonical; "" where that cannot be told), and the
error_code of the refusal ("" for a good frame). The receiver holds that one secret, and the time to live is 45 s.
"""

import hashlib
import hmac
import json
import platform
import random
from pathlib import Path

FILE = Path(__file__).resolve().parents[4] / "docs" / "protocol" / "v2-vectors.json"
NOW = 1_770_000_000
SECRETS = ("a secret of the vectors", "секрет 🔑", "k", "\u0000\ufeff\\\"\n")


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def key_id(secret):
    return hashlib.sha256(b"feedbackbridge hmac key id\0" + secret.encode()).hexdigest()[:16]


def sign(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Vectors:
    def __init__(self):
        self.made = []
        self.random = random.Random(2)

    def add(self, name, error="", *, data=(), leave=(), print_with=None, sig=None, text=None, now=NOW, receiver=None, **members):
        """One frame, signed as it is; then sig or text replace what was made, without a new signature."""
        secret = SECRETS[len(self.made) % len(SECRETS)]
        n = len(self.made)
        receiver = receiver or members.get("to") or ("bot", "site")[n % 2]
        frame = {"v": 2, "to": receiver, "type": "feedback_status", "id": f"id-{n}", "data": {} if data == () else data, "ts": NOW, "nonce": f"nonce-{n}", "kid": key_id(secret)}
        frame.update(members)
        frame = {name: value for name, value in frame.items() if name not in leave}
        try:
            covered = canonical(frame)
            frame["sig"] = sign(secret, covered)
        except UnicodeEncodeError:  # a lone surrogate: signed in the form that there is
            covered, frame["sig"] = "", sign(secret, json.dumps(frame, sort_keys=True, separators=(",", ":")))
        if sig is not None:
            frame["sig"] = sig(frame["sig"])
        if "sig" in leave:
            del frame["sig"]
        sent = json.dumps(frame, **(print_with or {"ensure_ascii": not covered, "separators": (",", ":")}))
        if text is not None:
            sent = text(sent)
            covered = "" if error == "invalid_message" else canonical({k: v for k, v in json.loads(sent).items() if k != "sig"})
        self.made.append({"name": name, "secret": secret, "receiver": receiver, "now": now, "frame": sent, "canonical": "" if error == "invalid_message" else covered, "error": error})


def good(v):
    at = "2026-01-02T03:04:05.678901Z"
    ids = {"ticket_id": "ticket_site_123", "feedback_id": 123}
    for type, data in (
        ("hello", {"software": "feedbackbridge-bot/1.0", "protocol": 2, "capabilities": ["statuses", "replies"], "keys": ["0123456789abcdef"], "preferred": "0123456789abcdef"}),
        ("ack", {}),
        ("new_feedback", {"feedback_id": 123, "telegram_id": 999, "telegram_username": "user", "telegram_first_name": "Имя", "nickname": "PlayerNick", "category": "bug", "message": "Текст", "created_at": "2025-10-17T12:00:00", "source": "website", "locale": "ru", "attachments": [{"name": "снимок.png", "mime": "image/png", "size": 4, "base64": "iVBORw=="}]}),
        ("feedback_result", {"ok": True, "result": {"ticket_id": "ticket_site_123", "message_id": 456, "sent_at": "2025-10-17T12:00:01"}, "error": None, "error_code": None, "retryable": False}),
        ("feedback_result", {"ok": False, "result": None, "error": "Message expired", "error_code": "expired", "retryable": True}),
        ("feedback_created", {"ticket_id": "ticket_tg_7", "feedback_id": 0, "telegram_id": 999, "telegram_username": "user", "telegram_first_name": "Имя", "nickname": "", "category": "wish", "message": "Привет 👋", "created_at": at, "source": "telegram", "locale": "ru"}),
        ("feedback_status", {**ids, "status": "in_progress", "actor": {"telegram_id": 5, "username": "anna", "name": "Анна"}, "at": at}),
        ("feedback_reply", {**ids, "from": "staff", "text": "Ответ", "author": {"name": "Анна"}, "at": at}),
        ("key_update", {"accepted": ["0123456789abcdef", "fedcba9876543210"], "preferred": "fedcba9876543210", "at": at}),
        ("of_the_future", {"anything": [None, True, {"at": "all"}]}),
    ):
        v.add(f"{type}", data=data, type=type, to="bot" if type == "new_feedback" else "site")
    for name, data in (
        ("floats", {"a": [1.0, -0.0, 1e16, 1e-05, 5e-324, 1.7976931348623157e308, 0.1, 123456789012345680.0]}),
        ("integers", {"a": [0, -1, 2**53 + 1, -(2**63), 10**40]}),
        ("keys by code point", {"\uffff": 1, "\U0001f600": 2, "я": 3, "Z": 4, "a": 5, "": 6, "\x7f": 7}),
        ("characters", {"a": "<>&\u2028\u2029\x7f\u00a0\ufeff\ufffd\"\\/\b\f\n\r\t\x01\x1f"}),
        ("nested 64 levels", {"a": nested(62)}),
        ("empty", {}),
    ):
        v.add(name, data=data)
        v.add(f"{name}, escaped and spaced", data=data, print_with={"ensure_ascii": True, "indent": 1, "sort_keys": True})
    v.add("a key twice: the last counts", data={"a": 2}, text=lambda sent: sent.replace('"data":{"a":2}', '"data":{"a":1,"a":2}'))
    v.add("minus zero is zero", data={"a": 0}, text=lambda sent: sent.replace('"a":0', '"a":-0'))
    v.add("a float by another spelling", data={"a": 100.0}, text=lambda sent: sent.replace("100.0", "1E2"))
    v.add("unknown members are covered", more={"a": "я"}, error_code=None)
    v.add("longest names", id="x" * 128, nonce="~" * 128, type=" " * 128)
    v.add("45 s late", now=NOW + 45)
    v.add("45 s early", now=NOW - 45)
    for n in range(60):
        v.add(f"random {n}", data={"a": arbitrary(v.random, 4)})


def bad(v):
    for side, other in (("bot", "site"), ("site", "bot")):
        v.add(f"to the {side}, reflected at the {other}", "invalid_message", receiver=other, to=side)
    for name, to in (("to nobody", ""), ("to both", "bot, site"), ("to in upper case", "BOT"), ("to a list", ["bot"])):
        v.add(name, "invalid_message", receiver="bot", to=to)
    for name in ("v", "to", "type", "id", "data", "ts", "nonce", "kid", "sig"):
        v.add(f"{name} left out", "invalid_message", leave=(name,))
        v.add(f"{name} null", "invalid_message", receiver="site", **({"sig": lambda _: None} if name == "sig" else {name: None}))
    for name, members in (
        ("v 1", {"v": 1}), ("v 3", {"v": 3}), ("v a float", {"v": 2.0}), ("v a text", {"v": "2"}), ("v true", {"v": True}),
        ("type empty", {"type": ""}), ("id empty", {"id": ""}), ("id a number", {"id": 1}), ("id of 129", {"id": "x" * 129}), ("id not ASCII", {"id": "я"}),
        ("id with a control", {"id": "a\n"}), ("id with DEL", {"id": "\x7f"}), ("nonce empty", {"nonce": ""}), ("nonce of 129", {"nonce": "x" * 129}),
        ("data a list", {"data": []}), ("data a text", {"data": "{}"}), ("ts a float", {"ts": float(NOW)}), ("ts a text", {"ts": str(NOW)}), ("ts true", {"ts": True}),
        ("kid a number", {"kid": 1}), ("kid empty", {"kid": ""}), ("kid not ASCII", {"kid": "я"}), ("kid of 129", {"kid": "0" * 129}), ("data with a lone surrogate", {"data": {"a": "\ud800"}}), ("a key with a lone surrogate", {"data": {"\udfff": 1}}),
        ("nested 65 levels", {"data": {"a": nested(63)}}),
    ):
        v.add(name, "invalid_message", **members)
    for name, change in (
        ("not JSON", lambda sent: sent[:-1]), ("a list", lambda sent: f"[{sent}]"), ("NaN", lambda sent: sent.replace('"data":{}', '"data":{"a":NaN}')),
        ("a number out of range", lambda sent: sent.replace('"data":{}', '"data":{"a":1e999}')), ("something after it", lambda sent: sent + "x"), ("nothing", lambda sent: ""),
    ):
        v.add(name, "invalid_message", text=change)
    for name, change in (
        ("upper case", str.upper), ("short", lambda sig: sig[:63]), ("long", lambda sig: sig + "0"), ("not hexadecimal", lambda sig: "g" + sig[1:]),
        ("empty", lambda sig: ""), ("one digit", lambda sig: ("1" if sig[0] == "0" else "0") + sig[1:]),
    ):
        v.add(f"signature: {name}", "invalid_signature", sig=change)
    v.add("kid of another key", "invalid_signature", kid="0123456789abcdef")
    v.add("kid in upper case", "invalid_signature", kid=key_id(SECRETS[len(v.made) % len(SECRETS)]).upper() + "A")
    for name, old, new in (
        ("type", "feedback_status", "feedback_reply"), ("id", '"id-', '"id+'), ("nonce", "nonce-", "nonce+"), ("ts", str(NOW), str(NOW + 1)), ("data", '"data":{}', '"data":{"a":1}'),
        ("a member more", '{"v"', '{"more":1,"v"'),
    ):
        v.add(f"changed after signing: {name}", "invalid_signature", text=lambda sent, old=old, new=new: sent.replace(old, new, 1))
    v.add("46 s late", "expired", now=NOW + 46)
    v.add("46 s early", "expired", now=NOW - 46)
    v.add("of the year 1970", "expired", ts=0)
    v.add("of no year", "expired", ts=2**63 - 1)
    v.add("late and wrongly signed: the signature counts", "invalid_signature", now=NOW + 46, sig=lambda sig: sig[::-1])


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def arbitrary(random, depth):
    kind = random.randrange(7 if depth else 5)
    if kind == 0:
        return random.choice((None, True, False))
    if kind == 1:
        return random.choice((random.randrange(-(10**6), 10**6), random.getrandbits(80)))
    if kind == 2:
        return random.choice((random.uniform(-1, 1), random.uniform(-1, 1) * 10.0 ** random.randrange(-300, 300)))
    if kind in (3, 4):
        return "".join(random.choice("ab\"\\/\n\x00\x7f<&яЖ本語é\u2028\ufffd\uffff🙂👩") for _ in range(random.randrange(12)))
    if kind == 5:
        return [arbitrary(random, depth - 1) for _ in range(random.randrange(5))]
    return {arbitrary(random, 0).__repr__(): arbitrary(random, depth - 1) for _ in range(random.randrange(5))}


def make():
    vectors = Vectors()
    good(vectors)
    bad(vectors)
    return vectors.made


def text():
    document = {"generator": f"{platform.python_implementation()} json and hmac", "ttl": 45, "vectors": make()}
    return json.dumps(document, ensure_ascii=True, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
    print(f"{len(make())} vectors in {FILE}")
