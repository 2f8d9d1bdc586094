# SPDX-License-Identifier: Apache-2.0
"""The reference for canonical JSON, as a filter.

Reads lines of base64, each a document. Answers each with a line:
  refused <why>            where it is not acceptable
  <ascii> <utf8 or ->      base64 of both canonical forms; "-" where a lone surrogate leaves no UTF-8
"""
import base64
import json
import sys


def refuse(constant):
    raise ValueError("constant " + constant)


def finite(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("overflow")
    return number


def answer(data):
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=refuse, parse_float=finite)
        forms = [
            json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=e)
            for e in (True, False)
        ]
    except (ValueError, RecursionError) as e:
        return "refused " + type(e).__name__ + " " + " ".join(ascii(str(e)).split())[:200]
    try:
        utf8 = base64.b64encode(forms[1].encode("utf-8")).decode()
    except UnicodeEncodeError:
        utf8 = "-"
    return base64.b64encode(forms[0].encode("ascii")).decode() + " " + utf8


for line in sys.stdin:
    print(answer(base64.b64decode(line)), flush=True)
