# SPDX-License-Identifier: Apache-2.0
"""What the site has for the bot: written in the transaction of what it tells, read when it is due, settled when it is done.

All of it is synchronous and works on the database of the site's feedback.
"""

from __future__ import annotations

import base64
import uuid
from datetime import datetime, timedelta
from typing import Iterable, NamedTuple

from django.db import router, transaction
from django.db.models import Exists, F, OuterRef, Q

from . import times, wakeup, wire
from .conf import conf
from .models import Attachment, Outbox, Reply

CONTENT = 700 << 10  # bytes of base64 in one frame, of all its attachments together
RETRY_FIRST, RETRY_MOST = 2, 300  # seconds until what was refused for now is tried again
PATIENCE, REPEAT_MOST = 3, 3600  # from this many sendings that the bot never answered on, up to so many seconds between two
ASK_MOST = 6 * 3600  # seconds between two questions about feedback that the bot has, but did not post
GIVE_UP_DAYS = 30  # for which the bot remembers what it has: what is older could take effect twice


def database() -> str:
    return router.db_for_write(Outbox)


# Written.


def enqueue_feedback(feedback: Iterable, using: str | None = None) -> None:
    """Has feedback sent to Telegram, also such as was created past the ORM. What has a ticket already is not posted twice."""
    using = using or database()
    now = times.to_db(times.now())
    rows = [
        Outbox(type=wire.NEW_FEEDBACK, feedback=item, created_at=now) for item in feedback if item.wire_id  # 0: it is from Telegram
    ]
    if rows:
        Outbox.objects.using(using).bulk_create(rows)
        wakeup.on_commit(using)


def send_again(feedback: Iterable, using: str) -> None:
    """For feedback that is in Telegram no more, or never came there: what waits goes out anew, at once, the rest is enqueued."""
    rows = Outbox.objects.using(using).filter(type=wire.NEW_FEEDBACK, settled_at__isnull=True, feedback__in=feedback)
    with transaction.atomic(using=using):
        rows.update(acked_at=None, not_before=None)
        waiting = set(rows.values_list("feedback_id", flat=True))
        enqueue_feedback([item for item in feedback if item.pk not in waiting], using=using)
        wakeup.on_commit(using)


def enqueue_status(feedback, status: str, at: datetime, actor: dict, using: str) -> None:
    data = {"status": status, "at": times.to_wire(at), "actor": {k: v for k, v in actor.items() if v}}
    _enqueue(Outbox(type=wire.STATUS, feedback=feedback, data=data), using)


def enqueue_reply(reply: Reply, using: str) -> None:
    _enqueue(Outbox(type=wire.REPLY, feedback=reply.feedback, reply=reply), using)


def _enqueue(row: Outbox, using: str) -> None:
    row.created_at = times.to_db(times.now())
    row.save(using=using)
    wakeup.on_commit(using)


# Read.


class Message(NamedTuple):
    """What a frame is made of."""

    uid: str
    type: str
    data: dict


def due(types: Iterable[str], limit: int, besides: Iterable[str], acks: bool) -> list[Outbox]:
    """The oldest events of these types that are to be sent now, besides those on their way.

    acks: whether what the bot acknowledged can be believed to be done. Feedback cannot, for ever: a bot that lost its
    store is asked again. Statuses and replies wait until the bot has the feedback: it would not know what they are about.
    """
    now = times.now()
    rows = Outbox.objects.using(database()).filter(settled_at__isnull=True, type__in=list(types))
    rows = rows.filter(Q(not_before__isnull=True) | Q(not_before__lte=times.to_db(now)))
    if acks:
        long_ago = times.to_db(now - timedelta(seconds=conf.RESULT_TIMEOUT))
        rows = rows.filter(Q(acked_at__isnull=True) | Q(type=wire.NEW_FEEDBACK, acked_at__lt=long_ago))
    first = Outbox.objects.using(database()).filter(
        feedback=OuterRef("feedback"), type=wire.NEW_FEEDBACK, acked_at__isnull=True, settled_at__isnull=True
    )
    rows = rows.annotate(early=Exists(first)).filter(Q(type=wire.NEW_FEEDBACK) | Q(early=False))
    rows = rows.exclude(uid__in=list(besides)).select_related("feedback", "reply")
    return list(rows.order_by("id")[:limit])


def sent(rows: list[Outbox]) -> None:
    """Notes that they were sent. What was so in vain is sent ever more seldom, and leaves its place to others."""
    now = times.now()
    mine = Outbox.objects.using(database())
    mine.filter(pk__in=[row.pk for row in rows]).update(attempts=F("attempts") + 1, sent_at=times.to_db(now))
    for row in rows:
        row.attempts += 1
        if row.acked_at:
            delay = min(conf.RESULT_TIMEOUT * 2 ** min(row.attempts, 20), ASK_MOST)
        elif row.attempts >= PATIENCE:
            delay = min(conf.ACK_TIMEOUT * 2 ** min(row.attempts - PATIENCE + 1, 20), REPEAT_MOST)
        else:
            continue
        mine.filter(pk=row.pk).update(not_before=times.to_db(now + timedelta(seconds=delay)))


def message(row: Outbox, attachments: bool) -> Message:
    """What to tell. Raises whatever the site's feedback_bridge_data() does."""
    return Message(str(row.uid), row.type, _data(row, attachments))


def _data(row: Outbox, attachments: bool) -> dict:
    feedback = row.feedback
    if row.type == wire.NEW_FEEDBACK:
        data = {**feedback.feedback_bridge_data(), "feedback_id": feedback.wire_id}
        files = Attachment.objects.using(row._state.db).filter(feedback=feedback, reply__isnull=True)
        # Null is absent, in the protocol; saying nothing keeps frames small.
        data = {name: value for name, value in data.items() if value not in (None, "")}
    else:
        data = {"ticket_id": feedback.telegram_ticket, "feedback_id": feedback.wire_id, **row.data}
        files = Attachment.objects.none()
    if row.type == wire.REPLY:
        reply = row.reply
        author = {"name": reply.author_name, "username": reply.author_username, "telegram_id": reply.author_telegram_id}
        data.update(
            {"from": reply.sender, "text": reply.text, "at": times.to_wire(times.from_db(reply.at))},
            author={name: value for name, value in author.items() if value},
        )
        files = Attachment.objects.using(row._state.db).filter(reply=reply)
    if attachments and row.type != wire.STATUS:
        described = _attachments(files)
        if described:
            data["attachments"] = described
    if row.type == wire.REPLY and not data["text"]:  # neither side takes a reply with nothing in it
        data["text"] = ", ".join(f"📎 {file.name}" for file in files[: Attachment.MOST]) or "…"
    return data


def _attachments(files) -> list[dict]:
    """With their content, as far as a frame has room; of the others the bot is told that they are there."""
    room, described = CONTENT, []
    for file in files[: Attachment.MOST]:
        item = {"name": file.name, "mime": file.mime, "size": file.size}
        length = 4 * -(-file.size // 3)
        if file.url:
            item["url"] = file.url
        elif length <= room and file.content is not None:
            item["base64"] = base64.b64encode(file.content).decode()
            room -= length
        described.append(item)
    return described


# Settled. Each returns nothing for an event that is not there, or is settled: telling it twice changes nothing.


def _open(uid):
    try:
        uid = uuid.UUID(str(uid))
    except ValueError:  # none of ours
        return Outbox.objects.none()
    return Outbox.objects.using(database()).filter(uid=uid, settled_at__isnull=True)


def acknowledge(uid: str) -> None:
    """The bot has it for good. Only for feedback there is more to come: its result."""
    now = times.to_db(times.now())
    _open(uid).update(acked_at=now)
    _open(uid).exclude(type=wire.NEW_FEEDBACK).update(settled_at=now)


def find(uid: str) -> Outbox | None:
    return _open(uid).select_related("feedback").first()


def settle(row: Outbox, error: str = "") -> None:
    now = times.to_db(times.now())
    _open(row.uid).update(settled_at=now, error=error[:500])


def give_up(row: Outbox, error: str) -> None:
    """For an event that cannot be told; its feedback says so too."""
    if row.type == wire.NEW_FEEDBACK:
        type(row.feedback)._base_manager.using(database()).filter(pk=row.feedback_id).update(telegram_error=error[:500])
    settle(row, error)


def postpone(row: Outbox, error: str) -> None:
    """To be sent again later, the later the more often it was sent."""
    delay = min(RETRY_FIRST * 2 ** min(row.attempts, 20), RETRY_MOST)
    at = times.to_db(times.now() + timedelta(seconds=delay))
    _open(row.uid).update(not_before=at, acked_at=None, error=error[:500])


# Pruned.


def prune(batch: int = 1000) -> dict[str, int]:
    """Deletes what is old: settled events, ids received, and events that the bot never took; no unsent feedback."""
    from .models import Received

    until = times.to_db(times.now() - timedelta(days=conf.RETENTION_DAYS))
    hopeless = times.to_db(times.now() - timedelta(days=GIVE_UP_DAYS))
    using = database()
    events = Outbox.objects.using(using)
    return {
        "settled": _delete(events.filter(settled_at__lt=until), batch),
        "given up": _delete(events.filter(settled_at__isnull=True, created_at__lt=hopeless).exclude(type=wire.NEW_FEEDBACK), batch),
        "received": _delete(Received.objects.using(using).filter(at__lt=until), batch),
    }


def _delete(rows, batch: int) -> int:
    """In small transactions: others wait for none of them."""
    total = 0
    while True:
        keys = list(rows.order_by("pk").values_list("pk", flat=True)[:batch])
        if not keys:
            return total
        total += rows.model.objects.using(rows.db).filter(pk__in=keys).delete()[0]
