# SPDX-License-Identifier: Apache-2.0
"""Frames of both versions of the protocol: what they look like, how they are signed, who may be believed.

Times are Unix seconds; nothing here reads a clock, and nothing imports Django.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from .canonical import Malformed, canonical, compact, parse
from .keys import Key, KeyRing

SUBPROTOCOL = "feedbackbridge.v2"
BOT, SITE = "bot", "site"  # to whom a frame is
TTL = 45  # seconds that a frame's time may differ from ours, either way

NEW_FEEDBACK = "new_feedback"
RESULT = "feedback_result"
CREATED = "feedback_created"
STATUS = "feedback_status"
REPLY = "feedback_reply"
HELLO = "hello"
KEY_UPDATE = "key_update"
ACK = "ack"
PING = json.dumps({"type": "ping"})
PONG = json.dumps({"type": "pong"})

# What new_feedback carries in version 1.
V1_FIELDS = (
    "feedback_id", "telegram_id", "telegram_username", "telegram_first_name",
    "nickname", "category", "message", "created_at", "source",
)

_SIGNATURE = re.compile(r"[0-9a-f]{64}\Z")
_NAME = re.compile(r"[ -~]{1,128}\Z")


class FrameError(ValueError):
    """Why a frame is not believed: code is one of the protocol's error codes."""

    def __init__(self, code: str, detail: str = ""):
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


class Result(NamedTuple):
    """What became of a new_feedback."""

    id: str
    ok: bool
    ticket_id: str = ""
    message_id: int = 0
    sent_at: str = ""
    error: str = ""
    error_code: str = ""
    retryable: bool = False


class Frame(NamedTuple):
    """A frame of version 2 that has been verified."""

    type: str
    id: str
    data: dict
    nonce: str
    kid: str


def read(text: str) -> dict:
    """A frame whose type can be told."""
    try:
        frame = parse(text)
    except Malformed as error:
        raise FrameError("invalid_message", str(error)) from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise FrameError("invalid_message", "not an object with a type")
    return frame


# Version 1


def v1_message(ts: int, nonce: str, payload, ensure_ascii: bool) -> bytes:
    return f"{ts}.{nonce}.".encode() + canonical(payload, ensure_ascii)


def sign_v1(key: Key, ts: int, nonce: str, payload, ensure_ascii: bool = False) -> str:
    return key.sign(v1_message(ts, nonce, payload, ensure_ascii))


def verify_v1(ring: KeyRing, ts: int, nonce: str, payload, sig: str) -> bool:
    """Whether a key of the ring signed the payload, in either form."""
    if not _SIGNATURE.match(sig):
        return False
    for ensure_ascii in (False, True):
        try:
            message = v1_message(ts, nonce, payload, ensure_ascii)
        except (Malformed, UnicodeEncodeError):
            continue  # nobody can have signed what has no such form
        if any([key.verify(message, sig) for key in ring]):  # a list: always all of them
            return True
    return False


def new_feedback_v1(key: Key, uid: str, data: dict, ts: int, nonce: str, ensure_ascii: bool = False) -> str:
    data = {name: data.get(name) for name in V1_FIELDS}
    sig = sign_v1(key, ts, nonce, data, ensure_ascii)
    return compact({"type": NEW_FEEDBACK, "id": uid, "data": data, "ts": ts, "nonce": nonce, "sig": sig})


def open_result_v1(frame: dict, ring: KeyRing, now: float, ttl: int = TTL) -> Result:
    """Checks a feedback_result of version 1: shape, signature, time."""
    uid, ts, nonce, sig = (frame.get(name) for name in ("id", "ts", "nonce", "sig"))
    if not (_is_name(uid, 200) and _is_name(nonce, 200) and _is_int(ts) and isinstance(sig, str)):
        raise FrameError("invalid_message", "id, ts, nonce or sig")
    payload = {name: frame.get(name) for name in ("id", "ok", "result", "error")}
    if not verify_v1(ring, ts, nonce, payload, sig):
        raise FrameError("invalid_signature")
    if abs(now - ts) > ttl:
        raise FrameError("expired")
    return result_of(uid, payload)


# What a bot of version 1 answers when the same feedback, signed anew, may pass.
_V1_RETRYABLE = {
    "Invalid HMAC signature": "invalid_signature",
    "Message expired": "expired",
    "Replayed nonce": "replayed",
}


def result_of(uid: str, data: dict) -> Result:
    """The members of a result, which both versions share."""
    ok, result, error = data.get("ok"), data.get("result"), data.get("error")
    if not isinstance(ok, bool):
        raise FrameError("invalid_payload", "ok")
    if not ok:
        if not isinstance(error, str):
            raise FrameError("invalid_payload", "error")
        code = data.get("error_code")
        code = code if isinstance(code, str) else _V1_RETRYABLE.get(error, "")
        retryable = data.get("retryable", error in _V1_RETRYABLE)
        return Result(uid, False, error=error, error_code=code, retryable=retryable is True)
    if not isinstance(result, dict):
        raise FrameError("invalid_payload", "result")
    ticket, message, sent_at = (result.get(name) for name in ("ticket_id", "message_id", "sent_at"))
    if not (isinstance(ticket, str) and _is_int(message) and isinstance(sent_at, str)):
        raise FrameError("invalid_payload", "result")
    return Result(uid, True, ticket_id=ticket, message_id=message, sent_at=sent_at)


# Version 2


def seal(key: Key, to: str, type: str, uid: str, data: dict, ts: int, nonce: str) -> str:
    """A signed frame of version 2. Raises Malformed where data has no canonical form."""
    envelope = {"v": 2, "to": to, "type": type, "id": uid, "data": data, "ts": ts, "nonce": nonce, "kid": key.id}
    envelope["sig"] = key.sign(canonical(envelope))
    return compact(envelope)


def open_v2(frame: dict, me: str, ring: KeyRing, now: float, ttl: int = TTL) -> Frame:
    """Checks a frame of version 2: envelope, key and signature, time. What it returns can be believed.

    me is the side that reads: both sign with the same key, and what one has said is not to come back to it.
    """
    type, uid, data, ts, nonce, kid, sig = (
        frame.get(name) for name in ("type", "id", "data", "ts", "nonce", "kid", "sig")
    )
    version = frame.get("v")
    shaped = (
        _is_int(version) and version == 2 and frame.get("to") == me
        and all(_is_name(name, 128) for name in (type, uid, nonce, kid))
        and isinstance(data, dict) and _is_int(ts) and isinstance(sig, str)
    )
    if not shaped:
        raise FrameError("invalid_message", "the envelope")
    try:
        message = canonical({name: value for name, value in frame.items() if name != "sig"})
    except Malformed as error:
        raise FrameError("invalid_message", str(error)) from None
    key = ring.get(kid)
    if key is None:
        raise FrameError("invalid_signature", "signed with a key that is not held")
    if not _SIGNATURE.match(sig) or not key.verify(message, sig):
        raise FrameError("invalid_signature")
    if abs(now - ts) > ttl:
        raise FrameError("expired")
    return Frame(type, uid, data, nonce, kid)


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_name(value, most: int) -> bool:
    if not isinstance(value, str):
        return False
    return bool(_NAME.match(value)) if most <= 128 else 0 < len(value) <= most
