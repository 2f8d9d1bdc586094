# SPDX-License-Identifier: Apache-2.0
"""The brief's own site. Everything comes from the environment, for it only ever runs in tests."""
import os
from pathlib import Path

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = os.environ.get("SITE_HOSTS", "127.0.0.1").split(",")
USE_TZ = True
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
INSTALLED_APPS = ["channels", "portal"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("SITE_DATABASE", "brief.sqlite3")),
        "OPTIONS": {"timeout": 30},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ.get("SITE_REDIS", "redis://127.0.0.1:6379")]},
    }
}

FEEDBACK_BOT_JWT_SECRET = os.environ.get("SITE_JWT_SECRET", "")
FEEDBACK_BOT_HMAC_SECRET = os.environ.get("SITE_HMAC_KEY", "")
# What the brief's formula says is json.dumps as it is, which escapes all but ASCII. The bot that it was
# written for signs unescaped. Sites exist with either.
FEEDBACK_BOT_ENSURE_ASCII = os.environ.get("SITE_ENSURE_ASCII", "1") == "1"
