# SPDX-License-Identifier: Apache-2.0
import asyncio
import hmac
import json
import time
from urllib.parse import parse_qs

import jwt
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from .models import Feedback
from .site_agent.hmac_utils import sign

MESSAGE_TTL = 45  # seconds


class FeedbackBotConsumer(AsyncWebsocketConsumer):
    bot_connected = False

    async def connect(self):
        token = parse_qs(self.scope["query_string"].decode()).get("token", [""])[0]
        try:
            jwt.decode(token, settings.FEEDBACK_BOT_JWT_SECRET, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            await self.close()
            return
        await self.accept()
        self.bot_connected = True
        self.forwarding = asyncio.ensure_future(self.forward())

    async def disconnect(self, code):
        if self.bot_connected:
            self.bot_connected = False
            self.forwarding.cancel()

    async def forward(self):
        """Takes what was put into the channel "feedback-bot", which is nobody's own: a consumer has to ask for it."""
        while True:
            await self.new_feedback(await self.channel_layer.receive("feedback-bot"))

    async def new_feedback(self, event):
        await self.send(text_data=json.dumps(event))

    async def receive(self, text_data=None, bytes_data=None):
        frame = json.loads(text_data)
        if frame["type"] == "ping":
            await self.send(text_data=json.dumps({"type": "pong"}))
        elif frame["type"] == "feedback_result":
            payload = {name: frame[name] for name in ("id", "ok", "result", "error")}
            if abs(time.time() - frame["ts"]) > MESSAGE_TTL:
                return
            if hmac.compare_digest(sign(frame["ts"], frame["nonce"], payload), frame["sig"]):
                await self.feedback_result(payload)

    @database_sync_to_async
    def feedback_result(self, payload):
        if payload["ok"]:
            number = int(payload["result"]["ticket_id"].rsplit("_", 1)[1])
            Feedback.objects.filter(pk=number).update(telegram_sent=True)
