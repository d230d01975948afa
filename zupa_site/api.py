"""The API's root: where its routers hang, and how its errors are answered."""

from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from audit.middleware import request_id_of
from pipeline.controls.api import router as switches
from pipeline.controls.errors import (
    ConflictError,
    ControlError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    SecondPersonError,
)
from pipeline.ingress import admission
from pipeline.ingress.api import router as webhooks
from pipeline.ingress.errors import (
    BodyTooLargeError,
    IntakePausedError,
    SubscriptionRefusedError,
    UnknownChannelError,
)
from pipeline.transports.base import MalformedError, SignatureError

RETRY_AFTER_S = 5
INTAKE_RETRY_AFTER_S = 60

api = NinjaAPI(title="Zupa", version="1", docs_url="/docs", urls_namespace="api")
api.add_router("/webhooks", webhooks)
api.add_router("/switches", switches)

ANSWERS: dict[type[Exception], tuple[int, str]] = {
    MalformedError: (400, "malformed"),
    SignatureError: (401, "bad_signature"),
    SubscriptionRefusedError: (403, "subscription_refused"),
    UnknownChannelError: (404, "unknown_channel"),
    BodyTooLargeError: (413, "body_too_large"),
}

CONTROL_STATUSES: dict[type[ControlError], int] = {
    InvalidError: 422,
    NotAllowedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    SecondPersonError: 409,
}


def _error(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    body = {"error": {"code": code, "message": message, "request_id": request_id_of(request)}}
    return api.create_response(request, body, status=status)


def _refuse(request: HttpRequest, error: Exception) -> HttpResponse:
    status, code = ANSWERS[type(error)]
    return _error(request, status, code, str(error))


def _control_refused(request: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, ControlError)
    return _error(request, CONTROL_STATUSES[type(error)], error.code, str(error))


def _unauthenticated(request: HttpRequest, error: Exception) -> HttpResponse:
    response = _error(
        request, 401, "unauthenticated", "This needs a key that is in force: Authorization: Bearer zk_…"
    )
    response["WWW-Authenticate"] = "Bearer"
    return response


def _database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    response = _error(
        request, 503, "database_away", "The database is away. Nothing was recorded: please send again."
    )
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _push_back(request: HttpRequest, error: Exception) -> HttpResponse:
    response = _error(request, 429, "overloaded", str(error))
    response["Retry-After"] = str(admission.RETRY_AFTER_S)
    return response


def _intake_paused(request: HttpRequest, error: Exception) -> HttpResponse:
    response = _error(request, 503, "intake_paused", str(error))
    response["Retry-After"] = str(INTAKE_RETRY_AFTER_S)
    return response


def _invalid(request: HttpRequest, error: Exception) -> HttpResponse:
    return _error(request, 422, "invalid", str(error))


def _http_error(request: HttpRequest, error: Exception) -> HttpResponse:
    return _error(request, getattr(error, "status_code", 400), "refused", str(error))


Handler = Callable[[HttpRequest, Exception], HttpResponse]
HANDLERS: dict[type[Exception], Handler] = {
    **dict.fromkeys(ANSWERS, _refuse),
    **dict.fromkeys(CONTROL_STATUSES, _control_refused),
    AuthenticationError: _unauthenticated,
    admission.PushBackError: _push_back,
    IntakePausedError: _intake_paused,
    OperationalError: _database_away,
    InterfaceError: _database_away,
    ValidationError: _invalid,
    HttpError: _http_error,
}
for kind, handler in HANDLERS.items():
    api.exception_handler(kind)(handler)
