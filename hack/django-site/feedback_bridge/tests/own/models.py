# SPDX-License-Identifier: Apache-2.0
"""A site's own feedback, as it may have been there before: other names, a relation, no manager of the bridge's."""

from django.db import models

from feedback_bridge.mixins import FeedbackMixin


class Player(models.Model):
    name = models.CharField(max_length=10)


class Ticket(FeedbackMixin):
    player = models.ForeignKey(Player, models.CASCADE, null=True)
    topic = models.CharField(max_length=8)
    words = models.CharField(max_length=20)

    def feedback_bridge_data(self):
        names = {"category": self.topic, "message": self.words, "nickname": self.player.name if self.player else ""}
        return {**super().feedback_bridge_data(), **names}

    @classmethod
    def from_telegram(cls, data, using):
        return super().from_telegram({**data, "topic": data["category"], "words": data["message"]}, using)
