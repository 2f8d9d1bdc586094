# SPDX-License-Identifier: Apache-2.0
import json

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Min

from feedback_bridge import credentials, outbox, times
from feedback_bridge.models import Connection, Outbox, feedback_model


class Command(BaseCommand):
    help = "Shows the connection to the bot, the keys in use, and what waits to be sent."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument("--check", action="store_true", help="fail unless the bot is connected")

    def handle(self, **options):
        state = collect()
        if options["json"]:
            self.stdout.write(json.dumps(state, indent=2))
        else:
            self.stdout.write("\n".join(lines(state)))
        if options["check"] and not state["connection"]["open"]:
            raise CommandError("the bot is not connected")


def collect() -> dict:
    connection = Connection.objects.using(outbox.database()).filter(pk=Connection.ID).first() or Connection()
    keys = _keys()
    waiting = Outbox.objects.using(outbox.database()).filter(settled_at__isnull=True)
    rows = waiting.values("type").annotate(count=Count("id"), oldest=Min("created_at"))
    feedback = feedback_model()._base_manager.using(outbox.database())
    return {
        "connection": {
            "open": connection.is_open,
            "protocol": connection.protocol,
            "software": connection.software,
            "opened_at": _time(connection.opened_at),
            "heard_at": _time(connection.heard_at),
            "closed_at": _time(connection.closed_at),
            "refused_frames": connection.refused,
            "last_refusal": connection.last_refusal,
            "refused_at": _time(connection.refused_at),
        },
        "keys": {**keys, "bot_accepts": connection.peer_keys},
        "waiting": {row["type"]: {"count": row["count"], "oldest": _time(row["oldest"])} for row in rows.order_by("type")},
        "with_the_bot": waiting.filter(acked_at__isnull=False).count(),
        "refused_feedback": feedback.filter(telegram_sent=False).exclude(telegram_error="").count(),
    }


def _keys() -> dict:
    try:
        held = credentials.current()
    except (OSError, ValueError) as error:
        return {"error": str(error)}
    return {"hmac": held.ring.ids, "tokens": len(held.token_keys)}


def _time(moment) -> str:
    return times.to_wire(times.from_db(moment)) if moment else ""


def lines(state: dict):
    connection, keys = state["connection"], state["keys"]
    if connection["open"]:
        yield f"connected since {connection['opened_at']}, protocol {connection['protocol']} {connection['software']}"
    else:
        yield f"not connected; last heard of: {connection['heard_at'] or 'never'}"
    if connection["refused_frames"]:
        yield f"frames refused: {connection['refused_frames']}, the last at {connection['refused_at']}: {connection['last_refusal']}"
    if "error" in keys:
        yield f"keys: {keys['error']}"
    else:
        yield f"keys: HMAC {' '.join(keys['hmac']) or 'none'} (the first signs), {keys['tokens']} for tokens"
        if keys["bot_accepts"] and not set(keys["bot_accepts"]) & set(keys["hmac"]):
            yield f"the bot accepts none of them, but {' '.join(keys['bot_accepts'])}"
    for kind, row in state["waiting"].items():
        yield f"waiting: {row['count']} {kind}, the oldest since {row['oldest']}"
    if state["with_the_bot"]:
        yield f"of them with the bot, which has not posted them yet: {state['with_the_bot']}"
    if not state["waiting"]:
        yield "nothing waits"
    if state["refused_feedback"]:
        yield f"feedback that Telegram or the bot refused: {state['refused_feedback']} (see telegram_error)"
