# SPDX-License-Identifier: Apache-2.0
import sys

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FeedbackBridgeConfig(AppConfig):
    name = "feedback_bridge"
    verbose_name = _("Feedback bridge")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from . import checks, signals  # noqa: F401  (they register themselves)

        signals.connect()
        send_at_once()


def send_at_once() -> None:
    """Has daphne, where that serves, send every frame at once.

    autobahn means to switch Nagle's algorithm off, but asks for its option before that is there, and goes on without: a
    frame behind a small one then waits until the peer's TCP has confirmed that, for 40 ms.
    """
    daphne = sys.modules.get("daphne.ws_protocol")
    if daphne is not None and not hasattr(daphne.WebSocketProtocol, "tcpNoDelay"):
        daphne.WebSocketProtocol.tcpNoDelay = True
