# SPDX-License-Identifier: Apache-2.0
from unittest import skipUnless

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.management import call_command
from django.test import TransactionTestCase, override_settings

from feedback_bridge import checks
from feedback_bridge.models import Feedback, Outbox, Reply
from feedback_bridge.tests.bot import SETTINGS, Bot


@skipUnless(apps.is_installed("feedback_bridge.tests.own"), "see settings_own")
@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class OwnModelTests(TransactionTestCase):
    def setUp(self):
        from .models import Player, Ticket

        self.Player, self.Ticket = Player, Ticket

    def test_swapped(self):
        self.assertTrue(Feedback._meta.swapped)
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)
        self.assertEqual(checks.check_model(), [])

    async def test_both_ways(self):
        @sync_to_async
        def create():
            return self.Ticket.objects.create(player=self.Player.objects.create(name="Nick"), topic="bug", words="Текст")

        ticket = await create()
        bot = Bot()
        await bot.connect()
        frame = await bot.read("new_feedback")
        self.assertEqual(frame["data"], {"feedback_id": ticket.pk, "category": "bug", "message": "Текст", "nickname": "Nick", "source": "website"})
        await bot.result(frame["id"], ticket_id="ticket_site_1")
        uid = await bot.say("feedback_created", {"ticket_id": "ticket_tg_1", "category": "a long category", "message": "Привет", "telegram_id": 5})
        await bot.read("ack", id=uid)
        await bot.say("feedback_reply", {"ticket_id": "ticket_tg_1", "from": "staff", "text": "Ответ", "at": "2026-01-02T03:04:05.678901Z"})
        await bot.settle()
        await bot.close()

        @sync_to_async
        def stored():
            self.assertTrue(self.Ticket.objects.get(pk=ticket.pk).telegram_sent)
            other = self.Ticket.objects.get(telegram_ticket="ticket_tg_1")
            self.assertEqual((other.topic, other.words, other.source), ("a long c", "Привет", "telegram"))
            self.assertEqual(Reply.objects.get().feedback, other)
            self.assertEqual(Outbox.objects.filter(settled_at=None).count(), 0)

        await stored()
