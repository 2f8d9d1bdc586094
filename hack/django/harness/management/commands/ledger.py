# SPDX-License-Identifier: Apache-2.0
import json
import time

from django.core.management.base import BaseCommand

from feedback_bridge.models import Feedback


class Command(BaseCommand):
    help = "Waits until the bot has confirmed every feedback. Prints a JSON line for each feedback that there is."

    def add_arguments(self, parser):
        parser.add_argument("--wait", type=float, default=0, help="seconds at most")

    def handle(self, *args, **options):
        until = time.monotonic() + options["wait"]
        while Feedback.objects.filter(telegram_sent=False).exists() and time.monotonic() < until:
            time.sleep(0.2)
        for one in Feedback.objects.order_by("pk").prefetch_related("replies"):
            row = {name: getattr(one, name) for name in ("id", "message", "telegram_sent", "telegram_ticket", "status", "source")}
            row["replies"] = [[reply.sender, reply.text] for reply in one.replies.all()]
            self.stdout.write(json.dumps(row))
