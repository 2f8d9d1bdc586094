# SPDX-License-Identifier: Apache-2.0
"""Tells the session, wherever it runs, that the database has something for it. A hint: it also looks by itself.

A session of this process is told directly; one of another process over the channel layer, if the site has one. What
happens to the layer happens to the hints alone: the connection, and what is sent over it, do not depend on it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Callable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from .conf import conf

logger = logging.getLogger("feedback_bridge")
GROUP = "feedback-bot"
MESSAGE = {"type": "feedback.bridge.wake"}
SEND_TIMEOUT = 1.0  # that a request of the site may wait for the layer
QUIET = 5.0  # without hints after one failed, so that a dead layer costs little
REJOIN = 60.0  # a layer that restarted has forgotten its groups

_sessions: set[tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = set()
_quiet_until = 0.0


def on_commit(using: str) -> None:
    """Wakes the session when the transaction is committed; once, however much it wrote."""
    connection = transaction.get_connection(using)
    held = set(connection.savepoint_ids)
    for savepoints, func, *_ in getattr(connection, "run_on_commit", ()):
        if func is wake and set(savepoints) <= held:  # whatever rolls that one back undoes ours too
            return
    transaction.on_commit(wake, using=using)


def wake() -> None:
    """From synchronous code."""
    if not _wake_local():
        _tell_layer()


def _wake_local() -> bool:
    woken = False
    for loop, callback in list(_sessions):
        try:
            loop.call_soon_threadsafe(callback)
            woken = True
        except RuntimeError:  # a loop that was closed
            _sessions.discard((loop, callback))
    return woken


def _tell_layer() -> None:
    global _quiet_until
    layer = _layer()
    if layer is None or time.monotonic() < _quiet_until:
        return
    try:
        async_to_sync(_send)(layer)
    except Exception as error:
        _quiet_until = time.monotonic() + QUIET
        text = "the channel layer takes no hints (%s): feedback goes out up to %s s later"
        logger.warning(text, type(error).__name__, conf.POLL_INTERVAL)


async def announce() -> None:
    """From a session that has just opened: the others look, and find that they are not the newest."""
    _wake_local()
    layer = _layer()
    if layer is not None:
        try:
            await _send(layer)
        except Exception as error:
            logger.warning("the channel layer takes no hints (%s)", type(error).__name__)


async def _send(layer) -> None:
    await asyncio.wait_for(layer.group_send(GROUP, MESSAGE), SEND_TIMEOUT)


async def listen(callback: Callable[[], None]) -> None:
    """Calls back at every hint, until it is cancelled."""
    here = (asyncio.get_running_loop(), callback)
    _sessions.add(here)
    try:
        layer = _layer()
        if layer is None:
            await asyncio.Event().wait()
        await _follow(layer, callback)
    finally:
        _sessions.discard(here)


async def _follow(layer, callback: Callable[[], None]) -> None:
    channel, failures = "", 0
    try:
        while True:
            try:
                channel = channel or await layer.new_channel()
                await layer.group_add(GROUP, channel)
                callback()  # there may have been hints before
                failures = 0
                await _receive(layer, channel, callback)
            except Exception as error:
                if not failures:
                    text = "the channel layer gives no hints (%s): looking every %s s"
                    logger.warning(text, type(error).__name__, conf.POLL_INTERVAL)
                failures += 1
                await asyncio.sleep(random.uniform(0.5, 1) * min(2**failures, 30))
    finally:
        if channel:
            await _leave(layer, channel)


async def _receive(layer, channel: str, callback: Callable[[], None]) -> None:
    until = time.monotonic() + REJOIN
    while (left := until - time.monotonic()) > 0:
        try:
            await asyncio.wait_for(layer.receive(channel), left)
        except asyncio.TimeoutError:
            return
        callback()


async def _leave(layer, channel: str) -> None:
    try:
        await asyncio.wait_for(asyncio.shield(layer.group_discard(GROUP, channel)), SEND_TIMEOUT)
    except Exception as error:
        logger.debug("leaving the group: %s", type(error).__name__)


def _layer():
    return get_channel_layer(conf.CHANNEL_LAYER) if conf.CHANNEL_LAYER else None
