# SPDX-License-Identifier: Apache-2.0
"""The WebSocket that the bot opens."""

from __future__ import annotations

import logging

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from . import credentials, session, tokens, wire
from .canonical import MAX_BYTES
from .conf import conf
from .session_v1 import SessionV1
from .session_v2 import SessionV2

logger = logging.getLogger("feedback_bridge")


class FeedbackBotConsumer(AsyncWebsocketConsumer):
    """Lets the bot in by its token, and serves the newest connection.

    A token that is not good is refused before the WebSocket is accepted (HTTP 403). Channels' origin validators may stand
    around it: the bot sends the site's own origin.
    """

    # The layer is listened to by the session, for which it may come and go: were it the consumer's, it would end with it.
    channel_layer_alias = None
    session: session.Session | None = None

    async def __call__(self, scope, receive, send):
        async with ThreadSensitiveContext():  # a thread, and so a database connection, of its own
            try:
                await super().__call__(scope, receive, send)
            finally:
                if self.session is not None:
                    await self.session.stop()

    async def connect(self):
        kind = self._kind()
        try:
            held = await sync_to_async(credentials.current, thread_sensitive=False)()
            held.check_token(tokens.token_of(self.scope))
        except tokens.TokenRefused as refusal:
            logger.warning("the bot's token is refused: %s", refusal)
            await self.close()
            return
        except (OSError, ValueError) as error:
            await self._turn_away(session.TRY_LATER, f"the keys cannot be read: {error}")
            return
        if held.ring.preferred is None:
            await self._turn_away(session.TRY_LATER, "there is no HMAC key: run manage.py check")
        elif kind is None:
            await self._turn_away(session.PROTOCOL, "the bot speaks no version that PROTOCOLS has")
        else:
            await self._open(kind)

    def _kind(self):
        if "v2" in conf.PROTOCOLS and wire.SUBPROTOCOL in self.scope.get("subprotocols", ()):
            return SessionV2
        return SessionV1 if "v1" in conf.PROTOCOLS else None

    async def _open(self, kind):
        try:
            generation = await database_sync_to_async(session.open_generation)(kind.protocol)
        except session.UNAVAILABLE as error:
            await self._turn_away(session.TRY_LATER, f"the database cannot be used: {session.place(error)}")
            return
        await self.accept(wire.SUBPROTOCOL if kind is SessionV2 else None)
        logger.info("the bot is connected, protocol %s", kind.protocol)
        self.session = kind(self.send, self.close, generation)
        self.session.start()

    async def _turn_away(self, code: int, reason: str):
        """For a fault of the site: a refusal before the accept would say that the token is not good."""
        logger.error("%s", reason)
        await self.accept()
        await self.close(code)

    async def receive(self, text_data=None, bytes_data=None):
        if self.session is None:
            return
        if text_data is None or len(text_data) > MAX_BYTES:
            text_data = ""  # counted as what it is: no frame
        await self.session.feed(text_data)

    async def disconnect(self, code):
        if self.session is not None:
            await self.session.stop()
            logger.info("the bot's connection ended (%s)", code)
