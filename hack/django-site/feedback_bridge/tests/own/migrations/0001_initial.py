# SPDX-License-Identifier: Apache-2.0
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name="Player",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=10)),
            ],
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(default="website", editable=False, max_length=32, verbose_name="source")),
                ("telegram_sent", models.BooleanField(default=False, editable=False, verbose_name="in Telegram")),
                ("telegram_ticket", models.CharField(blank=True, db_index=True, default="", editable=False, max_length=128, verbose_name="ticket")),
                ("telegram_message_id", models.BigIntegerField(blank=True, editable=False, null=True, verbose_name="Telegram message")),
                ("telegram_sent_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="in Telegram since")),
                ("telegram_error", models.CharField(blank=True, default="", editable=False, max_length=500, verbose_name="refused")),
                ("status", models.CharField(choices=[("new", "New"), ("read", "Read"), ("in_progress", "In progress"), ("replied", "Replied"), ("closed", "Closed")], default="new", max_length=16, verbose_name="status")),
                ("status_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="status since")),
                ("topic", models.CharField(max_length=8)),
                ("words", models.CharField(max_length=20)),
                ("player", models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="own.player")),
            ],
            options={
                "abstract": False,
            },
        ),
    ]
