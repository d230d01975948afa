from __future__ import annotations

import pytest
from django.http.response import HttpResponseBase
from django.test import Client

pytestmark = pytest.mark.django_db


def policy(response: HttpResponseBase) -> dict[str, list[str]]:
    directives = response["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, directives)}


def test_our_own_pages_run_and_load_only_what_we_serve(client: Client) -> None:
    response = client.get("/no-such-page")
    strict = policy(response)
    assert strict["default-src"] == ["'self'"]
    assert not any(name in strict for name in ("script-src", "style-src"))
    assert "unsafe" not in response["Content-Security-Policy"]


def test_only_the_admin_may_evaluate(client: Client) -> None:
    relaxed = policy(client.get("/admin/login/"))
    assert "'unsafe-eval'" in relaxed["script-src"]
    assert relaxed["default-src"] == ["'self'"]


@pytest.mark.parametrize("path", ["/admin/login/", "/no-such-page"])
def test_no_page_is_framed_or_sniffed(client: Client, path: str) -> None:
    response = client.get(path)
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert policy(response)["frame-ancestors"] == ["'none'"]
