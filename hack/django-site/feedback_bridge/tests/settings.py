# SPDX-License-Identifier: Apache-2.0
"""For the app's own tests, without any site: python3 -m django test feedback_bridge --settings feedback_bridge.tests.settings

SQLite, in a file: in memory, its connections cannot wait for one another; on PostgreSQL with TEST_DATABASE=NAME and the variables of libpq (PGHOST, PGPORT, PGUSER).
"""

import os
import tempfile

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["shop.example"]
USE_TZ = os.environ.get("TEST_USE_TZ", "1") == "1"
TIME_ZONE = "Europe/Moscow"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "channels",
    "feedback_bridge",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
ROOT_URLCONF = "feedback_bridge.tests.urls"
ASGI_APPLICATION = "feedback_bridge.tests.asgi.application"
if os.environ.get("TEST_DATABASE"):
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["TEST_DATABASE"]}}
else:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # a disk would be waited for at each commit
    test_file = os.path.join(memory, f"feedback-bridge-tests-{os.getpid()}.sqlite3")
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {"timeout": 20}, "TEST": {"NAME": test_file}}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
FEEDBACK_BRIDGE = {"HMAC_SECRET": "hmac secret of the tests", "JWT_SECRET": "jwt secret of the tests, 32 bytes"}
