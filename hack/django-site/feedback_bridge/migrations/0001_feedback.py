# SPDX-License-Identifier: Apache-2.0
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Feedback",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(default="website", editable=False, max_length=32, verbose_name="source")),
                ("telegram_sent", models.BooleanField(default=False, editable=False, verbose_name="in Telegram")),
                ("telegram_ticket", models.CharField(blank=True, db_index=True, default="", editable=False, max_length=128, verbose_name="ticket")),
                ("telegram_message_id", models.BigIntegerField(blank=True, editable=False, null=True, verbose_name="Telegram message")),
                ("telegram_sent_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="in Telegram since")),
                ("telegram_error", models.CharField(blank=True, default="", editable=False, max_length=500, verbose_name="refused")),
                ("status", models.CharField(choices=[("new", "New"), ("read", "Read"), ("in_progress", "In progress"), ("replied", "Replied"), ("closed", "Closed")], default="new", max_length=16, verbose_name="status")),
                ("status_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="status since")),
                ("nickname", models.CharField(blank=True, default="", max_length=255, verbose_name="nickname")),
                ("category", models.CharField(choices=[("bug", "Bug"), ("wish", "Wish"), ("question", "Question"), ("other", "Other")], default="other", max_length=64, verbose_name="category")),
                ("message", models.TextField(verbose_name="message")),
                ("telegram_id", models.BigIntegerField(blank=True, null=True, verbose_name="Telegram id")),
                ("telegram_username", models.CharField(blank=True, default="", max_length=64, verbose_name="Telegram username")),
                ("telegram_first_name", models.CharField(blank=True, default="", max_length=255, verbose_name="Telegram name")),
                ("locale", models.CharField(blank=True, default="", max_length=35, verbose_name="language")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="written")),
                ("user", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="user")),
            ],
            options={
                "verbose_name": "feedback",
                "verbose_name_plural": "feedback",
                "ordering": ["-id"],
                "swappable": "FEEDBACK_BRIDGE_MODEL",
            },
        ),
    ]
