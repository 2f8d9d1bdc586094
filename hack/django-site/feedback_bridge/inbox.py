# SPDX-License-Identifier: Apache-2.0
"""What the bot tells the site, made durable. Synchronous; every function works inside the caller's transaction.

What is in data is hostile until it has been read by a Reader.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta, timezone

from django.db import transaction
from django.db.models import Q

from . import outbox, signals, times, wire
from .conf import conf
from .mixins import TELEGRAM
from .models import Attachment, Connection, Received, Reply, Status, feedback_model


EARLY = timedelta(minutes=10)  # for which a ticket may still be on its way behind what is about it


class Invalid(ValueError):
    """A payload without effect. The text names the field, never what is in it."""


class TooEarly(Exception):
    """What it is about may still be on its way: the bot sends it again."""


class Reader:
    """Reads members of data; what is absent or null is empty."""

    def __init__(self, data: dict):
        self.data = data

    def text(self, name: str, most: int, required: bool = False) -> str:
        value = self.data.get(name)
        if value is None:
            value = ""
        if not isinstance(value, str):
            raise Invalid(f"{name}: not a text")
        if required and not value:
            raise Invalid(f"{name}: missing")
        return value[:most].replace("\x00", "\ufffd")  # which PostgreSQL does not store

    def integer(self, name: str) -> int | None:
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
            raise Invalid(f"{name}: not an integer of 64 bits")
        return value

    def time(self, name: str) -> datetime | None:
        text = self.text(name, 64)
        if not text:
            return None
        try:
            moment = times.from_wire(text)
        except (ValueError, OverflowError):
            raise Invalid(f"{name}: not a time") from None
        if not datetime(1970, 1, 1, tzinfo=timezone.utc) <= moment <= times.now() + timedelta(days=1):
            raise Invalid(f"{name}: out of range")
        return moment

    def names(self, name: str, most: int = 64) -> list[str]:
        value = self.data.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value[:most]):
            raise Invalid(f"{name}: not a list of texts")
        return [item[:128].replace("\x00", "\ufffd") for item in value[:most]]

    def reader(self, name: str) -> Reader:
        value = self.data.get(name)
        if value is not None and not isinstance(value, dict):
            raise Invalid(f"{name}: not an object")
        return Reader(value or {})

    def attachments(self) -> list[dict]:
        value = self.data.get("attachments")
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value[: Attachment.MOST]):
            raise Invalid("attachments: not a list of objects")
        return [self._attachment(Reader(item)) for item in value[: Attachment.MOST]]

    @staticmethod
    def _attachment(item: Reader) -> dict:
        encoded = item.data.get("base64")
        content = None
        if encoded is not None:
            try:
                content = base64.b64decode(encoded, validate=True)
            except (binascii.Error, TypeError, ValueError):
                raise Invalid("attachments: base64") from None
        url = item.text("url", Attachment.URL_MOST + 1)
        return {
            "name": item.text("name", 255) or "file",
            "mime": item.text("mime", 127),
            "size": max(item.integer("size") or 0, 0),
            "content": content,
            "url": url if Attachment.URL.fullmatch(url) and len(url) <= Attachment.URL_MOST else "",
        }


def seen(frame: wire.Frame) -> bool:
    """Whether the effect of this id is stored."""
    return Received.objects.using(outbox.database()).filter(uid=frame.id).exists()


def replayed(frame: wire.Frame, ttl: int) -> bool:
    """Whether the nonce came lately with another id."""
    since = times.to_db(times.now() - timedelta(seconds=2 * ttl))
    return Received.objects.using(outbox.database()).filter(nonce=frame.nonce, at__gt=since).exclude(uid=frame.id).exists()


def remember(frame: wire.Frame) -> None:
    Received.objects.using(outbox.database()).create(
        uid=frame.id, nonce=frame.nonce, type=frame.type, at=times.to_db(times.now())
    )


def take(frame: wire.Frame) -> None:
    """Stores the effect of a frame that has one. Raises Invalid."""
    effect = {wire.CREATED: created, wire.STATUS: status, wire.REPLY: reply}.get(frame.type)
    if effect:
        effect(Reader(frame.data))


def result(told: wire.Result) -> None:
    """The result of a new_feedback. The same again, or one for an event that is settled, has no effect."""
    row = outbox.find(told.id)
    if row is None or row.type != wire.NEW_FEEDBACK:
        return
    if not told.ok and told.retryable:
        outbox.postpone(row, told.error_code or "refused")
        return
    if told.ok:
        try:
            sent_at = times.from_wire(told.sent_at)
        except (ValueError, OverflowError):
            sent_at = times.now()
        _change(
            row.feedback, telegram_sent=True, telegram_ticket=_clean(told.ticket_id, 128), telegram_message_id=told.message_id,
            telegram_sent_at=times.to_db(sent_at), telegram_error="",
        )
        outbox.settle(row)
        _announce(signals.ticket_posted, row.feedback)
    else:
        _change(row.feedback, telegram_error=_clean(told.error, 500) or "refused")
        outbox.settle(row, told.error_code or "refused")
        _announce(signals.ticket_refused, row.feedback)


def created(data: Reader) -> None:
    """A ticket that was opened in a direct message."""
    ticket = data.text("ticket_id", 128, required=True)
    values = {
        "source": TELEGRAM,
        "telegram_ticket": ticket,
        "telegram_sent": True,
        "telegram_sent_at": times.to_db(times.now()),
        "message": data.text("message", 100_000),
        "category": data.text("category", 64),
        "nickname": data.text("nickname", 255),
        "telegram_id": data.integer("telegram_id"),
        "telegram_username": data.text("telegram_username", 64),
        "telegram_first_name": data.text("telegram_first_name", 255),
        "locale": data.text("locale", 35),
    }
    written = data.time("created_at")
    if written:
        values["created_at"] = times.to_site(written)
    files = data.attachments()
    model, using = feedback_model(), outbox.database()
    if _same(model._base_manager.using(using).filter(telegram_ticket=ticket, source=TELEGRAM), values):
        return
    feedback = model.from_telegram(values, using)
    _attach(feedback, None, files)
    _announce(signals.ticket_received, feedback)


def _same(rows, values: dict) -> bool:
    """Whether one of the tickets is this one. A bot that lost its store counts anew: then the name alone says little."""
    names = {field.name for field in rows.model._meta.concrete_fields} & {"telegram_id", "message"}
    return any(all(getattr(row, name) == values[name] for name in names) for row in rows[:10])


def status(data: Reader) -> None:
    """A status that was pressed in the group. Of two the later counts; of two of the same moment, the bot's."""
    wanted, at = data.text("status", 32), data.time("at")
    if wanted not in Status.values:
        raise Invalid("status: unknown")
    if at is None:
        raise Invalid("at: missing")
    feedback = _feedback(data, at)
    moment = times.to_db(at)
    older = Q(status_at__isnull=True) | Q(status_at__lte=moment)
    rows = type(feedback)._base_manager.using(outbox.database()).filter(pk=feedback.pk)
    if rows.filter(older).update(status=wanted, status_at=moment) and wanted != feedback.status:
        _announce(signals.status_changed, feedback, status=wanted)


def reply(data: Reader) -> None:
    """What the staff, or the author, wrote in Telegram."""
    sender, text, at = data.text("from", 8), data.text("text", 100_000), data.time("at")
    author, files = data.reader("author"), data.attachments()
    if sender not in Reply.Sender.values:
        raise Invalid("from: unknown")
    if not text and not files:
        raise Invalid("text: missing")
    if at is None:
        raise Invalid("at: missing")
    feedback = _feedback(data, at)
    stored = Reply.objects.using(outbox.database()).create(
        feedback=feedback, sender=sender, text=text, source=TELEGRAM, at=times.to_db(at),
        author_telegram_id=author.integer("telegram_id"),
        author_username=author.text("username", 64),
        author_name=author.text("name", 256),
    )
    _attach(feedback, stored, files)
    _announce(signals.reply_received, feedback, reply=stored)


def hello(data: Reader, keys: list[str], preferred: str) -> None:
    _connection(software=data.text("software", 128), peer_keys=keys, peer_preferred=preferred)


def learn_keys(keys: list[str], preferred: str) -> None:
    _connection(peer_keys=keys, peer_preferred=preferred)


def _connection(**values) -> None:
    Connection.objects.using(outbox.database()).filter(pk=Connection.ID).update(**values)


def _feedback(data: Reader, at: datetime):
    """The feedback that ticket_id or feedback_id names; at is when that was told."""
    ticket, number = data.text("ticket_id", 128), data.integer("feedback_id")
    rows = feedback_model()._base_manager.using(outbox.database())
    found = rows.filter(telegram_ticket=ticket).order_by("-pk").first() if ticket else None
    if found is None and number and number > 0:
        found = rows.filter(pk=number).exclude(source=TELEGRAM).first()
        if found is not None and ticket and not found.telegram_ticket:
            _change(found, telegram_ticket=ticket)
    if found is None:
        if times.now() - at < EARLY:
            raise TooEarly("no such ticket yet")
        raise Invalid("ticket_id: no such ticket")
    return found


def _change(feedback, **values) -> None:
    type(feedback)._base_manager.using(outbox.database()).filter(pk=feedback.pk).update(**values)


def _attach(feedback, to: Reply | None, files: list[dict]) -> None:
    for file in files:
        if file["content"] is not None and len(file["content"]) > conf.MAX_ATTACHMENT_BYTES:
            file = {**file, "content": None, "size": len(file["content"])}
        Attachment.of(feedback, to, **file)


def _clean(text: str, most: int) -> str:
    return text.encode("utf-8", "replace").decode()[:most].replace("\x00", "\ufffd")


def _announce(signal, feedback, **values) -> None:
    def send():
        fresh = type(feedback)._base_manager.using(outbox.database()).filter(pk=feedback.pk).first()
        if fresh is not None:
            signal.send_robust(sender=type(feedback), feedback=fresh, **values)

    transaction.on_commit(send, using=outbox.database())
