# SPDX-License-Identifier: Apache-2.0
"""ASGI applications that lack the bot's route, or do not tell."""

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

pages = get_asgi_application()
no_websockets = ProtocolTypeRouter({"http": pages})


async def unknown(scope, receive, send):
    await pages(scope, receive, send)


others = ProtocolTypeRouter({
    "http": pages,
    "websocket": AllowedHostsOriginValidator(URLRouter([path("ws/chat", AsyncWebsocketConsumer.as_asgi())])),
})
