"""What a person sees instead of the page asked for. (That of a database away, asked for: `tests/journey`.)"""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import translation

from zupa_site.error_pages import accident


@pytest.mark.django_db
def test_address_of_nothing_says_so_in_the_readers_language() -> None:
    asked = Client().get("/nowhere/", headers={"Accept-Language": "pt-BR"})
    assert asked.status_code == 404
    assert "Esta página não existe" in asked.content.decode()


def test_act_that_met_no_database_is_not_repeated_by_itself() -> None:
    answer = answer_to("POST", OperationalError("gone"))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "Refresh" not in answer
    assert "look before you do it again" in answer.content.decode()


def test_page_that_met_no_database_asks_again_by_itself() -> None:
    answer = answer_to("GET", OperationalError("gone"))
    assert (answer.status_code, answer["Refresh"]) == (503, "5")


def test_accident_tells_a_person_what_to_do_and_nothing_of_its_inside() -> None:
    answer = answer_to("GET", RuntimeError("password=hunter2"))
    assert answer.status_code == 500
    assert "look whether it took effect" in answer.content.decode()
    assert "hunter2" not in answer.content.decode()


def answer_to(method: str, error: Exception) -> HttpResponse:
    """As Django asks for it: while the error is handled."""
    try:
        raise error
    except type(error):
        with translation.override("en"):
            return accident(RequestFactory().generic(method, "/review/"))
