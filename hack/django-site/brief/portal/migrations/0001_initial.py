# SPDX-License-Identifier: Apache-2.0
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Feedback",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("telegram_id", models.BigIntegerField(null=True)),
                ("telegram_username", models.CharField(max_length=64, null=True)),
                ("telegram_first_name", models.CharField(max_length=128, null=True)),
                ("nickname", models.CharField(max_length=128, null=True)),
                ("category", models.CharField(max_length=32)),
                ("message", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("telegram_sent", models.BooleanField(default=False)),
            ],
        ),
    ]
