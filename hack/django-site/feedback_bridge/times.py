# SPDX-License-Identifier: Apache-2.0
"""Times between the wire (RFC 3339, UTC, microseconds) and the database.

Where the site has USE_TZ = False, the times that this app compares are stored as naive UTC: local time says some hours twice.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from django.conf import settings
from django.utils import timezone as django_timezone

_WIRE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII | re.IGNORECASE)


def now() -> datetime:
    return datetime.now(timezone.utc)


def to_wire(moment: datetime) -> str:
    """2026-01-02T03:04:05.678901Z."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_wire(text: str) -> datetime:
    """An aware time; one without a zone is UTC. Raises ValueError."""
    match = _WIRE.match(text) if len(text) <= 40 else None
    if not match:
        raise ValueError("not an RFC 3339 time")
    date, clock, fraction, zone = match.groups()
    moment = datetime.fromisoformat(f"{date}T{clock}").replace(microsecond=int((fraction or "0").ljust(9, "0")[:6]))
    if zone and zone.upper() != "Z":
        ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        moment += ahead if zone[0] == "-" else -ahead
    return moment.replace(tzinfo=timezone.utc)


def to_db(moment: datetime) -> datetime:
    return moment if settings.USE_TZ else moment.astimezone(timezone.utc).replace(tzinfo=None)


def from_db(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def to_site(moment: datetime) -> datetime:
    """For a field of the site's own, as of_site() reads it."""
    return moment if settings.USE_TZ else django_timezone.make_naive(moment, django_timezone.get_default_timezone())


def of_site(moment: datetime) -> datetime:
    """A time that the site's own code stored: where it is naive, it is in the site's zone."""
    return moment if moment.tzinfo else django_timezone.make_aware(moment, django_timezone.get_default_timezone())
