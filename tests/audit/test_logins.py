"""Logins, failed ones, and passwords that were changed stand in the trail; what was typed does not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.test import Client

from audit.models import AuditEntry
from audit.sentences import sentence
from tests import factories
from zupa_site import logins

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
OWN_PASSWORD = "/admin/password_change/"
NEW = "another long pass phrase"


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    user_logged_in.connect(logins.on_login)
    yield
    user_logged_in.disconnect(logins.on_login)


@pytest.fixture
def maria() -> User:
    return factories.user(username="maria")


def log_in(client: Client, name: str = "maria", password: str = factories.PASSWORD) -> None:
    client.post(LOGIN, {"username": name, "password": password})


def told() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_coming_and_going_is_told_with_the_persons_name(client: Client, maria: User) -> None:
    log_in(client)
    client.post("/admin/logout/")

    assert told() == ["login.succeeded", "login.ended"]
    entry = AuditEntry.objects.earliest("pk")
    assert (entry.actor_kind, entry.actor, entry.object_id) == ("person", "maria", str(maria.pk))
    assert entry.details == {"from": "127.0.0.1"}
    assert entry.request_id
    assert sentence(entry) == "maria logged in"


def test_a_wrong_password_is_told_of_the_account_and_of_nobody(client: Client, maria: User) -> None:
    log_in(client, password="guessed")

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.object_id) == ("login.failed", "", str(maria.pk))


def test_what_was_typed_is_not_kept(client: Client, maria: User) -> None:
    log_in(client, name="my-secret-in-the-wrong-field", password="guessed")
    log_in(client, password="guessed")

    trail = json.dumps(list(AuditEntry.objects.values("object_id", "reason", "details", "actor")))
    assert told() == ["login.failed", "login.failed"]
    assert "secret" not in trail
    assert "guessed" not in trail


def test_a_password_that_somebody_changed_themselves_is_told(client: Client, maria: User) -> None:
    client.force_login(maria)
    right = {"old_password": factories.PASSWORD, "new_password1": NEW, "new_password2": NEW}
    client.post(OWN_PASSWORD, right | {"old_password": "wrong"})
    client.post(OWN_PASSWORD, right)

    assert told() == ["login.succeeded", "password.changed"]
    assert NEW not in json.dumps(list(AuditEntry.objects.values("details")))


def test_nobody_changes_a_password_without_being_logged_in(client: Client) -> None:
    assert client.post(OWN_PASSWORD, {}).status_code == 302
    assert told() == []
