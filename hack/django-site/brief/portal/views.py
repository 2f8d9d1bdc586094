# SPDX-License-Identifier: Apache-2.0
import json
import time
import uuid

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Feedback
from .site_agent.hmac_utils import sign

FIELDS = ["telegram_id", "telegram_username", "telegram_first_name", "nickname", "category", "message"]


def send(feedback):
    """Hands a feedback to the bot, if one is connected or soon will be: the channel layer forgets it after a minute."""
    data = {name: getattr(feedback, name) for name in FIELDS}
    data.update(
        feedback_id=feedback.pk,
        created_at=feedback.created_at.replace(tzinfo=None).isoformat(timespec="seconds"),
        source="website",
    )
    ts, nonce = int(time.time()), str(uuid.uuid4())
    message = {"type": "new_feedback", "id": str(uuid.uuid4()), "data": data, "ts": ts, "nonce": nonce}
    message["sig"] = sign(ts, nonce, data)
    async_to_sync(get_channel_layer().send)("feedback-bot", message)


@csrf_exempt
def feedback(request):
    """Takes a feedback as JSON (POST), or lists those that there are (GET)."""
    if request.method == "POST":
        created = Feedback.objects.create(**json.loads(request.body))
        send(created)
        return JsonResponse({"id": created.pk}, status=201)
    rows = Feedback.objects.order_by("pk").values("id", "message", "telegram_sent")
    return JsonResponse({"feedback": list(rows)})
