# SPDX-License-Identifier: Apache-2.0
"""What the tests of version 2 have in common."""

from datetime import datetime, timezone

from asgiref.sync import sync_to_async
from django.test import TransactionTestCase, override_settings

from feedback_bridge.models import Feedback

from .bot import SETTINGS, Bot

create = sync_to_async(Feedback.objects.create)
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone.utc)


@sync_to_async
def reread(feedback):
    return Feedback.objects.get(pk=feedback.pk)


@sync_to_async
def count(model, **filters):
    return model.objects.filter(**filters).count()


@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class VersionTwoTestCase(TransactionTestCase):
    async def bot(self, **hello):
        bot = Bot()
        self.assertTrue(await bot.connect(**hello))
        return bot

    async def ticket(self, bot, **values):
        """A feedback that stands in Telegram."""
        feedback = await create(**{"message": "m", **values})
        frame = await bot.read("new_feedback")
        await bot.ack(frame["id"])
        await bot.result(frame["id"], ticket_id=f"ticket_site_{feedback.pk}")
        await bot.read("ack", id=frame["id"])
        return await reread(feedback)

    async def told(self, bot, type, data, **stamp):
        """Says something and waits until it is acknowledged."""
        uid = await bot.say(type, data, **stamp)
        await bot.read("ack", id=uid)
        return uid
