# SPDX-License-Identifier: Apache-2.0
"""The settings: FEEDBACK_BRIDGE = {...}, what it leaves out from the environment, else the default."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from django.conf import settings as django_settings

SETTING = "FEEDBACK_BRIDGE"
ENVIRONMENT = "FEEDBACK_BRIDGE_"

# The model of the site's feedback, "app.Model", as AUTH_USER_MODEL is for users.
if not hasattr(django_settings, "FEEDBACK_BRIDGE_MODEL"):  # Django reads it itself, and knows no default
    django_settings.FEEDBACK_BRIDGE_MODEL = "feedback_bridge.Feedback"
FEEDBACK_MODEL = django_settings.FEEDBACK_BRIDGE_MODEL


class Setting(NamedTuple):
    default: Any
    types: tuple
    least: float | None = None


TEXTS = (str, bytes, list, tuple)
NUMBER = (int, float)

SETTINGS = {
    # Credentials: see credentials.py.
    "SECRET_DIR": Setting("", (str, os.PathLike)),  # the site's Secret, mounted
    "HMAC_SECRET": Setting("", TEXTS),  # of several, the first signs
    "JWT_SECRET": Setting("", TEXTS),  # HS256
    "JWT_PUBLIC_KEY": Setting("", TEXTS + (os.PathLike,)),  # PEM, or a file of it
    "JWT_JWKS": Setting("", (str, dict, os.PathLike)),  # a key set, or a file of it
    "JWT_ISSUER": Setting("", (str,)),
    "JWT_AUDIENCE": Setting("", (str,)),
    "JWT_SUBJECT": Setting("", (str,)),
    "JWT_LEEWAY": Setting(30, NUMBER, 0),  # seconds
    "JWT_REQUIRE": Setting(("exp",), (list, tuple)),  # claims that a token must have
    # The protocol.
    "PROTOCOLS": Setting(("v2", "v1"), (list, tuple)),
    "V1_ENSURE_ASCII": Setting(False, (bool,)),  # sign the escaped form in version 1
    "TTL": Setting(45, (int,), 1),  # seconds
    "WINDOW": Setting(64, (int,), 1),  # frames in flight
    "WINDOW_BYTES": Setting(2 << 20, (int,), 1),  # and their length together, but for a single one
    "ACK_TIMEOUT": Setting(30, NUMBER, 0.01),  # seconds until a frame is sent again, in version 2
    "RESULT_TIMEOUT": Setting(600, NUMBER, 0.01),  # until feedback that the bot has, but did not post, is asked about
    # Times, in seconds, and sizes.
    "POLL_INTERVAL": Setting(2, NUMBER, 0.01),  # between looks at the outbox that nothing prompted
    "PING_INTERVAL": Setting(20, NUMBER, 0.01),  # a peer silent for 2.5 of these is given up
    "RETENTION_DAYS": Setting(35, (int,), 30),  # of what is settled; what was received has to be known for 30
    "MAX_ATTACHMENT_BYTES": Setting(10 << 20, (int,), 0),
    "CHANNEL_LAYER": Setting("default", (str,)),  # for hints; "" for none
}


class Conf:
    """The settings as attributes, read anew each time: override_settings works."""

    def __getattr__(self, name: str):
        try:
            setting = SETTINGS[name]
        except KeyError:
            raise AttributeError(f"{SETTING} has no setting {name}") from None
        given = getattr(django_settings, SETTING, None) or {}
        if name in given:
            return given[name]
        text = os.environ.get(ENVIRONMENT + name)
        return setting.default if text is None else convert(text, setting.default)


def convert(text: str, default):
    """A variable of the environment as what its default is; what it cannot be stays text, for the checks to find."""
    if isinstance(default, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(default, (int, float)):
        try:
            return int(text) if text.lstrip("-").isdigit() else float(text)
        except ValueError:
            return text
    return text


conf = Conf()


def several(value) -> list:
    """A setting that may be one or several; what is empty is none."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return [value for value in values if value]
