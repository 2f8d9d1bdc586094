# SPDX-License-Identifier: Apache-2.0
"""One open connection to the bot: what both versions of the protocol have in common.

Frames are read into a bounded queue and handled in order, many in one transaction; what they ask for in return is sent
after the commit. A ping is answered in its turn, so a pong says that everything before it is stored. Beside that the
outbox is emptied, at most WINDOW frames ahead of the bot, and the connection is watched.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import uuid
from typing import NamedTuple

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import F

from . import credentials, outbox, times, wakeup, wire
from .canonical import MAX_BYTES
from .conf import conf
from .models import Connection, Outbox

logger = logging.getLogger("feedback_bridge")

QUEUE = 64  # frames that wait to be handled; the more wait, the more are committed at once
DRAIN = 5.0  # seconds for what was read before the end
PRUNE_EVERY = 3600.0
SUPERSEDED, SILENT, PROTOCOL, INTERNAL, TRY_LATER = 4000, 4408, 1002, 1011, 1013  # close codes
UNAVAILABLE = (OperationalError, InterfaceError)


class Superseded(Exception):
    """There is a newer connection."""


class Outcome(NamedTuple):
    """What handling a frame led to: what to send in return, and which event is on its way no more."""

    reply: str = ""
    released: str = ""


class Parcel(NamedTuple):
    """A frame on its way: when it is sent again, and its length in bytes."""

    until: float
    length: int


def place(error: Exception) -> str:
    """Names an exception for the log by kind and place. Its text may hold what a user wrote."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return type(error).__name__ + "".join(f" at {frame.filename}:{frame.lineno}" for frame in last)


def open_generation(protocol: str) -> int:
    """Notes a new connection, which is the one that counts from now on."""
    using = outbox.database()
    row = Connection.objects.using(using).filter(pk=Connection.ID)
    now = times.to_db(times.now())
    values = {
        "protocol": protocol, "opened_at": now, "heard_at": now, "closed_at": None,
        "software": "", "peer_keys": [], "peer_preferred": "",
    }
    with transaction.atomic(using=using):
        if not row.update(generation=F("generation") + 1, **values):
            Connection.objects.using(using).bulk_create([Connection()], ignore_conflicts=True)
            row.update(generation=F("generation") + 1, **values)
        # What the last connection was to try again later, this one tries at once: it may have other keys.
        waiting = Outbox.objects.using(using).filter(settled_at__isnull=True, acked_at__isnull=True, not_before__isnull=False)
        waiting.update(not_before=None)
        return row.values_list("generation", flat=True).get()


def close_connections() -> None:
    """For a thread that may not come again."""
    for connection in connections.all():
        if not connection.in_atomic_block:
            connection.close()


def prune() -> None:
    try:
        outbox.prune()
    finally:
        close_connections()


class Session:
    """Made, fed and stopped by the consumer, which lends it send and close."""

    protocol = ""
    acks = False  # whether the bot acknowledges

    def __init__(self, send, close, generation: int):
        self._send, self._close = send, close
        self.generation = generation
        self.frames: asyncio.Queue = asyncio.Queue(QUEUE)
        self.woken = asyncio.Event()
        self.in_flight: dict[str, Parcel] = {}
        self.more = False  # the outbox may have more than the window let through
        self.ended = False  # nothing is sent any more
        self.deaf = False  # nothing is handled any more
        self.heard = time.monotonic()
        self.refusals: set[str] = set()
        self.tasks: list[asyncio.Task] = []

    # What the versions differ in.

    def handle(self, text: str, at: float) -> Outcome:
        """Handles one frame, read at a time. Runs in the thread of the database, in a transaction; may raise FrameError."""
        raise NotImplementedError

    def frame(self, message: outbox.Message) -> str:
        """Signs an event."""
        raise NotImplementedError

    def types(self) -> tuple:
        """The events that may be sent."""
        raise NotImplementedError

    def attachments(self) -> bool:
        return False

    def patience(self) -> float:
        """Seconds until an event that was not answered is sent again."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether events may be sent."""
        return True

    async def greet(self) -> None:
        """What is said beside events; called before each look at the outbox."""

    # Its life.

    def start(self) -> None:
        jobs = (self._work(), self._pump(), self._watch(), wakeup.listen(self.woken.set), wakeup.announce())
        self.tasks = [asyncio.ensure_future(self._guard(job)) for job in jobs]

    async def feed(self, text: str) -> None:
        """Takes a frame that was read; waits while too many wait already."""
        self.heard = time.monotonic()
        if not self.deaf:
            await self.frames.put((text, time.time()))

    async def stop(self) -> None:
        """Ends; what was read before is still handled."""
        self.ended = True
        tasks, self.tasks = self.tasks, []
        if not tasks:
            return
        worker, *others = tasks
        joined = asyncio.ensure_future(self.frames.join())
        try:
            for task in others:
                task.cancel()
            await asyncio.wait([joined, worker], timeout=DRAIN, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (joined, worker):
                task.cancel()
        await asyncio.gather(joined, *tasks, return_exceptions=True)
        try:
            await database_sync_to_async(self._note_end)()
        except UNAVAILABLE as error:
            logger.warning("the end of the connection could not be noted: %s", place(error))

    async def send(self, text: str) -> None:
        if not self.ended:
            await self._send(text)

    async def _guard(self, job) -> None:
        """The connection ends when one of its jobs fails. Nothing is lost by that: the bot connects again."""
        try:
            await job
        except Superseded:
            await self._hang_up(SUPERSEDED, "the bot has a newer connection: this one ends")
        except UNAVAILABLE as error:
            await self._hang_up(TRY_LATER, f"the database cannot be used: {place(error)}")
        except Exception as error:
            await self._hang_up(INTERNAL, f"the session failed: {place(error)}")

    async def _hang_up(self, code: int, reason: str) -> None:
        if not self.ended:
            self.ended = True
            logger.log(logging.INFO if code == SUPERSEDED else logging.ERROR, "%s", reason)
            await self._close(code)

    # In.

    async def _work(self) -> None:
        try:
            await self._handle_batches()
        finally:
            self.deaf = True
            while not self.frames.empty():  # nobody waits to be read
                self.frames.get_nowait()

    async def _handle_batches(self) -> None:
        while True:
            batch = [await self.frames.get()]
            while len(batch) < QUEUE and not self.frames.empty():
                batch.append(self.frames.get_nowait())
            try:
                outcomes = await database_sync_to_async(self._handle_all)(batch)
                for outcome in outcomes:
                    self._release(outcome.released)
                    if outcome.reply:
                        await self.send(outcome.reply)
            finally:
                for _ in batch:
                    self.frames.task_done()
            await self.handled()

    async def handled(self) -> None:
        """Called after each batch."""

    def _handle_all(self, batch: list) -> list[Outcome]:
        using = outbox.database()
        with transaction.atomic(using=using):
            # A write first: on SQLite a transaction that begins by reading may find that it cannot write.
            if not self._row().update(heard_at=times.to_db(times.now())):
                raise Superseded  # nothing is lost: what was not acknowledged comes again
            return [self._handle(text, at) for text, at in batch]

    def _handle(self, text: str, at: float) -> Outcome:
        try:
            with transaction.atomic(using=outbox.database()):
                return self.handle(text, at)
        except UNAVAILABLE:
            raise
        except wire.FrameError as error:
            self.refuse(error.code, str(error))
        except Exception as error:  # not acknowledged: the bot keeps it
            self.refuse("failed", f"a frame could not be handled: {place(error)}")
        return Outcome()

    def refuse(self, code: str, detail: str) -> None:
        """Counts a frame that had no effect, and logs the first of a kind."""
        connection = Connection.objects.using(outbox.database()).filter(pk=Connection.ID)
        connection.update(refused=F("refused") + 1, last_refusal=detail[:128], refused_at=times.to_db(times.now()))
        if code not in self.refusals:
            self.refusals.add(code)
            hint = {"expired": "; compare the clocks", "invalid_signature": "; compare the HMAC keys"}.get(code, "")
            logger.warning("a frame of the bot is refused: %s%s (further ones are only counted)", detail, hint)

    def _release(self, uid: str) -> None:
        if not uid or self.in_flight.pop(uid, None) is None or not self.more:
            return
        length = sum(parcel.length for parcel in self.in_flight.values())
        if len(self.in_flight) <= conf.WINDOW // 2 and length <= conf.WINDOW_BYTES // 2:
            self.woken.set()

    # Out.

    async def _pump(self) -> None:
        while True:
            self.woken.clear()
            now = time.monotonic()
            for uid in [uid for uid, parcel in self.in_flight.items() if parcel.until <= now]:
                del self.in_flight[uid]
            await self.greet()
            frames, self.more = await database_sync_to_async(self._next)(dict(self.in_flight))
            for uid, text, length in frames:
                self.in_flight[uid] = Parcel(now + self.patience(), length)
                await self.send(text)
            try:
                await asyncio.wait_for(self.woken.wait(), conf.POLL_INTERVAL)
            except asyncio.TimeoutError:
                pass

    def _next(self, in_flight: dict[str, Parcel]) -> tuple[list[tuple[str, str, int]], bool]:
        """Frames to send, with their ids and lengths, as far as the window lets them through; and whether there may be more."""
        if not self._row().exists():
            raise Superseded
        room = conf.WINDOW - len(in_flight)
        space = conf.WINDOW_BYTES - sum(parcel.length for parcel in in_flight.values())
        if not self.ready() or room <= 0 or space <= 0:
            return [], True
        rows = outbox.due(self.types(), room, in_flight, self.acks)
        frames, tried = [], []
        for row in rows:
            text = self._framed(row)
            length = len(text.encode())
            if length > space and (frames or in_flight):
                break
            tried.append(row)
            space -= length
            if text:
                frames.append((str(row.uid), text, length))
        outbox.sent(tried)
        return frames, len(tried) == room or len(tried) < len(rows)

    def _framed(self, row: Outbox) -> str:
        """An event as a frame. One that has none waits for the site's code to be mended, and holds nothing up."""
        try:
            message = outbox.message(row, self.attachments())
            text = self.frame(message)
            if len(text.encode()) > MAX_BYTES:
                for item in message.data.get("attachments", ()):
                    item.pop("base64", None)
                text = self.frame(message)
            if len(text.encode()) <= MAX_BYTES:
                return text
            logger.error("event %s is given up: it is longer than a frame may be", row.uid)
            outbox.give_up(row, "longer than a frame may be")
        except UNAVAILABLE:
            raise
        except Exception as error:
            if not row.error:
                logger.error("event %s cannot be told, and is tried again later: %s", row.uid, place(error))
            outbox.postpone(row, f"cannot be told: {type(error).__name__}")
        return ""

    @staticmethod
    def stamp() -> tuple[int, str]:
        """A frame's time and nonce."""
        return int(time.time()), str(uuid.uuid4())

    @staticmethod
    def ring():
        return credentials.current().ring

    # Watched.

    async def _watch(self) -> None:
        pruned = time.monotonic()
        while True:
            await asyncio.sleep(conf.PING_INTERVAL)
            silent = time.monotonic() - self.heard
            if silent >= 2.5 * conf.PING_INTERVAL:
                await self._hang_up(SILENT, f"the bot has been silent for {silent:.0f} s")
                return
            if silent >= 0.5 * conf.PING_INTERVAL:
                await self.send(wire.PING)
            if time.monotonic() - pruned >= PRUNE_EVERY:
                pruned = time.monotonic()
                await database_sync_to_async(prune, thread_sensitive=False)()

    def _row(self):
        """The connection, while it is the newest."""
        return Connection.objects.using(outbox.database()).filter(pk=Connection.ID, generation=self.generation)

    def _note_end(self) -> None:
        self._row().update(closed_at=times.to_db(times.now()))
        close_connections()
