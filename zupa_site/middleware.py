"""Middleware of the site as a whole."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from audit.middleware import request_id_of


class AdminContentSecurityPolicy:
    """Under /admin/ only: Alpine evaluates expressions in attributes, unfold has inline styles and code."""

    RELAXED = {
        "script-src": ["'self'", "'unsafe-inline'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path_info.startswith("/admin/"):
            setattr(response, "_csp_update", self.RELAXED)  # noqa: B010 - django-csp's door, untyped
        return response


class ApiErrors:
    """Under /api/, what Django itself refuses (unknown path, wrong method, bad host, accident) has the API's shape."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_json = response.get("Content-Type", "").startswith("application/json")
        if response.status_code < 400 or is_json or not request.path_info.startswith("/api/"):
            return response
        return _shaped(request, HTTPStatus(response.status_code), allow=response.get("Allow", ""))


def _shaped(request: HttpRequest, status: HTTPStatus, *, allow: str) -> HttpResponseBase:
    code = status.phrase.lower().replace(" ", "_")
    body = {"error": {"code": code, "message": f"{status.phrase}.", "request_id": request_id_of(request)}}
    return JsonResponse(body, status=status, headers={"Allow": allow} if allow else None)
