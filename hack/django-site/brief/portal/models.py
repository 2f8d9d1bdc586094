# SPDX-License-Identifier: Apache-2.0
from django.db import models


class Feedback(models.Model):
    telegram_id = models.BigIntegerField(null=True)
    telegram_username = models.CharField(max_length=64, null=True)
    telegram_first_name = models.CharField(max_length=128, null=True)
    nickname = models.CharField(max_length=128, null=True)
    category = models.CharField(max_length=32)
    message = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    telegram_sent = models.BooleanField(default=False)
