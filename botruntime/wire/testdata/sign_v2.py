# SPDX-License-Identifier: Apache-2.0
"""Signs envelopes of version 2 with the secret "key": base64 lines of JSON in, lines of canonical JSON (base64) and sig out."""
import base64
import hashlib
import hmac
import json
import sys

for line in sys.stdin:
    envelope = json.loads(base64.b64decode(line))
    envelope.pop("sig", None)
    canonical = json.dumps(envelope, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        signed = canonical.encode("utf-8")
    except UnicodeEncodeError:
        print("- -", flush=True)
        continue
    sig = hmac.new(b"key", signed, hashlib.sha256).hexdigest()
    print(base64.b64encode(signed).decode(), sig, flush=True)
