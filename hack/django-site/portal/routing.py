# SPDX-License-Identifier: Apache-2.0
from django.urls import path

from .consumers import FeedbackBotConsumer

websocket_urlpatterns = [path("ws/feedback-bot", FeedbackBotConsumer.as_asgi())]
