# SPDX-License-Identifier: Apache-2.0
"""What manage.py check finds: each message says what to write instead."""

from __future__ import annotations

import difflib
import math

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import Tags, register
from django.db import models, router
from django.utils.module_loading import import_string

from . import credentials
from .conf import FEEDBACK_MODEL, SETTING, SETTINGS, conf, several
from .mixins import FROM_TELEGRAM, FeedbackMixin, FeedbackQuerySet

SHORT = 16  # bytes, under which a secret can be guessed


def error(text, *, id, hint=None, obj=None):
    return checks.Error(text, hint=hint, obj=obj, id=f"feedback_bridge.{id}")


def warning(text, *, id, hint=None, obj=None):
    return checks.Warning(text, hint=hint, obj=obj, id=f"feedback_bridge.{id}")


@register()
def check_settings(app_configs=None, **kwargs):
    given = getattr(settings, SETTING, None) or {}
    if not isinstance(given, dict):
        hint = f'{SETTING} = {{"HMAC_SECRET": .., "JWT_SECRET": ..}}'
        return [error(f"{SETTING} is not a dictionary.", hint=hint, id="E001")]
    found = []
    for name in given:
        if name not in SETTINGS:
            near = difflib.get_close_matches(str(name).upper(), SETTINGS, 1)
            hint = f"Do you mean {near[0]}?" if near else f"There are: {', '.join(SETTINGS)}."
            found.append(error(f"{SETTING} has no setting {name!r}.", hint=hint, id="E002"))
    for name, setting in SETTINGS.items():
        found += _check_value(name, setting, getattr(conf, name))
    unknown = set(conf.PROTOCOLS) - {"v1", "v2"} if isinstance(conf.PROTOCOLS, (list, tuple)) else ()
    if unknown or not conf.PROTOCOLS:
        found.append(error(f"{SETTING}['PROTOCOLS'] may hold \"v2\" and \"v1\", and at least one.", id="E004"))
    # migrate, which names its databases, often runs where the secrets are not: in a build, or before the operator made them.
    return found or ([] if kwargs.get("databases") else check_credentials())


def _check_value(name, setting, value):
    wrong = not isinstance(value, setting.types) or isinstance(value, bool) and bool not in setting.types
    if wrong:
        kinds = " or ".join(kind.__name__ for kind in setting.types)
        return [error(f"{SETTING}[{name!r}] is of the type {type(value).__name__}.", hint=f"It should be {kinds}.", id="E003")]
    if setting.least is not None and not setting.least <= value < math.inf:
        return [error(f"{SETTING}[{name!r}] must be at least {setting.least}.", id="E003")]
    return []


def check_credentials():
    try:
        held = credentials.load()
    except (OSError, ValueError) as problem:
        return [error(f"The keys cannot be read: {problem}", hint="See SECRET_DIR, JWT_PUBLIC_KEY and JWT_JWKS.", id="E005")]
    found = []
    if held.ring.preferred is None:
        found.append(error(
            "There is no HMAC key: no frame could be signed.",
            hint=f"Set {SETTING}['HMAC_SECRET'] to the secret that the bot has, or {SETTING}['SECRET_DIR'] to where the site's"
            " Secret is mounted (with hmac-key in it).",
            id="E006",
        ))
    if not held.token_keys:
        found.append(error(
            "There is nothing to check the bot's token with: it could not connect.",
            hint=f"Set {SETTING}['JWT_SECRET'] (HS256), ['JWT_PUBLIC_KEY'] (PEM) or ['JWT_JWKS']; or ['SECRET_DIR'] with jwks.json.",
            id="E007",
        ))
    for name in ("HMAC_SECRET", "JWT_SECRET"):
        if any(len(secret) < SHORT for secret in several(getattr(conf, name))):
            found.append(warning(
                f"{SETTING}[{name!r}] is shorter than {SHORT} characters, and could be guessed from what it signed.",
                hint="python3 -c 'import secrets; print(secrets.token_urlsafe(32))'", id="W001"))
    return found


@register(Tags.models)
def check_model(app_configs=None, **kwargs):
    try:
        model = apps.get_model(FEEDBACK_MODEL)
    except (LookupError, ValueError):
        return [error(f"FEEDBACK_BRIDGE_MODEL names no model: {FEEDBACK_MODEL}.", hint='It should be "app.Model".', id="E008")]
    if not issubclass(model, FeedbackMixin):
        return [error(f"{FEEDBACK_MODEL} does not inherit feedback_bridge.models.FeedbackMixin.", obj=model, id="E009")]
    found = []
    key = model._meta.pk
    while key.remote_field:
        key = key.target_field
    if not isinstance(key, models.IntegerField):
        found.append(error(
            f"The primary key of {FEEDBACK_MODEL} is no integer, as the protocol's feedback_id is.",
            hint="Give FEEDBACK_BRIDGE_MODEL a model with an integer key, which refers to yours.", obj=model, id="E010"))
    found += _check_storing(model)
    needs = {"message", "category"} - {name for name in dir(model)} - {field.name for field in model._meta.get_fields()}
    if needs and getattr(model, "feedback_bridge_data", None) is FeedbackMixin.feedback_bridge_data:
        found.append(error(
            f"{FEEDBACK_MODEL} has no {' and no '.join(sorted(needs))}, which the bot requires.",
            hint="Add them, or override feedback_bridge_data().", obj=model, id="E011"))
    outbox = apps.get_model("feedback_bridge.Outbox")
    if router.db_for_write(model) != router.db_for_write(outbox):
        found.append(error(
            f"{FEEDBACK_MODEL} and feedback_bridge are in different databases: no transaction can hold both.",
            hint="Have DATABASE_ROUTERS put them into the same.", id="E012"))
    return found


def _check_storing(model):
    found = []
    if not isinstance(model._default_manager.get_queryset(), FeedbackQuerySet):
        found.append(warning(
            f"{FEEDBACK_MODEL} has a manager of its own: what its bulk_create() makes is not sent.",
            hint="Make it of feedback_bridge.models.FeedbackQuerySet, or call outbox.enqueue_feedback() yourself.",
            obj=model,
            id="W003",
        ))
    if getattr(model.from_telegram, "__func__", None) is FeedbackMixin.from_telegram.__func__:
        needs = [field.name for field in model._meta.concrete_fields if _is_needed(field)]
        if needs:
            found.append(warning(
                f"{FEEDBACK_MODEL} requires {', '.join(needs)}: tickets that are opened in Telegram cannot be stored.",
                hint="Let the fields be null, give them a default, or override from_telegram().", obj=model, id="W004"))
    return found


def _is_needed(field) -> bool:
    """Whether a row cannot be stored without a value that from_telegram() does not know."""
    filled = field.primary_key or field.null or field.has_default() or field.empty_strings_allowed
    timed = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    return not (filled or timed or field.name in FROM_TELEGRAM)


@register()
def check_site(app_configs=None, **kwargs):
    if kwargs.get("databases"):
        return []
    if not getattr(settings, "ASGI_APPLICATION", None):
        hint = 'ASGI_APPLICATION = "yoursite.asgi.application", served by daphne or uvicorn.'
        return [error("ASGI_APPLICATION is not set: a WSGI server has no WebSockets.", hint=hint, id="E013")]
    found = _check_routing()
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get(conf.CHANNEL_LAYER) if conf.CHANNEL_LAYER else {}
    if layer is None and conf.CHANNEL_LAYER != SETTINGS["CHANNEL_LAYER"].default:
        found.append(error(f"CHANNEL_LAYERS has no {conf.CHANNEL_LAYER!r}, which {SETTING}['CHANNEL_LAYER'] names.", id="E014"))
    return found


def _check_routing():
    from .consumer import FeedbackBotConsumer

    try:
        application = import_string(settings.ASGI_APPLICATION)
    except Exception as problem:
        hint = f"Try: python3 -c 'import {settings.ASGI_APPLICATION.rpartition('.')[0]}'"
        return [error(f"ASGI_APPLICATION cannot be imported: {type(problem).__name__}.", hint=hint, id="E015")]
    classes = _consumers(application)
    if classes is None or any(issubclass(kind, FeedbackBotConsumer) for kind in classes):
        return []
    return [warning(
        "The bot's WebSocket is not routed: it would find nothing at ws/feedback-bot.",
        hint='In asgi.py: ProtocolTypeRouter({"http": get_asgi_application(), "websocket":'
        " AllowedHostsOriginValidator(URLRouter(websocket_urlpatterns))}), with websocket_urlpatterns from feedback_bridge.routing.",
        id="W002")]


def _consumers(application):
    """The consumers that WebSockets reach, through Channels' own routers and middleware; None where that cannot be told."""
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.core.handlers.asgi import ASGIHandler

    for _ in range(32):
        if isinstance(application, ASGIHandler):
            return []
        if isinstance(application, ProtocolTypeRouter):
            application = application.application_mapping.get("websocket")
            if application is None:
                return []
        elif isinstance(application, URLRouter):
            return _routed(application.routes)
        else:
            application = getattr(application, "inner", None) or getattr(application, "application", None)
            if application is None:
                return None
    return None


def _routed(routes):
    kinds = []
    for route in routes:
        callback = getattr(route, "callback", None)
        if hasattr(callback, "consumer_class"):
            kinds.append(callback.consumer_class)
        elif not hasattr(callback, "routes"):
            return None
        else:
            below = _routed(callback.routes)
            if below is None:
                return None
            kinds += below
    return kinds
