"""What a person sees instead of the page asked for. Made without the database: it may be what failed."""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from zupa_site.api import RETRY_AFTER_S


def accident(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`, called while the exception is handled. 503 where the database did not answer."""
    if isinstance(sys.exception(), (OperationalError, InterfaceError)):
        return _database_away(request)
    return HttpResponse(render_to_string("500.html"), status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _database_away(request: HttpRequest) -> HttpResponse:
    """A browser asks again by itself, unless that would repeat an act."""
    by_itself = request.method == "GET"
    response = HttpResponse(
        render_to_string("503.html", {"by_itself": by_itself}), status=HTTPStatus.SERVICE_UNAVAILABLE
    )
    response["Retry-After"] = str(RETRY_AFTER_S)
    if by_itself:
        response["Refresh"] = str(RETRY_AFTER_S)
    return response
