# SPDX-License-Identifier: Apache-2.0
"""The keys that are configured now. A mounted Secret is read again when it changes; while it cannot be, the last counts."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

from django.core.signals import setting_changed

from . import keys, tokens
from .conf import SETTING, conf, several

logger = logging.getLogger("feedback_bridge")
RECHECK = 1.0  # seconds between looks at the files


class Credentials(NamedTuple):
    ring: keys.KeyRing
    token_keys: list[tokens.TokenKey]
    rules: tokens.Rules

    def check_token(self, token: str) -> dict:
        """The claims of a token. Raises tokens.TokenRefused."""
        return tokens.verify(token, self.token_keys, self.rules)


def load() -> Credentials:
    """Reads all that is configured. Raises ValueError or OSError, whose text says where and quotes no value."""
    files = keys.read_directory(Path(conf.SECRET_DIR)) if conf.SECRET_DIR else {}
    ring = keys.KeyRing([*keys.ring_of(files), *map(keys.Key, several(conf.HMAC_SECRET))])
    token_keys = [tokens.from_secret(secret) for secret in several(conf.JWT_SECRET)]
    for value in several(conf.JWT_PUBLIC_KEY):
        token_keys.append(_named("JWT_PUBLIC_KEY", tokens.from_pem, _content("JWT_PUBLIC_KEY", value, "-----BEGIN")))
    if conf.JWT_JWKS:
        document = conf.JWT_JWKS
        document = document if isinstance(document, dict) else _content("JWT_JWKS", document, "{")
        token_keys += _named("JWT_JWKS", tokens.from_jwks, document)
    if keys.JWKS in files:
        token_keys += _named(keys.JWKS, tokens.from_jwks, files[keys.JWKS])
    rules = tokens.Rules(
        conf.JWT_ISSUER, conf.JWT_AUDIENCE, conf.JWT_SUBJECT, conf.JWT_LEEWAY, tuple(conf.JWT_REQUIRE)
    )
    return Credentials(ring, token_keys, rules)


def _is_content(value, start: str) -> bool:
    value = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(value, str) and value.lstrip().startswith(start)


def _content(name: str, value, start: str):
    """The value itself, or what is in the file that it names."""
    if _is_content(value, start):
        return value
    try:
        content = keys.read_file(Path(os.fsdecode(value)))
    except OSError as error:  # whose text would quote what may be no path
        raise ValueError(f"{name} is neither the content nor a file that can be read: {type(error).__name__}") from None
    if content is None:
        raise ValueError(f"{name} names a file that is not there, or empty")
    return content


def _named(name: str, read, value):
    try:
        return read(value)
    except Exception as error:
        raise ValueError(f"{name} cannot be read: {type(error).__name__}") from None


def _paths() -> list[Path]:
    named = [conf.SECRET_DIR]
    named += [value for value in several(conf.JWT_PUBLIC_KEY) if not _is_content(value, "-----BEGIN")]
    if conf.JWT_JWKS and not isinstance(conf.JWT_JWKS, dict) and not _is_content(conf.JWT_JWKS, "{"):
        named.append(conf.JWT_JWKS)
    return [Path(os.fsdecode(value)) for value in named if value]


class _Cache:
    def __init__(self):
        self.lock = threading.Lock()
        self.forget()

    def forget(self):
        self.held: Credentials | None = None
        self.seen: tuple = ()
        self.looked = float("-inf")

    def current(self) -> Credentials:
        with self.lock:
            now = time.monotonic()
            if self.held is not None and now - self.looked < RECHECK:
                return self.held
            self.looked, seen = now, keys.fingerprint(_paths())
            if self.held is None or seen != self.seen:
                self._read(seen)
            return self.held

    def _read(self, seen: tuple):
        try:
            fresh = load()
        except (OSError, ValueError) as error:
            if self.held is None:
                raise
            # Read again at the next look: it may have been in the middle of a change.
            logger.error("the keys could not be read again, the last ones stay in use: %s", error)
            return
        if self.held is not None:
            if not len(fresh.ring):
                logger.error("there is no HMAC key any more: the last ones stay in use")
                return
            logger.info("the keys have been read again: HMAC %s, %d for tokens", fresh.ring.ids, len(fresh.token_keys))
        self.held, self.seen = fresh, seen


_cache = _Cache()


def current() -> Credentials:
    """The credentials of this moment; looks at files at most once a second. Raises as load() where there are none yet."""
    return _cache.current()


def _on_setting_changed(*, setting, **kwargs):
    if setting == SETTING:
        _cache.forget()


setting_changed.connect(_on_setting_changed)
