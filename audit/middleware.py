"""Each HTTP request has an id: the caller's X-Request-ID where it is a decent one, else ours."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from audit import correlation

REQUEST_ID_ATTRIBUTE = "request_id"
DECENT = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if DECENT.fullmatch(given) else uuid.uuid4().hex
        setattr(request, REQUEST_ID_ATTRIBUTE, request_id)
        with correlation.bound(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


def request_id_of(request: HttpRequest) -> str:
    """The id given by the middleware above."""
    request_id: str = getattr(request, REQUEST_ID_ATTRIBUTE)
    return request_id
