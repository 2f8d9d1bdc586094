# SPDX-License-Identifier: Apache-2.0
"""Many processes and threads, hints that come, are lost, or fail."""

import asyncio
import random
import time
from unittest import mock

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.test import TransactionTestCase, override_settings

from feedback_bridge import outbox, session, times, wakeup
from feedback_bridge.models import Connection, Feedback, Outbox, Received

from .bot import PATIENCE, SETTINGS, Bot

LAYER = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
create = sync_to_async(Feedback.objects.create)


class Undo(Exception):
    pass


def burst(seed, count):
    """Transactions of a thread of a site: some of them rolled back, some in part. Returns the keys that count."""
    dice, kept = random.Random(seed), []
    try:
        for _ in range(count):
            made = []
            try:
                with transaction.atomic():
                    for _ in range(dice.randrange(1, 4)):
                        try:
                            with transaction.atomic():
                                feedback = Feedback.objects.create(message="kept", category="bug")
                                if dice.random() < 0.3:
                                    raise Undo
                                made.append(feedback.pk)
                        except Undo:
                            pass
                    if dice.random() < 0.3:
                        raise Undo
                kept += made
            except Undo:
                pass
    finally:
        connection.close()
    return kept


@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class BurstTests(TransactionTestCase):
    async def serve(self, bot, want):
        """Answers feedback until there are as many as wanted; now and then the connection is lost instead. Returns their numbers."""
        dice, answered, seen = random.Random(1), set(), {}
        await bot.connect()
        while len(answered) < want():
            frame = await bot.read("new_feedback", timeout=60)
            number = frame["data"]["feedback_id"]
            self.assertEqual(seen.setdefault(number, frame["id"]), frame["id"])
            if dice.random() < 0.05:
                await bot.close()
                bot = Bot(bot.protocol)
                await bot.connect()
                continue
            if bot.protocol == "v2":
                await bot.ack(frame["id"])
            await bot.result(frame["id"], ticket_id=f"ticket_site_{number}")
            answered.add(number)
        await bot.settle()
        await bot.close()
        return answered

    async def check(self, protocol):
        kept, want = [], float("inf")
        server = asyncio.ensure_future(self.serve(Bot(protocol), lambda: want))
        bursts = [asyncio.get_running_loop().run_in_executor(None, burst, seed, 12) for seed in range(4)]
        for keys in await asyncio.gather(*bursts):
            kept += keys
        want = len(kept) + 1
        kept.append((await create(message="the last")).pk)
        answered = await asyncio.wait_for(server, 300)
        self.assertEqual(answered, set(kept))

        @sync_to_async
        def stored():
            return set(Feedback.objects.filter(telegram_sent=True).values_list("pk", flat=True)), Outbox.objects.filter(settled_at=None).count(), Feedback.objects.count()

        sent, waiting, total = await stored()
        self.assertEqual((sent, waiting, total), (set(kept), 0, len(kept)))

    async def test_version_one(self):
        await self.check("v1")

    async def test_version_two(self):
        await self.check("v2")


@override_settings(FEEDBACK_BRIDGE={**SETTINGS, "CHANNEL_LAYER": "default", "POLL_INTERVAL": 2 * PATIENCE}, CHANNEL_LAYERS=LAYER)
class HintTests(TransactionTestCase):
    async def arrives(self, bot):
        began = time.monotonic()
        await create(message="m")
        await bot.ack((await bot.read("new_feedback"))["id"])
        return time.monotonic() - began

    async def test_within_the_process(self):
        bot = Bot()
        await bot.connect()
        self.assertLess(await self.arrives(bot), PATIENCE)
        await bot.close()

    async def test_from_another_process_over_the_layer(self):
        bot = Bot()
        await bot.connect()
        await self.arrives(bot)
        with mock.patch.object(wakeup, "_wake_local", return_value=False):
            self.assertLess(await self.arrives(bot), PATIENCE)
        await bot.close()

    async def test_a_newer_connection_in_another_process(self):
        bot = Bot()
        await bot.connect()
        await self.arrives(bot)
        with mock.patch.object(wakeup, "_wake_local", return_value=False):
            await sync_to_async(session.open_generation)("v1")
            await wakeup.announce()
            self.assertEqual(await bot.closed(), 4000)
        await bot.close()

    async def test_a_dead_layer_costs_hints_and_nothing_else(self):
        class Dead:
            async def new_channel(self):
                raise ConnectionError

            async def group_send(self, group, message):
                await asyncio.sleep(3600)  # a Redis that hangs

        with override_settings(FEEDBACK_BRIDGE={**SETTINGS, "CHANNEL_LAYER": "default"}), mock.patch.object(wakeup, "_layer", Dead), \
                mock.patch.object(wakeup, "SEND_TIMEOUT", 0.2), mock.patch.object(wakeup, "_wake_local", return_value=False), \
                self.assertLogs("feedback_bridge", "WARNING") as logs:
            bot = Bot()
            await bot.connect()
            for _ in range(3):
                self.assertLess(await self.arrives(bot), PATIENCE)
            await bot.close()
        self.assertLessEqual(sum("takes no hints" in line for line in logs.output), 2)  # and then leaves it alone
        wakeup._quiet_until = 0

    async def test_a_layer_that_breaks_and_heals(self):
        from channels.layers import get_channel_layer

        layer, broken = get_channel_layer(), True
        real = layer.receive

        async def receive(channel):
            if broken:
                raise ConnectionError
            return await real(channel)

        real_sleep = asyncio.sleep
        with mock.patch.object(layer, "receive", receive), mock.patch.object(wakeup.asyncio, "sleep", lambda _: real_sleep(0.01)):
            bot = Bot()
            await bot.connect()
            await self.arrives(bot)
            broken = False
            with mock.patch.object(wakeup, "_wake_local", return_value=False):
                self.assertLess(await self.arrives(bot), PATIENCE)
            await bot.close()

    def test_one_hint_a_transaction(self):
        with mock.patch.object(wakeup, "wake") as wake:
            with transaction.atomic():
                for _ in range(5):
                    Feedback.objects.create(message="m")
                with self.assertRaises(Undo), transaction.atomic():
                    Feedback.objects.create(message="m")
                    raise Undo
            self.assertEqual(wake.call_count, 1)
            with transaction.atomic():
                with self.assertRaises(Undo), transaction.atomic():
                    Feedback.objects.create(message="m")
                    raise Undo
                Feedback.objects.create(message="m")  # its hint does not go with the one that was rolled back
            self.assertEqual(wake.call_count, 2)


@override_settings(FEEDBACK_BRIDGE=SETTINGS)
class StoreTests(TransactionTestCase):
    def test_generations_rise(self):
        self.assertEqual([session.open_generation("v1") for _ in range(3)], [1, 2, 3])
        self.assertEqual(Connection.objects.count(), 1)

    def test_prune(self):
        feedback = Feedback.objects.create(message="m")
        long_ago = times.to_db(times.now() - times.timedelta(days=36))
        lately = times.to_db(times.now() - times.timedelta(days=34))
        rows = {}  # an event is given up earlier, while the bot still remembers whether it has it
        for name, values in {
            "unsent": {"type": "new_feedback", "created_at": long_ago},
            "settled": {"type": "new_feedback", "created_at": long_ago, "settled_at": long_ago},
            "settled lately": {"type": "new_feedback", "created_at": long_ago, "settled_at": lately},
            "status": {"type": "feedback_status", "created_at": long_ago},
            "status lately": {"type": "feedback_status", "created_at": times.to_db(times.now() - times.timedelta(days=29))},
        }.items():
            rows[Outbox.objects.create(feedback=feedback, **values).pk] = name
        for uid, at in (("old", long_ago), ("new", lately)):
            Received.objects.create(uid=uid, nonce=uid, type="t", at=at)
        self.assertEqual(outbox.prune(batch=1), {"settled": 1, "given up": 1, "received": 1})
        left = {rows[row.pk] for row in Outbox.objects.filter(pk__in=rows)}
        self.assertEqual(left, {"unsent", "settled lately", "status lately"})
        self.assertEqual([row.uid for row in Received.objects.all()], ["new"])

    def test_save_of_what_was_read_earlier_overwrites_nothing_of_the_bridge(self):
        feedback = Feedback.objects.create(message="m", nickname="a")
        stale = Feedback.objects.get(pk=feedback.pk)
        Feedback._base_manager.filter(pk=feedback.pk).update(telegram_sent=True, telegram_ticket="t", status="read")
        stale.nickname = "b"
        stale.save()
        fresh = Feedback.objects.get(pk=feedback.pk)
        self.assertEqual((fresh.nickname, fresh.telegram_sent, fresh.telegram_ticket, fresh.status), ("b", True, "t", "read"))

    def test_an_assigned_status_is_told(self):
        feedback = Feedback.objects.get(pk=Feedback.objects.create(message="m").pk)
        feedback.status = "closed"
        feedback.save()
        feedback.save()
        self.assertEqual(Feedback.objects.get(pk=feedback.pk).status, "closed")
        self.assertEqual([row.data["status"] for row in Outbox.objects.filter(type="feedback_status")], ["closed"])

    def test_no_way_round_the_bridge(self):
        feedback = Feedback.objects.create(message="m")
        Feedback.objects.update_or_create(pk=feedback.pk, defaults={"status": "read"})
        stored = Feedback.objects.get(pk=feedback.pk)
        stored.status = "closed"
        stored.save(update_fields=["status", "message"])
        stored.refresh_from_db()
        self.assertEqual(stored.status, "closed")
        self.assertEqual([row.data["status"] for row in Outbox.objects.filter(type="feedback_status")], ["read", "closed"])
        with self.assertRaises(ValueError):
            Feedback.objects.filter(pk=feedback.pk).update(status="new")
        self.assertEqual(Feedback.objects.filter(pk=feedback.pk).update(nickname="n"), 1)

    def test_a_fixture_is_not_sent(self):
        from django.core import serializers

        Feedback.objects.create(message="m")
        text = serializers.serialize("json", Feedback.objects.all())
        Feedback.objects.all().delete()
        for item in serializers.deserialize("json", text):
            item.save()
        self.assertEqual((Feedback.objects.count(), Outbox.objects.count()), (1, 0))
