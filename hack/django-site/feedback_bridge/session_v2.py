# SPDX-License-Identifier: Apache-2.0
"""Version 2: everything both ways, each frame acknowledged once it is stored, and sent again until it is."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import NamedTuple

from django.db import transaction

from . import __version__, inbox, outbox, wire
from .conf import conf
from .outbox import Message
from .session import Outcome, Session

CAPABILITIES = ("statuses", "replies", "created", "attachments", "key_update")
GREETING = 10.0  # seconds for the bot's hello, before it is taken to have no capabilities


class Peer(NamedTuple):
    """What the bot said about itself."""

    capabilities: tuple = ()
    keys: tuple = ()
    preferred: str = ""


class SessionV2(Session):
    protocol = "v2"

    def __init__(self, *args):
        super().__init__(*args)
        self.peer: Peer | None = None
        self.greeted = asyncio.Event()
        self.hello_id = str(uuid.uuid4())
        self.hello_due: float | None = 0.0  # when to say hello (again); None once it is acknowledged

    # In.

    def handle(self, text: str, at: float) -> Outcome:
        frame = wire.read(text)
        if frame["type"] == "ping":
            return Outcome(reply=wire.PONG)
        if frame["type"] == "pong":
            return Outcome()
        frame = wire.open_v2(frame, self.ring(), at, conf.TTL)
        if frame.type == wire.ACK:
            if frame.id == self.hello_id:
                self.hello_due = None
            outbox.acknowledge(frame.id)
            return Outcome(released=frame.id)
        return self._take(frame)

    def _take(self, frame: wire.Frame) -> Outcome:
        """Stores the effect; acknowledged is also what has none and would come for ever."""
        done = Outcome(reply=self._seal(wire.ACK, frame.id, {}))
        released = ""
        try:
            with transaction.atomic(using=outbox.database()):
                if frame.type == wire.RESULT:
                    # Its id is its request's, which may have several results: it is not remembered, but idempotent.
                    inbox.result(wire.result_of(frame.id, frame.data))
                    released = frame.id
                elif frame.type == wire.HELLO:
                    self._meet(inbox.Reader(frame.data))
                elif inbox.seen(frame):
                    return done
                elif inbox.replayed(frame, conf.TTL):
                    self.refuse("replayed", "replayed")
                    return Outcome()
                else:
                    inbox.take(frame)
                    if frame.type == wire.KEY_UPDATE:
                        self._learn_keys(inbox.Reader(frame.data))
        except (inbox.Invalid, wire.FrameError) as error:
            self.refuse("invalid_payload", f"{frame.type[:32]}: {error}")
        if frame.type not in (wire.RESULT, wire.HELLO):
            inbox.remember(frame)
        return done._replace(released=released)

    def _meet(self, data: inbox.Reader) -> None:
        peer = Peer(tuple(data.names("capabilities")), tuple(data.names("keys")), data.text("preferred", 64))
        inbox.hello(data)
        self.peer = peer

    def _learn_keys(self, data: inbox.Reader) -> None:
        self.peer = (self.peer or Peer())._replace(keys=tuple(data.names("accepted")), preferred=data.text("preferred", 64))

    async def handled(self) -> None:
        if self.peer is not None:
            self.greeted.set()

    # Out.

    def _seal(self, type: str, uid: str, data: dict) -> str:
        peer = self.peer or Peer()
        return wire.seal(self.ring().agreed(peer.keys, peer.preferred), type, uid, data, *self.stamp())

    def frame(self, message: Message) -> str:
        return self._seal(message.type, message.uid, message.data)

    def types(self) -> tuple:
        able = self.peer.capabilities if self.peer else ()
        events = ((wire.STATUS, "statuses"), (wire.REPLY, "replies"))
        return (wire.NEW_FEEDBACK, *(event for event, capability in events if capability in able))

    def attachments(self) -> bool:
        return bool(self.peer and "attachments" in self.peer.capabilities)

    def patience(self) -> float:
        return conf.ACK_TIMEOUT

    async def greet(self) -> None:
        await self.remind()
        try:
            await asyncio.wait_for(self.greeted.wait(), GREETING)
        except asyncio.TimeoutError:
            pass

    async def remind(self) -> None:
        if self.hello_due is None or time.monotonic() < self.hello_due:
            return
        self.hello_due = time.monotonic() + conf.ACK_TIMEOUT
        ring = self.ring()
        await self.send(self._seal(wire.HELLO, self.hello_id, {
            "software": f"feedbackbridge-django/{__version__}",
            "protocol": 2,
            "capabilities": list(CAPABILITIES),
            "keys": ring.ids,
            "preferred": ring.preferred.id,
        }))
