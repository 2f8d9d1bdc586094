# SPDX-License-Identifier: Apache-2.0
"""Version 2, over channels.testing: the greeting, and what the site says."""

import base64
from unittest import mock

from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import override_settings

from feedback_bridge import signals
from feedback_bridge.keys import Key
from feedback_bridge.models import Connection, Feedback, Outbox
from feedback_bridge.session_v2 import CAPABILITIES
from feedback_bridge.times import from_db, of_site, to_wire

from .bot import HMAC_SECRET, SETTINGS, Bot
from .case_v2 import AT, VersionTwoTestCase, count, create, reread


class GreetingTests(VersionTwoTestCase):
    async def test_hello_comes_first(self):
        bot = await self.bot(hello=False)
        hello = await bot.read("hello")
        self.assertEqual(hello["data"]["protocol"], 2)
        self.assertEqual(hello["data"]["capabilities"], list(CAPABILITIES))
        self.assertEqual(hello["data"]["keys"], [bot.key.id])
        self.assertEqual(hello["data"]["preferred"], bot.key.id)
        await bot.close()

    async def test_nothing_before_the_bots_hello_and_its_frames_are_handled_all_the_same(self):
        await create(message="m")
        bot = await self.bot(hello=False)
        await self.told(bot, "feedback_created", {"ticket_id": "ticket_tg_1", "message": "m", "category": "bug"})
        self.assertTrue(await bot.quiet())
        await bot.connect_hello()
        await bot.read("new_feedback")
        connection = await sync_to_async(Connection.current)()
        self.assertEqual((connection.protocol, connection.software), ("v2", "feedbackbridge-bot/test"))
        await bot.close()

    async def test_hello_is_repeated_until_it_is_acknowledged(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "ACK_TIMEOUT": 0.05}):
            bot = await self.bot()
            first = await bot.read("hello")
            second = await bot.read("hello")
            self.assertEqual(first["id"], second["id"])
            self.assertNotEqual(first["nonce"], second["nonce"])
            await bot.ack(first["id"])
            await bot.settle()
            bot.frames.clear()
            await create(message="m")
            for _ in range(3):
                await bot.read("new_feedback")
            self.assertFalse([frame for frame in bot.frames if frame["type"] == "hello"])
            await bot.close()

    async def test_what_the_bot_does_not_know_is_not_sent(self):
        bot = await self.bot(capabilities=[])
        feedback = await self.ticket(bot)
        await sync_to_async(feedback.change_status)("read")
        await sync_to_async(feedback.add_reply)("An answer")
        self.assertTrue(await bot.quiet())
        await bot.close()
        bot = await self.bot(capabilities=["replies"])
        await bot.ack((await bot.read("feedback_reply"))["id"])
        self.assertTrue(await bot.quiet())
        await bot.close()
        bot = await self.bot()
        await bot.read("feedback_status")
        await bot.close()

    async def test_signs_with_a_key_that_the_bot_accepts(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "HMAC_SECRET": ["the next one", HMAC_SECRET]}):
            bot = Bot()
            bot.check = lambda frame: None
            await bot.connect()
            self.assertEqual((await bot.read("hello"))["kid"], Key("the next one").id)  # before it could know
            await create(message="m")
            self.assertEqual((await bot.read("new_feedback"))["kid"], bot.key.id)
            await self.told(bot, "key_update", {"accepted": [Key("the next one").id, bot.key.id], "preferred": Key("the next one").id, "at": to_wire(AT)})
            await create(message="m")
            self.assertEqual((await bot.read("new_feedback"))["kid"], Key("the next one").id)
            await bot.close()


class SendingTests(VersionTwoTestCase):
    async def test_feedback_ack_and_result(self):
        bot = await self.bot()
        feedback = await create(message="Текст", category="bug", locale="ru")
        frame = await bot.read("new_feedback")
        self.assertEqual(frame["data"], {
            "feedback_id": feedback.pk, "message": "Текст", "category": "bug", "locale": "ru", "source": "website",
            "created_at": to_wire(of_site(feedback.created_at)),
        })
        await bot.ack(frame["id"])
        await bot.settle()
        row = await sync_to_async(Outbox.objects.get)()
        self.assertIsNotNone(row.acked_at)
        self.assertIsNone(row.settled_at)
        await bot.result(frame["id"])
        await bot.read("ack", id=frame["id"])
        self.assertTrue((await reread(feedback)).telegram_sent)
        self.assertEqual(await count(Outbox, settled_at=None), 0)
        await bot.close()

    async def test_sent_again_until_it_is_acknowledged(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "ACK_TIMEOUT": 0.1}):
            bot = await self.bot()
            feedback = await create(message="m")
            first, second = await bot.read("new_feedback"), await bot.read("new_feedback")
            self.assertEqual(first["id"], second["id"])
            self.assertNotEqual((first["nonce"], first["sig"]), (second["nonce"], second["sig"]))
            await bot.close()
            bot = await self.bot()
            third = await bot.read("new_feedback")
            self.assertEqual(first["id"], third["id"])
            await bot.result(first["id"])  # says that it was received, too
            await bot.settle()
            bot.frames.clear()
            self.assertTrue((await reread(feedback)).telegram_sent)
            await bot.close()
        self.assertEqual(await count(Outbox, settled_at=None), 0)

    async def test_after_a_refusal_for_now_comes_another_attempt_and_the_result_counts(self):
        bot = await self.bot()
        feedback = await create(message="m")
        frame = await bot.read("new_feedback")
        await bot.result(frame["id"], error="Message expired", error_code="expired", retryable=True)
        await bot.read("ack", id=frame["id"])
        row = await sync_to_async(Outbox.objects.get)()
        self.assertEqual((row.error, row.settled_at), ("expired", None))
        await sync_to_async(Outbox.objects.update)(not_before=None)
        again = await bot.read("new_feedback", id=frame["id"])
        self.assertNotEqual(again["nonce"], frame["nonce"])
        await bot.ack(frame["id"])
        await bot.result(frame["id"])  # the same id as the refusal had
        await bot.read("ack", id=frame["id"])
        self.assertTrue((await reread(feedback)).telegram_sent)
        await bot.close()

    async def test_refused_for_good(self):
        seen = []
        signals.ticket_refused.connect(lambda feedback, **_: seen.append(feedback.telegram_error), weak=False, dispatch_uid="test")
        bot = await self.bot()
        feedback = await create(message="m")
        frame = await bot.read("new_feedback")
        await bot.ack(frame["id"])
        await bot.result(frame["id"], error="Telegram refused it", error_code="delivery_refused")
        await bot.read("ack", id=frame["id"])
        feedback = await reread(feedback)
        self.assertEqual((feedback.telegram_sent, feedback.telegram_error), (False, "Telegram refused it"))
        self.assertEqual(seen, ["Telegram refused it"])
        self.assertTrue(await bot.quiet())
        signals.ticket_refused.disconnect(dispatch_uid="test")
        await bot.close()

    async def test_attachments(self):
        @sync_to_async
        def with_files():
            with transaction.atomic():
                feedback = Feedback.objects.create(message="m")
                feedback.attach("a.png", b"\x89PNG", "image/png")
                feedback.attach("far.png", url="https://shop.example/far.png")
                feedback.attach("large.bin", b"\0" * (700 << 10))
                return feedback

        bot = await self.bot()
        await with_files()
        frame = await bot.read("new_feedback")
        self.assertEqual(frame["data"]["attachments"], [
            {"name": "a.png", "mime": "image/png", "size": 4, "base64": base64.b64encode(b"\x89PNG").decode()},
            {"name": "far.png", "mime": "", "size": 0, "url": "https://shop.example/far.png"},
            {"name": "large.bin", "mime": "", "size": 700 << 10},  # too large: that it is there, at least
        ])
        await bot.close()

    async def test_a_reply_of_files_alone_says_so(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        await sync_to_async(feedback.add_reply)("", files=[("снимок.png", b"\0" * (600 << 10), "image/png")])
        data = (await bot.read("feedback_reply"))["data"]
        self.assertEqual((data["text"], data["attachments"]), ("📎 снимок.png", [{"name": "снимок.png", "mime": "image/png", "size": 600 << 10}]))
        await bot.close()

    async def test_bytes_in_flight_are_bounded(self):
        @sync_to_async
        def with_file():
            with transaction.atomic():
                Feedback.objects.create(message="m").attach("a.bin", b"\0" * (500 << 10))

        for _ in range(5):
            await with_file()
        bot = await self.bot()
        frames = [await bot.read("new_feedback") for _ in range(3)]
        self.assertTrue(await bot.quiet())
        for _ in range(2):
            await bot.ack(frames.pop(0)["id"])
            frames.append(await bot.read("new_feedback"))
        await bot.close()
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "WINDOW_BYTES": 1000}):
            bot = await self.bot()  # one frame is always let through
            await bot.read("new_feedback")
            self.assertTrue(await bot.quiet())
            await bot.close()

    async def test_a_status_and_a_reply_wait_until_the_bot_has_the_feedback(self):
        bot = await self.bot()
        feedback = await create(message="m")
        frame = await bot.read("new_feedback")
        await bot.result(frame["id"], error="Invalid HMAC signature", error_code="invalid_signature", retryable=True)
        await bot.read("ack", id=frame["id"])
        await sync_to_async(feedback.change_status)("read")
        await sync_to_async(feedback.add_reply)("An answer")
        other = await self.ticket(bot)
        await sync_to_async(other.change_status)("closed")
        self.assertEqual((await bot.read("feedback_status"))["data"]["feedback_id"], other.pk)
        self.assertTrue(await bot.quiet())
        await sync_to_async(Outbox.objects.update)(not_before=None)
        await bot.ack((await bot.read("new_feedback"))["id"])
        self.assertEqual((await bot.read("feedback_status"))["data"]["status"], "read")
        await bot.read("feedback_reply")
        await bot.close()

    async def test_what_the_bot_forgot_is_asked_for_again(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "RESULT_TIMEOUT": 0.2}):
            bot = await self.bot()
            await create(message="m")
            frame = await bot.read("new_feedback")
            await bot.ack(frame["id"])
            again = await bot.read("new_feedback")
            self.assertEqual(again["id"], frame["id"])
            await bot.ack(frame["id"])
            await bot.settle()
            row = await sync_to_async(Outbox.objects.get)()
            self.assertGreater(from_db(row.not_before), from_db(row.sent_at))  # ever more seldom
            await bot.result(frame["id"])
            await bot.settle()
            self.assertEqual(await count(Outbox, settled_at=None), 0)
            await bot.close()

    async def test_what_cannot_be_told_holds_nothing_up(self):
        real = Feedback.feedback_bridge_data

        def data(feedback):
            return {**real(feedback), "nickname": object()} if feedback.message == "strange" else real(feedback)

        with mock.patch.object(Feedback, "feedback_bridge_data", data), self.assertLogs("feedback_bridge", "ERROR") as logs:
            bot = await self.bot()
            await create(message="strange")
            await create(message="m")
            self.assertEqual((await bot.read("new_feedback"))["data"]["message"], "m")
        self.assertNotIn("strange", str(logs.output))
        await sync_to_async(Outbox.objects.update)(not_before=None)
        self.assertEqual((await bot.read("new_feedback"))["data"]["message"], "strange")
        await bot.close()

    async def test_what_is_never_acknowledged_leaves_its_place(self):
        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "ACK_TIMEOUT": 0.05, "WINDOW": 1}):
            bot = await self.bot()
            await create(message="ignored")
            await create(message="m")
            while (await bot.read("new_feedback"))["data"]["message"] != "m":
                pass
            await bot.close()

    async def test_what_is_created_with_a_status_has_it_in_telegram(self):
        bot = await self.bot()
        await create(message="m", status="in_progress")
        await bot.ack((await bot.read("new_feedback"))["id"])
        self.assertEqual((await bot.read("feedback_status"))["data"]["status"], "in_progress")
        await bot.close()

    async def test_what_fits_no_frame_is_given_up_and_holds_nothing_up(self):
        bot = await self.bot()
        feedback = await create(message="я" * 600_000)
        await create(message="m")
        self.assertEqual((await bot.read("new_feedback"))["data"]["message"], "m")
        self.assertIn("longer", (await reread(feedback)).telegram_error)
        await bot.close()

    async def test_status_and_reply_of_the_site(self):
        bot = await self.bot()
        feedback = await self.ticket(bot)
        self.assertTrue(await sync_to_async(feedback.change_status)("in_progress", actor_name="Анна"))
        self.assertFalse(await sync_to_async(feedback.change_status)("in_progress"))
        status = await bot.read("feedback_status")
        self.assertEqual(status["data"], {
            "ticket_id": feedback.telegram_ticket, "feedback_id": feedback.pk, "status": "in_progress",
            "actor": {"name": "Анна"}, "at": to_wire(from_db(feedback.status_at)),
        })
        await bot.ack(status["id"])
        reply = await sync_to_async(feedback.add_reply)("Ещё", sender="user", files=[("a.txt", b"a", "text/plain")])
        frame = await bot.read("feedback_reply")
        self.assertEqual(frame["data"], {
            "ticket_id": feedback.telegram_ticket, "feedback_id": feedback.pk, "from": "user", "text": "Ещё", "author": {},
            "at": to_wire(from_db(reply.at)), "attachments": [{"name": "a.txt", "mime": "text/plain", "size": 1, "base64": "YQ=="}],
        })
        await bot.ack(frame["id"])
        self.assertTrue(await bot.quiet())
        self.assertEqual(await count(Outbox, settled_at=None), 0)
        await bot.close()
