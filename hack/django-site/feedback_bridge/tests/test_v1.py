# SPDX-License-Identifier: Apache-2.0
"""Version 1, over channels.testing."""

from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import TransactionTestCase, override_settings

from feedback_bridge.models import Connection, Feedback, Outbox
from feedback_bridge.outbox import enqueue_feedback
from feedback_bridge.times import of_site, to_wire

from .bot import SETTINGS, Bot

create = sync_to_async(Feedback.objects.create)


@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class VersionOneTests(TransactionTestCase):
    async def reread(self, feedback):
        return await sync_to_async(Feedback.objects.get)(pk=feedback.pk)

    async def test_feedback_and_its_result(self):
        waiting = await create(message="Было", category="wish")
        bot = Bot("v1")
        self.assertTrue(await bot.connect())
        self.assertEqual((await bot.read("new_feedback"))["data"]["feedback_id"], waiting.pk)
        feedback = await create(message="Текст", category="bug", nickname="PlayerNick", telegram_id=999, telegram_username="user", telegram_first_name="Имя")
        frame = await bot.read("new_feedback")
        self.assertEqual(frame["data"], {
            "feedback_id": feedback.pk, "telegram_id": 999, "telegram_username": "user", "telegram_first_name": "Имя",
            "nickname": "PlayerNick", "category": "bug", "message": "Текст", "created_at": to_wire(of_site(feedback.created_at)), "source": "website",
        })
        await bot.result(frame["id"], ticket_id=f"ticket_site_{feedback.pk}")
        await bot.settle()
        feedback = await self.reread(feedback)
        self.assertTrue(feedback.telegram_sent)
        self.assertEqual((feedback.telegram_ticket, feedback.telegram_message_id), (f"ticket_site_{feedback.pk}", 456))
        self.assertFalse((await self.reread(waiting)).telegram_sent)
        await bot.close()

    async def test_escaped_form_both_ways(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "V1_ENSURE_ASCII": True}):
            feedback = await create(message="Текст")
            bot = Bot("v1")
            await bot.connect()
            frame = await bot.read("new_feedback")
            await bot.result(frame["id"], ensure_ascii=True, ticket_id="ticket_сайт_1")
            await bot.settle()
            self.assertEqual((await self.reread(feedback)).telegram_ticket, "ticket_сайт_1")
            await bot.close()

    async def test_sent_again_to_the_next_connection_with_the_same_id(self):
        await create(message="m")
        seen = []
        for _ in range(3):
            bot = Bot("v1")
            await bot.connect()
            seen.append(await bot.read("new_feedback"))
            await bot.close()
        self.assertEqual(len({frame["id"] for frame in seen}), 1)
        self.assertEqual(len({frame["nonce"] for frame in seen}), 3)
        bot = Bot("v1")
        await bot.connect()
        await bot.result(seen[0]["id"])
        await bot.settle()
        await bot.result(seen[0]["id"], ticket_id="another")  # has no effect
        await bot.close()
        feedback = await sync_to_async(Feedback.objects.get)()
        self.assertEqual(feedback.telegram_ticket, "ticket_site_1")
        bot = Bot("v1")
        await bot.connect()
        self.assertTrue(await bot.quiet())
        await bot.close()

    async def test_refused_for_good_and_for_now(self):
        final, passing = await create(message="final"), await create(message="passing")
        bot = Bot("v1")
        await bot.connect()
        await bot.result((await bot.read("new_feedback"))["id"], error="Telegram refused it")
        frame = await bot.read("new_feedback")
        await bot.result(frame["id"], error="Message expired")
        await bot.settle()
        self.assertEqual((await self.reread(final)).telegram_error, "Telegram refused it")
        row = await sync_to_async(Outbox.objects.get)(feedback=passing)
        self.assertIsNone(row.settled_at)
        self.assertEqual(row.error, "expired")
        await sync_to_async(Outbox.objects.filter(pk=row.pk).update)(not_before=None)
        again = await bot.read("new_feedback")
        self.assertEqual(again["id"], frame["id"])
        self.assertNotEqual(again["nonce"], frame["nonce"])
        await bot.close()

    async def test_window_and_order(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "WINDOW": 3}):
            rows = [await create(message=str(n)) for n in range(8)]
            bot = Bot("v1")
            await bot.connect()
            got = [await bot.read("new_feedback") for _ in range(3)]
            self.assertTrue(await bot.quiet())
            while len(got) < 8:
                await bot.result(got[len(got) - 3]["id"])
                got.append(await bot.read("new_feedback"))
            self.assertEqual([frame["data"]["feedback_id"] for frame in got], [row.pk for row in rows])
            await bot.close()

    async def test_a_forged_result_has_no_effect(self):
        feedback = await create(message="m")
        bot, forger = Bot("v1"), Bot("v1", secret="another")
        await bot.connect()
        frame = await bot.read("new_feedback")
        forger.socket = bot.socket
        await forger.result(frame["id"])
        await bot.send("no JSON")
        await bot.settle()
        self.assertFalse((await self.reread(feedback)).telegram_sent)
        connection = await sync_to_async(Connection.current)()
        self.assertEqual(connection.refused, 2)
        self.assertTrue(connection.is_open)
        await bot.close()
        self.assertFalse((await sync_to_async(Connection.current)()).is_open)

    async def test_statuses_and_replies_wait_for_version_two(self):
        feedback = await create(message="m")
        await sync_to_async(feedback.change_status)("read")
        await sync_to_async(feedback.add_reply)("An answer")
        bot = Bot("v1")
        await bot.connect()
        await bot.read("new_feedback")
        self.assertTrue(await bot.quiet())
        await bot.close()
        self.assertEqual(await sync_to_async(Outbox.objects.filter(settled_at=None).count)(), 3)

    async def test_the_newest_connection_counts(self):
        first, second = Bot("v1"), Bot("v1")
        await first.connect()
        await second.connect()
        self.assertEqual(await first.closed(), 4000)
        await first.close()
        await create(message="m")
        await second.read("new_feedback")
        self.assertTrue((await sync_to_async(Connection.current)()).is_open)
        await second.close()

    async def test_silence_is_asked_about_and_ends(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "PING_INTERVAL": 0.1}):
            bot = Bot("v1")
            await bot.connect()
            await bot.read("ping")
            await bot.send('{"type":"pong"}')
            self.assertEqual(await bot.closed(), 4408)
            await bot.close()


@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class OutboxTests(TransactionTestCase):
    def test_rolled_back_with_its_feedback(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Feedback.objects.create(message="never")
            1 / 0
        with transaction.atomic():
            Feedback.objects.create(message="kept")
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                Feedback.objects.create(message="never")
                1 / 0
        self.assertEqual([row.feedback.message for row in Outbox.objects.all()], ["kept"])

    def test_bulk_create(self):
        Feedback.objects.bulk_create([Feedback(message=str(n)) for n in range(3)])
        self.assertEqual({row.feedback.message for row in Outbox.objects.all()}, {"0", "1", "2"})
        with self.assertRaises(ValueError):
            Feedback.objects.bulk_create([Feedback(message="m")], ignore_conflicts=True)

    def test_by_hand(self):
        feedback = Feedback.objects.create(message="m")
        enqueue_feedback([feedback])
        self.assertEqual(Outbox.objects.count(), 2)
