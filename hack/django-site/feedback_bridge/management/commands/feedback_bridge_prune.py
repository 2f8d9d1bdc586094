# SPDX-License-Identifier: Apache-2.0
from django.core.management.base import BaseCommand

from feedback_bridge import outbox
from feedback_bridge.conf import conf


class Command(BaseCommand):
    help = "Deletes what is settled and older than RETENTION_DAYS; a connected session does it by itself, hourly."

    def handle(self, **options):
        for name, count in outbox.prune().items():
            self.stdout.write(f"{name}: {count} older than {conf.RETENTION_DAYS} days deleted")
