# SPDX-License-Identifier: Apache-2.0
"""Signals for the site's own code. They are sent after the commit, in the thread that serves the bot: be brief there.

Each has feedback=; status_changed also status=, reply_received also reply=.
"""

from django.db.models.signals import post_save
from django.dispatch import Signal

ticket_posted = Signal()  # the feedback stands in Telegram
ticket_refused = Signal()  # it never will: feedback.telegram_error says why
ticket_received = Signal()  # somebody wrote to the bot in Telegram
status_changed = Signal()  # the staff changed the status in Telegram
reply_received = Signal()  # the staff, or the author, wrote in Telegram


def connect():
    post_save.connect(_on_saved, dispatch_uid="feedback_bridge.enqueue")


def _on_saved(sender, instance, created, raw, using, **kwargs):
    from . import outbox, times
    from .mixins import FeedbackMixin, Status
    from .models import feedback_model

    if not created or raw or not isinstance(instance, FeedbackMixin) or not isinstance(instance, feedback_model()):
        return
    outbox.enqueue_feedback([instance], using=using)
    if instance.wire_id and instance.status != Status.NEW and instance.status_at:
        outbox.enqueue_status(instance, instance.status, times.from_db(instance.status_at), {}, using=using)
