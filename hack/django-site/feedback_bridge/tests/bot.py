# SPDX-License-Identifier: Apache-2.0
"""A bot for tests: speaks both versions over channels.testing, and is the consumer's only peer."""

import json
import time
import uuid

import jwt
from channels.testing import WebsocketCommunicator

from feedback_bridge import wire
from feedback_bridge.consumer import FeedbackBotConsumer
from feedback_bridge.keys import Key, KeyRing

from . import schemas

JWT_SECRET = "jwt secret of the tests, 32 bytes"
HMAC_SECRET = "hmac secret of the tests"
SETTINGS = {"HMAC_SECRET": HMAC_SECRET, "JWT_SECRET": JWT_SECRET, "POLL_INTERVAL": 0.05, "CHANNEL_LAYER": ""}
PATIENCE = 20  # seconds, on a machine that has much else to do
CAPABILITIES = ["statuses", "replies", "created", "attachments", "key_update"]


def token(secret=JWT_SECRET, **claims):
    return jwt.encode({"exp": int(time.time()) + 60, **claims}, secret, "HS256")


class Bot:
    def __init__(self, protocol="v2", secret=HMAC_SECRET, application=None, path=None, headers=None):
        self.protocol, self.key = protocol, Key(secret)
        self.hello_id = ""
        self.frames = []  # read, and not asked for yet
        self.socket = WebsocketCommunicator(
            application or FeedbackBotConsumer.as_asgi(),
            path or f"/ws/feedback-bot?token={token()}",
            headers=headers,
            subprotocols=[wire.SUBPROTOCOL] if protocol == "v2" else [],
        )

    async def connect(self, hello=True, capabilities=CAPABILITIES):
        accepted, chosen = await self.socket.connect(timeout=PATIENCE)
        if accepted and self.protocol == "v2":
            assert chosen == wire.SUBPROTOCOL, chosen
            if hello:
                await self.connect_hello(capabilities)
        return accepted

    async def connect_hello(self, capabilities=CAPABILITIES):
        self.hello_id = await self.say("hello", {
            "software": "feedbackbridge-bot/test", "protocol": 2, "capabilities": capabilities,
            "keys": [self.key.id], "preferred": self.key.id,
        })

    async def close(self):
        await self.socket.disconnect(timeout=PATIENCE)

    async def closed(self, timeout=PATIENCE):
        """The code with which the site closes."""
        while True:
            output = await self.socket.receive_output(timeout)
            if output["type"] == "websocket.close":
                return output.get("code", 1000)

    # Out.

    async def send(self, frame):
        await self.socket.send_to(text_data=frame if isinstance(frame, str) else json.dumps(frame))

    def seal(self, type, data, uid=None, ts=None, nonce=None):
        return wire.seal(self.key, wire.SITE, type, uid or str(uuid.uuid4()), data, int(ts or time.time()), nonce or str(uuid.uuid4()))

    async def say(self, type, data, uid=None, **stamp):
        uid = uid or str(uuid.uuid4())
        await self.send(self.seal(type, data, uid, **stamp))
        return uid

    async def ack(self, uid):
        await self.say("ack", {}, uid)

    async def result(self, uid, ensure_ascii=False, error=None, error_code=None, retryable=False, **result):
        ok = error is None
        result = {"ticket_id": "ticket_site_1", "message_id": 456, "sent_at": "2026-01-02T03:04:05", **result} if ok else None
        if self.protocol == "v2":
            await self.say("feedback_result", {"ok": ok, "result": result, "error": error, "error_code": error_code, "retryable": retryable}, uid)
            return
        payload = {"id": uid, "ok": ok, "result": result, "error": error}
        ts, nonce = int(time.time()), str(uuid.uuid4())
        sig = wire.sign_v1(self.key, ts, nonce, payload, ensure_ascii)
        await self.send({"type": "feedback_result", **payload, "ts": ts, "nonce": nonce, "sig": sig})

    # In.

    async def read(self, type, timeout=PATIENCE, **members):
        """The next frame of a type (with these members); those of others wait. It is checked as the bot does."""
        for index, frame in enumerate(self.frames):
            if frame["type"] == type and all(frame.get(name) == value for name, value in members.items()):
                return self.frames.pop(index)
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            frame = json.loads(await self.socket.receive_from(timeout))
            self.check(frame)
            if frame["type"] == type and all(frame.get(name) == value for name, value in members.items()):
                return frame
            self.frames.append(frame)
        raise AssertionError(f"no {type}")

    def check(self, frame):
        schemas.check(self.protocol, frame)
        if frame["type"] in ("ping", "pong"):
            assert set(frame) == {"type"}
        elif self.protocol == "v2":
            wire.open_v2(frame, wire.BOT, KeyRing([self.key]), time.time())
        else:
            ring = KeyRing([self.key])
            assert wire.verify_v1(ring, frame["ts"], frame["nonce"], frame["data"], frame["sig"])
            assert abs(frame["ts"] - time.time()) <= 45

    async def quiet(self):
        """Whether nothing comes that was not read, once everything before has been handled."""
        await self.settle()
        return not [frame for frame in self.frames if frame["type"] not in ("hello", "ping") and not self.is_ack_of_hello(frame)]

    def is_ack_of_hello(self, frame):
        return frame["type"] == "ack" and frame["id"] == self.hello_id

    async def settle(self):
        """Returns when the site has handled all that was said: it answers pings in their turn."""
        await self.send(wire.PING)
        await self.read("pong")
