# SPDX-License-Identifier: Apache-2.0
"""HMAC keys, and the ring of those that count at one time. Nothing here prints a secret."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

MAX_FILE = 64 << 10
# The files of the site's Secret, as the operator writes it.
SIGNING = "hmac-key"
ACCEPTED = ("hmac-current", "hmac-next", "hmac-previous")
JWKS = "jwks.json"


class Key:
    """An HMAC-SHA256 key. Its id may be published."""

    __slots__ = ("_secret", "id")

    def __init__(self, secret: str | bytes):
        if not isinstance(secret, (str, bytes)):
            raise ValueError(f"an HMAC key is text or bytes, not {type(secret).__name__}")
        secret = secret.encode() if isinstance(secret, str) else secret
        if not secret:
            raise ValueError("an HMAC key must not be empty")
        self._secret = secret
        self.id = hashlib.sha256(b"feedbackbridge hmac key id\x00" + secret).hexdigest()[:16]

    def sign(self, message: bytes) -> str:
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def verify(self, message: bytes, signature: str) -> bool:
        # compare_digest refuses text that is not ASCII; bytes it compares in constant time.
        return hmac.compare_digest(self.sign(message).encode(), signature.encode("utf-8", "replace"))

    def __repr__(self):
        return f"<Key {self.id}>"

    def __eq__(self, other):
        return isinstance(other, Key) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self):
        return hash(self.id)

    def __reduce__(self):
        raise TypeError("keys are not pickled")


class KeyRing:
    """The keys that are accepted, the preferred one, which signs, first."""

    def __init__(self, keys=()):
        self._keys: dict[str, Key] = {}
        for key in keys:
            self._keys.setdefault(key.id, key)

    def __iter__(self):
        return iter(self._keys.values())

    def __len__(self):
        return len(self._keys)

    def __repr__(self):
        return f"<KeyRing {' '.join(self.ids)}>"

    @property
    def ids(self) -> list[str]:
        return list(self._keys)

    @property
    def preferred(self) -> Key | None:
        return next(iter(self), None)

    def get(self, key_id: str) -> Key | None:
        return self._keys.get(key_id)

    def agreed(self, accepted, preferred: str = "") -> Key | None:
        """The key to sign with for a peer that told which keys it accepts and prefers; it may have told nothing."""
        if not accepted or self.preferred is None or self.preferred.id in accepted:
            return self.preferred
        common = [key for key in self if key.id in accepted]
        return next((key for key in common if key.id == preferred), common[0] if common else self.preferred)


def read_file(path: Path) -> bytes | None:
    """A file's value without one trailing newline; None where there is no such file or nothing in it."""
    try:
        with open(path, "rb") as file:
            value = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return None
    if len(value) > MAX_FILE:
        raise ValueError(f"{path.name} is larger than {MAX_FILE} bytes")
    return (value[:-1] if value.endswith(b"\n") else value) or None


def _at_once(directory: Path) -> Path:
    """Kubernetes replaces a mounted Secret by swinging the link ..data: what lies behind it is of one moment."""
    return Path(os.path.realpath(directory / "..data")) if (directory / "..data").exists() else directory


def read_directory(directory: Path) -> dict[str, bytes]:
    """The files of the site's Secret that are there."""
    base = _at_once(directory)
    if not base.is_dir():
        raise FileNotFoundError(f"{directory} is not a directory")
    found = ((name, read_file(base / name)) for name in (SIGNING, *ACCEPTED, JWKS))
    return {name: value for name, value in found if value is not None}


def ring_of(files: dict[str, bytes]) -> KeyRing:
    return KeyRing(Key(files[name]) for name in (SIGNING, *ACCEPTED) if name in files)


def fingerprint(paths) -> tuple:
    """Changes when one of the files, or a directory's files, do."""
    seen = []
    for path in paths:
        base = _at_once(path)
        for file in [base / name for name in (SIGNING, *ACCEPTED, JWKS)] if base.is_dir() else [base]:
            try:
                stat = file.stat()
                seen.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                seen.append((str(file), None))
    return tuple(seen)
