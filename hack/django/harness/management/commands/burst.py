# SPDX-License-Identifier: Apache-2.0
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor

from django.core.management.base import BaseCommand
from django.db import OperationalError, connection, transaction

from feedback_bridge.models import Feedback


class Undo(Exception):
    """Ends a transaction that is to be rolled back."""


def create(number):
    """Creates the feedback of a number, whose mark "[number]" is in its text. The caller's transaction decides what becomes of it."""
    return Feedback.objects.create(
        nickname="Игрок <%d>" % number,
        category=("bug", "wish", "question", "other")[number % 4],
        message="[%d] Не открывается страница & \"заказы\" 🎮" % number,
        telegram_id=1003,
        telegram_first_name="Гость",
    )


def committed(number):
    create(number)


def committed_late(number):
    with transaction.atomic():
        create(number)
        time.sleep(random.uniform(0, 0.05))


def rolled_back(number):
    with transaction.atomic():
        create(number)
        time.sleep(random.uniform(0, 0.05))
        raise Undo


def rolled_back_inside(number):
    """Its savepoint is rolled back, what is around it is committed."""
    with transaction.atomic():
        Feedback.objects.filter(pk=0).update(nickname="")
        with transaction.atomic():
            create(number)
            raise Undo


class Command(BaseCommand):
    help = """Creates feedback in concurrent transactions, of which some are rolled back. Prints a JSON line for each once it is
    over: its number, whether it was committed, and when (Unix seconds)."""

    def add_arguments(self, parser):
        parser.add_argument("--first", type=int, default=1)
        parser.add_argument("--count", type=int, default=100)
        parser.add_argument("--threads", type=int, default=8)
        parser.add_argument("--rolled-back", type=float, default=0.2, help="the share of them")
        parser.add_argument("--rate", type=float, default=0, help="how many are begun a second; 0 is as many as go")
        parser.add_argument("--plain", action="store_true", help="each is a transaction by itself, on a connection that stays open")
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args, **options):
        self.options, self.dice = options, random.Random(options["seed"])
        began = time.monotonic()
        with ThreadPoolExecutor(options["threads"]) as pool:
            for i in range(options["count"]):
                if options["rate"]:
                    time.sleep(max(0, began + i / options["rate"] - time.monotonic()))
                pool.submit(self.one, options["first"] + i, self.choose())

    def choose(self):
        if self.options["plain"]:
            return committed
        undone = self.dice.random() < self.options["rolled_back"]
        return self.dice.choice((rolled_back, rolled_back_inside) if undone else (committed, committed_late))

    def one(self, number, way):
        said = {"number": number, "committed": False, "way": way.__name__}
        try:
            way(number)
            said["committed"] = True
        except Undo:
            pass
        except OperationalError as error:  # the database is too busy: what it did not take is not there
            said["error"] = str(error)
        except Exception as error:  # nothing else may come of creating a feedback, whatever is down
            said["raised"] = repr(error)
        said["at"] = time.time()
        self.stdout.write(json.dumps(said))
        self.stdout.flush()
        if not self.options["plain"]:
            connection.close()  # as between the requests of a site
