# SPDX-License-Identifier: Apache-2.0
"""For the tests with a model of the site's own: python3 -m django test feedback_bridge.tests.own --settings feedback_bridge.tests.settings_own"""

from .settings import *  # noqa: F403

INSTALLED_APPS = ["feedback_bridge.tests.own", *INSTALLED_APPS]  # noqa: F405
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
FEEDBACK_BRIDGE_MODEL = "own.Ticket"
