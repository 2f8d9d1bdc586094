# SPDX-License-Identifier: Apache-2.0
"""JSON as it is read from the wire, and the canonical form of it that signatures cover.

The canonical form is, by definition, what CPython's json.dumps prints here.
"""

from __future__ import annotations

import json
import math

MAX_BYTES = 1 << 20  # of a frame, both ways
MAX_DEPTH = 64  # a scalar has none, {} has one
MAX_VALUES = 100_000  # containers included, keys not
MAX_DIGITS = 4300  # of an integer: where CPython stops, 3.9 included


class Malformed(ValueError):
    """The text is not JSON, or more of it than is accepted. The message never quotes the text."""


def canonical(value, ensure_ascii: bool = False) -> bytes:
    """The canonical form. Raises Malformed for a lone surrogate, which only the escaped form has."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ensure_ascii, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Malformed("a lone surrogate has no canonical form") from None


def compact(value) -> str:
    """What is put on the wire; a lone surrogate, which UTF-8 does not have, makes it all escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return json.dumps(value, separators=(",", ":"), allow_nan=False) if has_surrogate(text) else text


def has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def parse(text: str):
    """Reads one document; of a key that comes twice the last counts."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Malformed(f"longer than {MAX_BYTES} bytes")
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        raise Malformed("not JSON") from None
    _bound(value)
    return value


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise Malformed(f"an integer of more than {MAX_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Malformed("a number out of range")
    return value


def _constant(name: str):
    raise Malformed("NaN and Infinity are not JSON")


def _bound(value) -> None:
    """Level by level, so that depth costs no stack."""
    level, count = [value], 0
    for depth in range(MAX_DEPTH + 1):
        count += len(level)
        if count > MAX_VALUES:
            raise Malformed(f"more than {MAX_VALUES} values")
        below = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            else:
                continue
            if depth == MAX_DEPTH:
                raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
        level = below
        if not level:
            return
