"""Addresses for probes and for monitoring. They answer whatever happens, and never with a traceback."""

import hmac

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pipeline.health import figures, metrics
from pipeline.health.readiness import readiness

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP", "HTTP_FORWARDED")
"""A request that carries one of these came through a proxy: its loopback address is the proxy's."""


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"live": True})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    answer = readiness(timezone.now())
    return JsonResponse(answer.as_json(), status=200 if answer.ready else 503)


@require_safe
@never_cache
def prometheus(request: HttpRequest) -> HttpResponse:
    if not (_is_local(request) or _has_token(request)):
        return HttpResponse("A bearer token is needed.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        now_figures = figures.read(timezone.now())
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", status=503, content_type=metrics.CONTENT_TYPE)
    return HttpResponse(metrics.render(now_figures), content_type=metrics.CONTENT_TYPE)


def _is_local(request: HttpRequest) -> bool:
    proxied = any(header in request.META for header in FORWARDED)
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not proxied


def _has_token(request: HttpRequest) -> bool:
    token = settings.ZUPA.metrics_token
    given = request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
