# SPDX-License-Identifier: Apache-2.0
import hashlib
import hmac
import json

from django.conf import settings


def sign(ts, nonce, payload):
    compact_json = json.dumps(
        payload, sort_keys=True, separators=(",", ":"), ensure_ascii=settings.FEEDBACK_BOT_ENSURE_ASCII
    )
    secret = settings.FEEDBACK_BOT_HMAC_SECRET.encode()
    return hmac.new(secret, f"{ts}.{nonce}.{compact_json}".encode(), hashlib.sha256).hexdigest()
