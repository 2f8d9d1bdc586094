# SPDX-License-Identifier: Apache-2.0
"""A site around the drop-in app. What differs from machine to machine comes from the environment."""
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent

DEBUG = os.environ.get("SITE_DEBUG") == "1"
SECRET_KEY = os.environ.get("SITE_SECRET_KEY", "only-for-trials")
ALLOWED_HOSTS = os.environ.get("SITE_HOSTS", "localhost,127.0.0.1").split(",")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "feedback_bridge",
    "portal",
    *filter(None, os.environ.get("SITE_MORE_APPS", "").split(",")),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.texts.context",
            ]
        },
    }
]


def database(address):
    """An SQLite database by its file, or a PostgreSQL by "host=... user=... dbname=... password=..."."""
    if "=" not in address:
        # A writer waits for its turn.
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": address, "OPTIONS": {"timeout": 30}}
    parts = dict(part.split("=", 1) for part in address.split())
    names = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "NAME", "password": "PASSWORD"}
    return {"ENGINE": "django.db.backends.postgresql", **{names[name]: value for name, value in parts.items()}}


DATABASES = {"default": database(os.environ.get("SITE_DATABASE") or str(HERE.parent / "portal.sqlite3"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Pages and the bot's connection may be served by several processes: they meet in Redis. One process needs none.
if os.environ.get("SITE_REDIS"):
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [os.environ["SITE_REDIS"]]},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", "Русский"), ("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = os.environ.get("SITE_TIME_ZONE", "Europe/Moscow")
STATIC_URL = "/static/"

# What the site and the bot know each other by. On a cluster it is the Secret that the operator writes, mounted: SECRET_DIR.
# All other settings keep their defaults, or come from variables such as FEEDBACK_BRIDGE_PROTOCOLS.
FEEDBACK_BRIDGE = {
    "SECRET_DIR": os.environ.get("SITE_SECRET_DIR", ""),
    "HMAC_SECRET": os.environ.get("SITE_HMAC_KEY", ""),
    "JWT_SECRET": os.environ.get("SITE_JWT_SECRET", ""),
}
