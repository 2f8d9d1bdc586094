# SPDX-License-Identifier: Apache-2.0
"""Version 2: everything both ways, each frame acknowledged once it is stored, and sent again until it is."""

from __future__ import annotations

import time
import uuid
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from . import __version__, inbox, outbox, wire
from .conf import conf
from .outbox import Message
from .session import Outcome, Session, place

CAPABILITIES = ("statuses", "replies", "created", "attachments", "key_update")

# What a model refuses now, it refuses the next time: not acknowledged, such events would soon be all that comes.
NEVER_STORED = (DataError, IntegrityError, TypeError, ValidationError, ValueError)


class Peer(NamedTuple):
    """What the bot said about itself."""

    capabilities: tuple = ()
    keys: tuple = ()
    preferred: str = ""


class SessionV2(Session):
    protocol = "v2"
    acks = True

    def __init__(self, *args):
        super().__init__(*args)
        self.peer: Peer | None = None
        self.keys_at = ""  # of the latest key_update
        self.greeted = False  # and events may be sent
        self.hello_id = str(uuid.uuid4())
        self.hello_due: float | None = 0.0  # when to say hello (again); None once it is acknowledged

    # In.

    def handle(self, text: str, at: float) -> Outcome:
        frame = wire.read(text)
        if frame["type"] == "ping":
            return Outcome(reply=wire.PONG)
        if frame["type"] == "pong":
            return Outcome()
        frame = wire.open_v2(frame, wire.SITE, self.ring(), at, conf.TTL)
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
                elif frame.type == wire.KEY_UPDATE:
                    self._learn_keys(inbox.Reader(frame.data))
                else:
                    inbox.take(frame)
        except inbox.TooEarly as error:
            self.refuse("too_early", f"{frame.type[:32]}: {error}")
            return Outcome()
        except (inbox.Invalid, wire.FrameError) as error:
            self.refuse("invalid_payload", f"{frame.type[:32]}: {error}")
        except NEVER_STORED as error:
            self.refuse("not_stored", f"{frame.type[:32]}: the site's model does not take it: {place(error)}")
        if frame.type not in (wire.RESULT, wire.HELLO):
            inbox.remember(frame)
        return done._replace(released=released)

    def _meet(self, data: inbox.Reader) -> None:
        peer = Peer(tuple(data.names("capabilities")), tuple(data.names("keys")), data.text("preferred", 64))
        if self.keys_at and self.peer:  # said again; what was said since about keys is newer
            peer = peer._replace(keys=self.peer.keys, preferred=self.peer.preferred)
        inbox.hello(data, list(peer.keys), peer.preferred)
        self.peer = peer

    def _learn_keys(self, data: inbox.Reader) -> None:
        keys, preferred, at = data.names("accepted"), data.text("preferred", 64), data.text("at", 64)
        if at < self.keys_at or self.peer is None:
            return
        inbox.learn_keys(keys, preferred)
        self.keys_at, self.peer = at, self.peer._replace(keys=tuple(keys), preferred=preferred)

    async def handled(self) -> None:
        if not self.greeted and self.ready():
            self.greeted = True
            self.woken.set()

    # Out.

    def _seal(self, type: str, uid: str, data: dict) -> str:
        peer = self.peer or Peer()
        return wire.seal(self.ring().agreed(peer.keys, peer.preferred), wire.BOT, type, uid, data, *self.stamp())

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

    def ready(self) -> bool:
        return self.peer is not None

    async def greet(self) -> None:
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
