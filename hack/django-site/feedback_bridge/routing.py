# SPDX-License-Identifier: Apache-2.0
from django.urls import re_path

from .consumer import FeedbackBotConsumer

websocket_urlpatterns = [re_path(r"^ws/feedback-bot/?$", FeedbackBotConsumer.as_asgi())]
