"""Who comes in, who tried to, and who changed their password: in the trail, as everything else that staff do."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from audit.models import ActorKind
from audit.operations import Fact, record

UNKNOWN = "-"
"""Stands for a name that nobody has. What was typed is not kept: it may be a password in the wrong field."""


def listen() -> None:
    """Logins happen in Django's own views; its signals are where they can be heard of."""
    user_logged_in.connect(on_login)
    user_logged_out.connect(on_logout)
    user_login_failed.connect(on_failure)


def on_login(request: HttpRequest, user: User, **_more: Any) -> None:
    _record("login.succeeded", user.pk, request, by=user)


def on_logout(request: HttpRequest, user: User | None, **_more: Any) -> None:
    if user is not None:
        _record("login.ended", user.pk, request, by=user)


def on_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any) -> None:
    """Nobody's deed: that it was who they said is what they could not show."""
    named = User.objects.filter(username=credentials.get("username", "")).first()
    _record("login.failed", named.pk if named else UNKNOWN, request)


def change_own_password(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        page: HttpResponse = admin.site.password_change(request)
        if request.method == "POST" and page.status_code == 302 and isinstance(request.user, User):
            _record("password.changed", request.user.pk, request, by=request.user)
    return page


def _record(action: str, account: object, request: HttpRequest | None, by: User | None = None) -> None:
    """`from` is who spoke to us: behind a proxy, the proxy."""
    address = request.META.get("REMOTE_ADDR") if request else None
    fact = Fact(
        action=action,
        object_type="account",
        object_id=account,
        actor_kind=ActorKind.PERSON if by else ActorKind.SYSTEM,
        actor=by.get_username() if by else "",
        details={"from": address} if address else {},
    )
    record(fact, now=timezone.now())
