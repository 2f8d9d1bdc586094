# SPDX-License-Identifier: Apache-2.0
"""The admin pages: feedback with its ticket, status and replies, and an answer to it; what waits; the connection.

A site with a model of its own registers it with FeedbackBridgeAdminMixin before admin.ModelAdmin.
"""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from . import outbox
from .conf import conf
from .models import Attachment, Connection, Feedback, Outbox, Reply, Status, feedback_model
from .views import serve


def name_of(user) -> str:
    return (user.get_full_name() or user.get_username())[:256]


class AnswerForm(forms.ModelForm):
    answer = forms.CharField(
        label=_("Answer"), required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        help_text=_("Goes to the author, and under the ticket in Telegram."),
    )
    answer_file = forms.FileField(label=_("File"), required=False)

    def clean_answer_file(self):
        file = self.cleaned_data["answer_file"]
        if file and file.size > conf.MAX_ATTACHMENT_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        return file


class ReadOnly:
    """For an admin of what only the app writes."""

    def has_add_permission(self, request, *args):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class ReplyInline(ReadOnly, admin.TabularInline):
    """Who sees the feedback sees what was said about it."""

    model = Reply
    fields = ("at", "sender", "author_label", "text", "files")
    readonly_fields = fields  # without a permission to change, too, a form is made of what is not read-only
    extra = 0
    can_delete = False

    def has_view_permission(self, request, obj=None):
        return True

    @admin.display(description=_("author"))
    def author_label(self, reply):
        return reply.author_label

    @admin.display(description=_("files"))
    def files(self, reply):
        return links(reply.attachments.all())

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("attachments")


def links(attachments):
    def target(file):
        known = file.url or file.content_known
        return reverse("admin:feedback_bridge_attachment", args=[file.pk]) if known else "#"

    return format_html_join(", ", '<a href="{}">{}</a>', ((target(file), file.name) for file in attachments)) or "-"


class FeedbackBridgeAdminMixin:
    """Brings the status to Telegram when it changes here, and answers."""

    form = AnswerForm
    inlines = [ReplyInline]
    actions = ["mark_read", "mark_in_progress", "mark_replied", "mark_closed", "send_again"]

    def get_readonly_fields(self, request, obj=None):
        """What was sent does not change in Telegram, and so does not here."""
        own = {"status", *(field.name for field in self.model._meta.fields if not field.editable)}
        sent = [field.name for field in self.model._meta.fields if field.name not in own and not field.primary_key] if obj else []
        return [*super().get_readonly_fields(request, obj), *sent]

    def save_model(self, request, obj, form, change):
        status = form.cleaned_data.get("status")
        changed = change and "status" in form.changed_data
        if changed:
            obj.status = form.initial["status"]
        super().save_model(request, obj, form, change)
        if changed and status:
            obj.change_status(status, actor_name=name_of(request.user))

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        text, file = form.cleaned_data.get("answer"), form.cleaned_data.get("answer_file")
        if text or file:
            files = [(file.name, file.read(), file.content_type or "")] if file else []
            form.instance.add_reply(text or "", user=request.user, files=files)

    def _mark(self, request, queryset, status):
        changed = sum(item.change_status(status, actor_name=name_of(request.user)) for item in queryset)
        self.message_user(request, _("%d changed.") % changed, messages.SUCCESS)

    @admin.action(description=_("Mark as read"), permissions=["change"])
    def mark_read(self, request, queryset):
        self._mark(request, queryset, Status.READ)

    @admin.action(description=_("Mark as in progress"), permissions=["change"])
    def mark_in_progress(self, request, queryset):
        self._mark(request, queryset, Status.IN_PROGRESS)

    @admin.action(description=_("Mark as replied"), permissions=["change"])
    def mark_replied(self, request, queryset):
        self._mark(request, queryset, Status.REPLIED)

    @admin.action(description=_("Mark as closed"), permissions=["change"])
    def mark_closed(self, request, queryset):
        self._mark(request, queryset, Status.CLOSED)

    @admin.action(description=_("Send to Telegram (again)"), permissions=["change"])
    def send_again(self, request, queryset):
        chosen = list(queryset.filter(telegram_sent=False))
        outbox.send_again(chosen, using=outbox.database())
        self.message_user(request, _("%d are sent.") % len(chosen), messages.SUCCESS)


class FeedbackAdmin(FeedbackBridgeAdminMixin, admin.ModelAdmin):
    list_display = ("__str__", "category", "nickname", "excerpt", "status", "telegram_sent", "created_at")
    list_filter = ("status", "telegram_sent", "category", "source", "created_at")
    search_fields = ("telegram_ticket", "nickname", "message", "telegram_username")
    date_hierarchy = "created_at"
    author_fields = ("nickname", "category", "user", "telegram_id", "telegram_username", "telegram_first_name", "locale")
    bridge_fields = ("telegram_ticket", "telegram_sent", "telegram_sent_at", "telegram_message_id", "telegram_error", "status_at")
    readonly_fields = ("created_at", "source", "files", *bridge_fields)
    fieldsets = (
        (None, {"fields": ("status", "message", "files", "answer", "answer_file")}),
        (_("From"), {"fields": (*author_fields, "created_at", "source")}),
        (_("Telegram"), {"fields": bridge_fields}),
    )
    raw_id_fields = ("user",)

    @admin.display(description=_("message"))
    def excerpt(self, feedback):
        return Truncator(feedback.message).chars(80)

    @admin.display(description=_("files"))
    def files(self, feedback):
        return links(feedback.attachments.filter(reply__isnull=True)) if feedback.pk else "-"


class AttachmentAdmin(ReadOnly, admin.ModelAdmin):
    """No pages of its own: only the downloads that the links of others lead to."""

    def has_module_permission(self, request):
        return False

    def get_urls(self):
        return [path("<int:pk>/content/", self.admin_site.admin_view(self.download), name="feedback_bridge_attachment")]

    def download(self, request, pk):
        meta = feedback_model()._meta
        if not any(request.user.has_perm(f"{meta.app_label}.{may}_{meta.model_name}") for may in ("view", "change")):
            raise PermissionDenied
        return serve(get_object_or_404(Attachment, pk=pk))


class OutboxAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("uid", "type", "feedback", "created_at", "attempts", "sent_at", "acked_at", "settled_at", "error")
    list_filter = ("type", ("settled_at", admin.EmptyFieldListFilter))
    list_select_related = ("feedback",)
    actions = ["send_now"]

    def has_send_permission(self, request):
        return request.user.has_perm("feedback_bridge.change_outbox")

    @admin.action(description=_("Send now"), permissions=["send"])
    def send_now(self, request, queryset):
        queryset.filter(settled_at__isnull=True).update(not_before=None)


class ConnectionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("state", "protocol", "software", "opened_at", "heard_at", "closed_at", "refused", "last_refusal", "refused_at")

    @admin.display(description=_("connected"), boolean=True)
    def state(self, connection):
        return connection.is_open


if not Feedback._meta.swapped:
    admin.site.register(Feedback, FeedbackAdmin)
admin.site.register(Attachment, AttachmentAdmin)
admin.site.register(Outbox, OutboxAdmin)
admin.site.register(Connection, ConnectionAdmin)
