"""The door for HTTP and WebSocket: `python -m daphne zupa_site.asgi:application`."""

import os

import django
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator

from zupa_site.entry import plain_refusals
from zupa_site.handler import OneThreadHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zupa_site.settings")
with plain_refusals():
    django.setup(set_prefix=False)
    django_application = OneThreadHandler()

from django.conf import settings

from audit import heap
from review.routing import websocket_urlpatterns
from zupa_site import body_limit
from zupa_site.refusals import refuse_demo_in_production

with plain_refusals():
    refuse_demo_in_production(settings.ZUPA)

body_limit.install()
application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
heap.keep_what_is_loaded()
