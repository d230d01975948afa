"""WebSocket addresses of the staff's pages."""

from django.urls import URLPattern, path

from review.consumers import LiveConsumer

websocket_urlpatterns: list[URLPattern] = [path("ws/live/", LiveConsumer.as_asgi())]
