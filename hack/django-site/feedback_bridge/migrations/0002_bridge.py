# SPDX-License-Identifier: Apache-2.0
import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("feedback_bridge", "0001_feedback"),
        migrations.swappable_dependency(settings.FEEDBACK_BRIDGE_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Connection",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("generation", models.BigIntegerField(default=0)),
                ("protocol", models.CharField(blank=True, default="", max_length=8)),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("heard_at", models.DateTimeField(blank=True, null=True)),
                ("software", models.CharField(blank=True, default="", max_length=128)),
                ("peer_keys", models.JSONField(blank=True, default=list)),
                ("peer_preferred", models.CharField(blank=True, default="", max_length=64)),
                ("refused", models.BigIntegerField(default=0)),
                ("last_refusal", models.CharField(blank=True, default="", max_length=128)),
                ("refused_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "connection of the bot",
                "verbose_name_plural": "connection of the bot",
            },
        ),
        migrations.CreateModel(
            name="Received",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.CharField(max_length=128, unique=True)),
                ("nonce", models.CharField(db_index=True, max_length=128)),
                ("type", models.CharField(max_length=128)),
                ("at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="Reply",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sender", models.CharField(choices=[("staff", "Staff"), ("user", "Author")], default="staff", max_length=8, verbose_name="from")),
                ("text", models.TextField(blank=True, verbose_name="text")),
                ("source", models.CharField(default="website", editable=False, max_length=16, verbose_name="source")),
                ("author_name", models.CharField(blank=True, default="", editable=False, max_length=256, verbose_name="author")),
                ("author_username", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("author_telegram_id", models.BigIntegerField(blank=True, editable=False, null=True)),
                ("at", models.DateTimeField(editable=False, verbose_name="written")),
                ("feedback", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="replies", to=settings.FEEDBACK_BRIDGE_MODEL, verbose_name="feedback")),
                ("user", models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name": "reply",
                "verbose_name_plural": "replies",
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="Outbox",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("type", models.CharField(max_length=32, verbose_name="type")),
                ("data", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("not_before", models.DateTimeField(blank=True, null=True, verbose_name="not before")),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="sent")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="last sent")),
                ("acked_at", models.DateTimeField(blank=True, null=True, verbose_name="received by the bot")),
                ("settled_at", models.DateTimeField(blank=True, null=True, verbose_name="settled")),
                ("error", models.CharField(blank=True, default="", max_length=500, verbose_name="error")),
                ("feedback", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.FEEDBACK_BRIDGE_MODEL)),
                ("reply", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="feedback_bridge.reply")),
            ],
            options={
                "verbose_name": "outgoing event",
                "verbose_name_plural": "outbox",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255, verbose_name="name")),
                ("mime", models.CharField(blank=True, default="", max_length=127, verbose_name="type")),
                ("size", models.BigIntegerField(default=0, verbose_name="size")),
                ("content", models.BinaryField(null=True)),
                ("url", models.URLField(blank=True, default="", max_length=2048)),
                ("feedback", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="attachments", to=settings.FEEDBACK_BRIDGE_MODEL)),
                ("reply", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="attachments", to="feedback_bridge.reply")),
            ],
            options={
                "verbose_name": "attachment",
                "verbose_name_plural": "attachments",
                "ordering": ["id"],
            },
        ),
        migrations.AddIndex(
            model_name="outbox",
            index=models.Index(condition=models.Q(("settled_at__isnull", True)), fields=["id"], name="feedback_bridge_due"),
        ),
        migrations.AddIndex(
            model_name="outbox",
            index=models.Index(fields=["settled_at"], name="feedback_bridge_settled"),
        ),
    ]
