# SPDX-License-Identifier: Apache-2.0
"""Version 2, over channels.testing: what the bot says, and faults."""

import time
from datetime import datetime, timedelta, timezone
from unittest import mock

from asgiref.sync import sync_to_async
from django.db import IntegrityError
from django.test import override_settings

from feedback_bridge import signals
from feedback_bridge.models import Attachment, Connection, Feedback, Outbox, Received, Reply
from feedback_bridge.times import from_db, of_site, to_wire

from .bot import HMAC_SECRET, SETTINGS, Bot
from .case_v2 import AT, VersionTwoTestCase, count, create, reread


class TakingTests(VersionTwoTestCase):
    async def test_a_status_of_the_group(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        for status, at, want in (
            ("read", AT, "read"),
            ("closed", AT - timedelta(microseconds=1), "read"),  # older
            ("in_progress", AT, "in_progress"),  # of the same moment: the bot's counts
            ("replied", AT + timedelta(microseconds=1), "replied"),
        ):
            await self.told(bot, "feedback_status", {"ticket_id": feedback.telegram_ticket, "status": status, "at": to_wire(at)})
            self.assertEqual((await reread(feedback)).status, want)
        self.assertEqual(from_db((await reread(feedback)).status_at), AT + timedelta(microseconds=1))
        await bot.close()

    async def test_a_status_of_the_site_is_later_than_what_it_replaces(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        ahead = datetime.now(timezone.utc) + timedelta(minutes=5)
        await self.told(bot, "feedback_status", {"feedback_id": feedback.pk, "status": "read", "at": to_wire(ahead)})
        await sync_to_async((await reread(feedback)).change_status)("closed")
        self.assertEqual((await bot.read("feedback_status"))["data"]["at"], to_wire(ahead + timedelta(microseconds=1)))
        await bot.close()

    async def test_a_reply_and_a_ticket_of_telegram(self):
        bot = await self.bot()
        await self.told(bot, "feedback_created", {
            "ticket_id": "ticket_tg_7", "feedback_id": 0, "telegram_id": 99, "telegram_username": "user", "telegram_first_name": "Имя",
            "nickname": "Nick", "category": "other", "message": "Привет\x00", "created_at": to_wire(AT), "source": "telegram", "locale": "ru",
            "attachments": [{"name": "photo.jpg", "mime": "image/jpeg", "size": 3, "base64": "AAEC"}],
        })
        feedback = await sync_to_async(Feedback.objects.get)()
        self.assertEqual((feedback.telegram_ticket, feedback.message, feedback.source), ("ticket_tg_7", "Привет\ufffd", "telegram"))
        self.assertEqual(of_site(feedback.created_at), AT)
        self.assertEqual(await count(Outbox), 0)
        await self.told(bot, "feedback_reply", {
            "ticket_id": "ticket_tg_7", "feedback_id": 0, "from": "staff", "text": "Ответ", "author": {"telegram_id": 5, "name": "Анна"}, "at": to_wire(AT),
            "attachments": [{"name": "big.mp4", "mime": "video/mp4", "size": 9_000_000}],
        })
        reply = await sync_to_async(Reply.objects.get)()
        self.assertEqual((reply.text, reply.sender, reply.author_label, reply.author_telegram_id), ("Ответ", "staff", "Анна", 5))
        contents = await sync_to_async(lambda: [(a.name, a.size, a.content and bytes(a.content)) for a in Attachment.objects.all()])()
        self.assertEqual(contents, [("photo.jpg", 3, b"\0\1\2"), ("big.mp4", 9_000_000, None)])
        await sync_to_async(feedback.add_reply)("Ответ с сайта")
        self.assertEqual((await bot.read("feedback_reply"))["data"]["ticket_id"], "ticket_tg_7")
        await bot.close()

    async def test_the_same_again_has_no_effect_and_is_acknowledged(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        data = {"feedback_id": feedback.pk, "from": "staff", "text": "once", "at": to_wire(AT)}
        uid = await self.told(bot, "feedback_reply", data)
        await self.told(bot, "feedback_reply", data, uid=uid)
        await bot.close()
        bot = await self.bot()
        await self.told(bot, "feedback_reply", data, uid=uid)
        self.assertEqual(await count(Reply), 1)
        await bot.close()

    async def test_a_nonce_of_another_id_is_dropped(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        data = {"feedback_id": feedback.pk, "from": "staff", "text": "t", "at": to_wire(AT)}
        await self.told(bot, "feedback_reply", data, nonce="once")
        await bot.say("feedback_reply", data, nonce="once")
        self.assertTrue(await bot.quiet())
        self.assertEqual(await count(Reply), 1)
        self.assertEqual((await sync_to_async(Connection.current)()).last_refusal, "replayed")
        await bot.close()

    async def test_what_cannot_be_believed_is_not_acknowledged(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        data = {"feedback_id": feedback.pk, "from": "staff", "text": "t", "at": to_wire(AT)}
        await bot.say("feedback_reply", data, ts=time.time() - 60)
        forger = Bot(secret="another")
        await bot.send(forger.seal("feedback_reply", data))
        await bot.send(bot.seal("feedback_reply", data).replace('"t"', '"T"'))
        await bot.socket.send_to(bytes_data=b"\x00")
        self.assertTrue(await bot.quiet())
        self.assertEqual((await count(Reply), await count(Received)), (0, 0))
        self.assertEqual((await sync_to_async(Connection.current)()).refused, 4)
        await bot.close()

    async def test_what_makes_no_sense_is_acknowledged_and_counted(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        known = {"feedback_id": feedback.pk}
        bad = [
            ("feedback_status", {**known, "status": "gone", "at": to_wire(AT)}),
            ("feedback_status", {**known, "status": "read"}),
            ("feedback_status", {**known, "status": "read", "at": "yesterday"}),
            ("feedback_status", {**known, "status": "read", "at": "9999-12-31T23:59:59.999999Z"}),
            ("feedback_status", {"feedback_id": 10**6, "status": "read", "at": to_wire(AT)}),
            ("feedback_status", {"feedback_id": 2**70, "status": "read", "at": to_wire(AT)}),
            ("feedback_status", {"ticket_id": ["x"], "status": "read", "at": to_wire(AT)}),
            ("feedback_reply", {**known, "from": "staff", "text": "", "at": to_wire(AT)}),
            ("feedback_reply", {**known, "from": "staff", "text": "t"}),
            ("feedback_reply", {**known, "from": "nobody", "text": "t", "at": to_wire(AT)}),
            ("feedback_reply", {**known, "from": "staff", "text": "t", "author": [], "at": to_wire(AT)}),
            ("feedback_reply", {**known, "from": "staff", "text": "t", "at": to_wire(AT), "attachments": [{"base64": "!"}]}),
            ("feedback_created", {"ticket_id": ""}),
            ("feedback_result", {"ok": 1}),
            ("key_update", {"accepted": "all"}),
        ]
        for type, data in bad:
            with self.subTest(type, data=str(data)[:60]):
                await self.told(bot, type, data)
        await self.told(bot, "of_the_future", {"a": [1.5, "я"]})
        self.assertEqual((await sync_to_async(Connection.current)()).refused, len(bad))
        self.assertEqual((await reread(feedback)).status, "new")
        self.assertEqual(await count(Reply), 0)
        await bot.close()

    async def test_up_and_down_between_versions_loses_nothing(self):
        two = await self.bot()
        first = await create(message="1")
        frame = await two.read("new_feedback")
        await two.ack(frame["id"])
        await two.settle()
        second = await create(message="2")
        unacknowledged = await two.read("new_feedback")
        await two.close()
        one = Bot("v1")
        await one.connect()
        self.assertEqual((await one.read("new_feedback"))["id"], frame["id"])  # version 1 knows no acks: asked again
        again = await one.read("new_feedback")
        self.assertEqual(again["id"], unacknowledged["id"])
        await one.result(frame["id"])
        await one.settle()
        self.assertTrue((await reread(first)).telegram_sent)
        await sync_to_async(first.change_status)("read")
        self.assertTrue(await one.quiet())
        await one.close()
        two = await self.bot()
        self.assertEqual((await two.read("new_feedback"))["id"], again["id"])
        await two.read("feedback_status")
        await two.result(again["id"])
        await two.settle()
        self.assertTrue((await reread(second)).telegram_sent)
        await two.close()


class FailureTests(VersionTwoTestCase):
    async def test_what_comes_before_its_ticket_comes_again(self):
        bot = await self.bot()
        data = {"ticket_id": "ticket_tg_9", "from": "staff", "text": "t", "at": to_wire(datetime.now(timezone.utc))}
        uid = await bot.say("feedback_reply", data)
        self.assertTrue(await bot.quiet())
        await self.told(bot, "feedback_created", {"ticket_id": "ticket_tg_9", "message": "m"})
        await self.told(bot, "feedback_reply", data, uid=uid)
        self.assertEqual(await count(Reply), 1)
        await bot.close()

    async def test_what_the_sites_model_never_takes_holds_nothing_up(self):
        def refuse(*_):
            raise IntegrityError("NOT NULL constraint failed")

        bot = await self.bot()
        with mock.patch.object(Feedback, "from_telegram", refuse):
            await self.told(bot, "feedback_created", {"ticket_id": "ticket_tg_9", "message": "m"})
        self.assertIn("does not take it", (await sync_to_async(Connection.current)()).last_refusal)
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "MAX_ATTACHMENT_BYTES": 1}):
            await self.told(bot, "feedback_created", {"ticket_id": "ticket_tg_8", "message": "m", "attachments": [{"name": "a", "base64": "AAAA"}]})
        self.assertEqual((await sync_to_async(Attachment.objects.get)()).size, 3)
        await bot.close()

    async def test_a_bot_that_lost_its_store_counts_anew(self):
        bot = await self.bot()
        for telegram_id, message in ((1, "one"), (1, "one"), (2, "another")):
            await self.told(bot, "feedback_created", {"ticket_id": "ticket_tg_1", "telegram_id": telegram_id, "message": message})
        await self.told(bot, "feedback_reply", {"ticket_id": "ticket_tg_1", "from": "staff", "text": "t", "at": to_wire(AT)})
        self.assertEqual(await count(Feedback), 2)
        self.assertEqual((await sync_to_async(Reply.objects.select_related("feedback").get)()).feedback.message, "another")
        await bot.close()

    async def test_old_keys_do_not_come_back(self):
        bot = await self.bot()
        await self.told(bot, "key_update", {"accepted": ["b" * 16], "preferred": "b" * 16, "at": "2026-01-02T00:00:02.000000Z"})
        await self.told(bot, "key_update", {"accepted": ["a" * 16], "preferred": "a" * 16, "at": "2026-01-02T00:00:01.000000Z"})
        await bot.connect_hello()
        await bot.settle()
        self.assertEqual((await sync_to_async(Connection.current)()).peer_keys, ["b" * 16])
        await bot.close()

    async def test_its_own_frames_reflected_have_no_effect(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        await sync_to_async(feedback.add_reply)("once")
        await bot.send(await bot.read("feedback_reply"))
        await bot.send(await bot.read("hello"))
        await bot.settle()
        self.assertEqual(await count(Reply), 1)
        self.assertEqual((await sync_to_async(Connection.current)()).refused, 2)
        await bot.close()

    async def test_a_fault_in_the_site_loses_nothing(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        data = {"feedback_id": feedback.pk, "from": "staff", "text": "t", "at": to_wire(AT)}
        def fail(*args, **kwargs):
            raise RuntimeError("t")

        Reply.save, saved = fail, Reply.save
        try:
            uid = await bot.say("feedback_reply", data)
            self.assertTrue(await bot.quiet())
        finally:
            Reply.save = saved
        self.assertEqual(await count(Reply), 0)
        await self.told(bot, "feedback_reply", data, uid=uid)
        self.assertEqual(await count(Reply), 1)
        await bot.close()

    async def test_a_receiver_that_fails_disturbs_nothing(self):
        def fail(**_):
            raise RuntimeError

        signals.reply_received.connect(fail, weak=False, dispatch_uid="test")
        try:
            bot = await self.bot()
            feedback = await self.ticket(bot)
            await self.told(bot, "feedback_reply", {"feedback_id": feedback.pk, "from": "staff", "text": "t", "at": to_wire(AT)})
            self.assertEqual(await count(Reply), 1)
            await bot.close()
        finally:
            signals.reply_received.disconnect(dispatch_uid="test")

    async def test_logs_hold_no_text(self):
        with self.assertLogs("feedback_bridge", "DEBUG") as logs:
            bot = await self.bot()
            feedback = await self.ticket(bot, message="ТАЙНА")
            await bot.say("feedback_reply", {"feedback_id": feedback.pk, "from": "ТАЙНА", "text": "ТАЙНА", "at": "ТАЙНА"})
            await bot.send('{"type": "ТАЙНА", "text": "ТАЙНА"}')
            await bot.send("ТАЙНА")
            await bot.settle()
            await bot.close()
        self.assertNotIn("ТАЙНА", "\n".join(logs.output))
        self.assertNotIn(HMAC_SECRET, "\n".join(logs.output))
        self.assertNotIn("token=", "\n".join(logs.output))

    async def test_version_two_alone(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "PROTOCOLS": ["v2"]}):
            bot = Bot("v1")
            self.assertTrue(await bot.connect())
            self.assertEqual(await bot.closed(), 1002)
