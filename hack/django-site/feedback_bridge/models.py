# SPDX-License-Identifier: Apache-2.0
"""What is stored: feedback, replies, attachments; what waits to be sent, what was received, and the connection."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from . import times
from .conf import FEEDBACK_MODEL, conf
from .mixins import TELEGRAM, WEBSITE, FeedbackMixin, FeedbackQuerySet, Status

__all__ = ["Attachment", "Connection", "Feedback", "FeedbackMixin", "FeedbackQuerySet", "Outbox", "Received", "Reply",
           "Status", "TELEGRAM", "WEBSITE", "feedback_model"]


def feedback_model():
    """The site's feedback model."""
    return apps.get_model(FEEDBACK_MODEL)


class Feedback(FeedbackMixin):
    """Feedback as the bot knows it, for sites that have no model of their own."""

    class Category(models.TextChoices):
        BUG = "bug", _("Bug")
        WISH = "wish", _("Wish")
        QUESTION = "question", _("Question")
        OTHER = "other", _("Other")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    nickname = models.CharField(_("nickname"), max_length=255, blank=True, default="")
    category = models.CharField(_("category"), max_length=64, choices=Category.choices, default=Category.OTHER)
    message = models.TextField(_("message"))
    telegram_id = models.BigIntegerField(_("Telegram id"), null=True, blank=True)
    telegram_username = models.CharField(_("Telegram username"), max_length=64, blank=True, default="")
    telegram_first_name = models.CharField(_("Telegram name"), max_length=255, blank=True, default="")
    locale = models.CharField(_("language"), max_length=35, blank=True, default="")
    created_at = models.DateTimeField(_("written"), auto_now_add=True)

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        ordering = ["-id"]
        swappable = "FEEDBACK_BRIDGE_MODEL"

    def __str__(self):
        return self.telegram_ticket or f"#{self.pk}"


class Reply(models.Model):
    """A message under a ticket: the staff's, or a further one of its author; written on the site or in Telegram."""

    class Sender(models.TextChoices):
        STAFF = "staff", _("Staff")
        USER = "user", _("Author")

    feedback = models.ForeignKey(FEEDBACK_MODEL, models.CASCADE, related_name="replies", verbose_name=_("feedback"))
    sender = models.CharField(_("from"), max_length=8, choices=Sender.choices, default=Sender.STAFF)
    text = models.TextField(_("text"), blank=True)
    source = models.CharField(_("source"), max_length=16, default=WEBSITE, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False)
    author_name = models.CharField(_("author"), max_length=256, blank=True, default="", editable=False)
    author_username = models.CharField(max_length=64, blank=True, default="", editable=False)
    author_telegram_id = models.BigIntegerField(null=True, blank=True, editable=False)
    at = models.DateTimeField(_("written"), editable=False)

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        ordering = ["at", "id"]

    def __str__(self):
        return f"{self.feedback_id}/{self.pk}"

    @property
    def author_label(self) -> str:
        return self.author_name or (f"@{self.author_username}" if self.author_username else self.get_sender_display())

    def attach(self, name: str, content: bytes | None = None, mime: str = "", url: str = ""):
        return Attachment.of(self.feedback, self, name, content, mime, url)


class AttachmentManager(models.Manager):
    def get_queryset(self):
        """Without the content, of which lists need to know only whether there is any."""
        known = models.ExpressionWrapper(models.Q(content__isnull=False), output_field=models.BooleanField())
        return super().get_queryset().defer("content").annotate(content_known=known)


class Attachment(models.Model):
    """A file of a feedback or of a reply. Its content is in the database, where every process finds it; or at a URL; or neither."""

    MOST = 10  # of one message
    URL_MOST = 2048
    URL = re.compile(r"https://[^/?#@\s]+([/?#]\S*)?")

    feedback = models.ForeignKey(FEEDBACK_MODEL, models.CASCADE, related_name="attachments")
    reply = models.ForeignKey(Reply, models.CASCADE, null=True, blank=True, related_name="attachments")
    name = models.CharField(_("name"), max_length=255)
    mime = models.CharField(_("type"), max_length=127, blank=True, default="")
    size = models.BigIntegerField(_("size"), default=0)
    content = models.BinaryField(null=True)
    url = models.URLField(max_length=URL_MOST, blank=True, default="")

    objects = AttachmentManager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["id"]

    def __str__(self):
        return self.name

    @classmethod
    def of(cls, feedback, reply, name: str, content: bytes | None, mime: str, url: str, size: int | None = None):
        if content is not None and len(content) > conf.MAX_ATTACHMENT_BYTES:
            raise ValueError(f"an attachment of more than {conf.MAX_ATTACHMENT_BYTES} bytes (MAX_ATTACHMENT_BYTES)")
        if url and not cls.URL.fullmatch(url):
            raise ValueError("an attachment's URL begins with https:// and names no user")
        size = len(content) if content is not None else size or 0
        return cls.objects.using(feedback._state.db).create(
            feedback=feedback, reply=reply, name=name[-255:], content=content, mime=mime[:127], url=url, size=size
        )


class Outbox(models.Model):
    """An event for the bot, written in the transaction of what it tells. Without settled_at it is still to be done."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(_("type"), max_length=32)
    feedback = models.ForeignKey(FEEDBACK_MODEL, models.CASCADE, related_name="+")
    reply = models.ForeignKey(Reply, models.CASCADE, null=True, blank=True, related_name="+")
    data = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(_("created"))
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("sent"), default=0)
    sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    acked_at = models.DateTimeField(_("received by the bot"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True, default="")

    class Meta:
        verbose_name = _("outgoing event")
        verbose_name_plural = _("outbox")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(settled_at__isnull=True), name="feedback_bridge_due"),
            models.Index(fields=["settled_at"], name="feedback_bridge_settled"),
        ]

    def __str__(self):
        return f"{self.type} {self.uid}"


class Received(models.Model):
    """The id of a frame of version 2 whose effect is stored: the same again has none."""

    uid = models.CharField(max_length=128, unique=True)
    nonce = models.CharField(max_length=128, db_index=True)
    type = models.CharField(max_length=128)
    at = models.DateTimeField(db_index=True)

    def __str__(self):
        return self.uid


class Connection(models.Model):
    """The bot's connection, one row: the newest has the highest generation, and the others end."""

    ID = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ID)
    generation = models.BigIntegerField(default=0)
    protocol = models.CharField(max_length=8, blank=True, default="")
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True)
    software = models.CharField(max_length=128, blank=True, default="")
    peer_keys = models.JSONField(default=list, blank=True)
    peer_preferred = models.CharField(max_length=64, blank=True, default="")
    refused = models.BigIntegerField(default=0)  # frames that were not believed or not understood
    last_refusal = models.CharField(max_length=128, blank=True, default="")
    refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("connection of the bot")
        verbose_name_plural = _("connection of the bot")

    def __str__(self):
        return f"{self.protocol} {'open' if self.is_open else 'closed'}"

    @classmethod
    def current(cls) -> Connection:
        return cls.objects.filter(pk=cls.ID).first() or cls()

    @property
    def is_open(self) -> bool:
        """Open as far as the database knows: a process that was killed could not say goodbye, but is not heard of either."""
        if self.opened_at is None or self.closed_at is not None or self.heard_at is None:
            return False
        return times.now() - times.from_db(self.heard_at) < timedelta(seconds=4 * conf.PING_INTERVAL + 30)
