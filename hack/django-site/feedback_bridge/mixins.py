# SPDX-License-Identifier: Apache-2.0
"""FeedbackMixin: what a site's own feedback model inherits to be sent to Telegram."""

from __future__ import annotations

from datetime import timedelta

from django.db import OperationalError, models, router, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from . import times

WEBSITE, TELEGRAM = "website", "telegram"


class Status(models.TextChoices):
    NEW = "new", _("New")
    READ = "read", _("Read")
    IN_PROGRESS = "in_progress", _("In progress")
    REPLIED = "replied", _("Replied")
    CLOSED = "closed", _("Closed")


# Fields that only the bridge writes: save() of an object that was read earlier leaves them alone.
BRIDGE_FIELDS = frozenset((
    "telegram_sent", "telegram_ticket", "telegram_message_id", "telegram_sent_at", "telegram_error", "status", "status_at",
))


# What from_telegram is given.
FROM_TELEGRAM = frozenset((
    "source", "telegram_ticket", "telegram_sent", "telegram_sent_at", "message", "category", "nickname", "telegram_id",
    "telegram_username", "telegram_first_name", "locale", "created_at",
))


class FeedbackQuerySet(models.QuerySet):
    def bulk_create(self, objs, batch_size=None, ignore_conflicts=False, **kwargs):
        """As Django's, and the feedback is sent: bulk_create sends no signals, and not every database tells the new keys."""
        from . import outbox

        if ignore_conflicts or kwargs.get("update_conflicts"):
            raise ValueError("where there may be conflicts nobody knows which feedback is new, and so is to be sent")
        objs = list(objs)
        with transaction.atomic(using=self.db, savepoint=False):
            if not transaction.get_connection(self.db).features.can_return_rows_from_bulk_insert:
                for item in objs:
                    item.save(force_insert=True, using=self.db)
                return objs
            created = super().bulk_create(objs, batch_size, **kwargs)
            outbox.enqueue_feedback(created, using=self.db)
        return created

    def update(self, **values):
        if "status" in values:
            raise ValueError("Telegram would not hear of it: use change_status() of each")
        return super().update(**values)

    update.alters_data = True


def _fitting(field, value):
    return value[: field.max_length] if isinstance(value, str) and field.max_length else value


class FeedbackMixin(models.Model):
    """Fields and methods of feedback that becomes a ticket.

    The payload is made of whatever of these attributes the model has: nickname, category, message, telegram_id,
    telegram_username, telegram_first_name, locale, created_at. For other names override feedback_bridge_data().
    """

    source = models.CharField(_("source"), max_length=32, default=WEBSITE, editable=False)
    telegram_sent = models.BooleanField(_("in Telegram"), default=False, editable=False)
    telegram_ticket = models.CharField(_("ticket"), max_length=128, blank=True, default="", editable=False, db_index=True)
    telegram_message_id = models.BigIntegerField(_("Telegram message"), null=True, blank=True, editable=False)
    telegram_sent_at = models.DateTimeField(_("in Telegram since"), null=True, blank=True, editable=False)
    telegram_error = models.CharField(_("refused"), max_length=500, blank=True, default="", editable=False)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.NEW)
    status_at = models.DateTimeField(_("status since"), null=True, blank=True, editable=False)

    objects = FeedbackQuerySet.as_manager()

    class Meta:
        abstract = True

    # What is sent.

    def feedback_bridge_data(self) -> dict:
        """The payload's texts and numbers; None for what is not known."""
        names = ("telegram_id", "telegram_username", "telegram_first_name", "nickname", "category", "message", "locale")
        data = {name: getattr(self, name, None) for name in names}
        created = getattr(self, "created_at", None)
        data["created_at"] = times.to_wire(times.of_site(created)) if created else None
        data["source"] = self.source
        return data

    @property
    def wire_id(self) -> int:
        """The feedback_id of the protocol: 0 for what was written in Telegram."""
        return 0 if self.source == TELEGRAM else self.pk

    @classmethod
    def from_telegram(cls, data: dict, using: str):
        """Stores a ticket that was opened in a direct message to the bot. data has the payload's members."""
        fields = {field.name: field for field in cls._meta.concrete_fields if field.name in data}
        values = {name: _fitting(field, data[name]) for name, field in fields.items()}
        feedback = cls._base_manager.using(using).create(**values)
        if values.get("created_at"):  # auto_now_add would have it be now
            cls._base_manager.using(using).filter(pk=feedback.pk).update(created_at=values["created_at"])
        return feedback

    # What the site does with it.

    def change_status(self, status: str, *, actor_name: str = "", actor_username: str = "") -> bool:
        """Changes the status here and in Telegram; False where it is that already."""
        from . import outbox

        status = Status(status).value
        model, using = type(self), router.db_for_write(type(self), instance=self)
        rows = model._base_manager.using(using).filter(pk=self.pk)
        actor = {"name": actor_name, "username": actor_username}
        for _attempt in range(20):
            held, since = rows.values_list("status", "status_at").get()
            if held == status:
                return False
            at = times.now()
            if since is not None:  # whatever the clocks of others say, this change is the later one
                at = max(at, times.from_db(since) + timedelta(microseconds=1))
            unchanged = Q(status_at=since) if since else Q(status_at__isnull=True)
            with transaction.atomic(using=using):
                if rows.filter(unchanged).update(status=status, status_at=times.to_db(at)):
                    self.status, self.status_at, self._held_status = status, times.to_db(at), status
                    outbox.enqueue_status(self, status, at, actor, using=using)
                    return True
        raise OperationalError("the status is being changed by others all the time")

    def add_reply(self, text: str, *, sender: str = "staff", user=None, files=()):
        """Answers from the site, or adds a further message of its author (sender "user"). files: (name, bytes, mime)."""
        from . import outbox
        from .models import Reply

        using = router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            reply = Reply.objects.using(using).create(
                feedback=self, sender=sender, text=text, user=user, at=times.to_db(times.now()),
                author_name=(user.get_full_name() or user.get_username())[:256] if user else "",
            )
            for name, content, mime in files:
                reply.attach(name, content, mime)
            outbox.enqueue_reply(reply, using=using)
        return reply

    def attach(self, name: str, content: bytes | None = None, mime: str = "", url: str = ""):
        """Attaches a file, in the transaction in which the feedback is created: what comes later is not sent."""
        from .models import Attachment

        return Attachment.of(self, None, name, content, mime, url)

    # How it is stored.

    @classmethod
    def from_db(cls, db, field_names, values):
        instance = super().from_db(db, field_names, values)
        instance._held_status = instance.__dict__.get("status")
        return instance

    def refresh_from_db(self, using=None, fields=None, **kwargs):
        super().refresh_from_db(using=using, fields=fields, **kwargs)
        if fields is None or "status" in fields:
            self._held_status = self.status

    def save(self, *args, force_insert=False, update_fields=None, **kwargs):
        """As Django's; a status that was assigned goes through change_status, the bridge's other fields are not overwritten."""
        if self._state.adding or force_insert or args:
            if self.status != Status.NEW and self.status_at is None:
                self.status_at = times.to_db(times.now())
            super().save(*args, force_insert=force_insert, update_fields=update_fields, **kwargs)
            self._held_status = self.status
            return
        if update_fields is None:
            spared = BRIDGE_FIELDS | self.get_deferred_fields()
            fields = [f for f in self._meta.concrete_fields if not f.primary_key]
            own = [f.name for f in fields if f.name not in spared and f.attname not in spared]
        else:
            own = [name for name in update_fields if name != "status"]
        assigned = update_fields is None or "status" in update_fields
        held, wanted = getattr(self, "_held_status", None), self.__dict__.get("status")
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            super().save(update_fields=own, **kwargs)
            if assigned and held is not None and wanted is not None and wanted != held:
                self.change_status(wanted)
