# SPDX-License-Identifier: Apache-2.0
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FeedbackBridgeConfig(AppConfig):
    name = "feedback_bridge"
    verbose_name = _("Feedback bridge")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from . import checks, signals  # noqa: F401  (they register themselves)

        signals.connect()
