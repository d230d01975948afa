"""Every address of the site, asked by those who have no business there: they get no data, and change nothing."""

import logging
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.models import Agent, Tenant
from tests import factories
from tests.access.addresses import Address, addresses, bodies
from tests.access.world import BEGINNING, MARK, World
from tests.admin.site import list_page, page

pytestmark = pytest.mark.django_db

REFUSED = (302, 400, 401, 403, 404, 405, 422)
PUBLIC = {
    "health-live",
    "jsi18n",
    "login",
    "openapi-json",
    "openapi-view",
    "set_language",
}
"""Open to everybody, and about nobody."""
ANY_STAFF = PUBLIC | {
    "dashboard-fragment",
    "index",
    "own-password",
    "password_change",
    "password_change_done",
    "search",
}
"""Open to all staff, whatever their rights: what they show depends on those."""
LEFT_OUT = {"logout", "health-ready", "metrics"}
"""Logging out would make the rest of a walk an anonymous one; the probes tell machines of the whole machine."""
WRITE = re.compile(r'(?<!FOR )(?<!KEY )\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+"(\w+)"')
OWN_TRACES = {"django_session", "audit_auditentry"}
"""What reading leaves behind: one's session, and the evidence that one read."""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Every refusal would be logged with its traceback, which takes longer than to refuse."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def root() -> Client:
    return client_of(factories.superuser())


@pytest.fixture
def outsider(world: World) -> Client:
    """May do everything, but for another tenant."""
    user = factories.member("administrator")
    factories.staff_scope(user, world.ours[Tenant])
    return client_of(user)


@pytest.fixture
def auditor(world: World) -> Client:
    return client_of(factories.member("auditor"))


def client_of(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def walk(world: World) -> Iterator[Address]:
    """Every address, with the ids of the other tenant's records."""
    return (address for address in addresses(world.theirs) if address.name not in LEFT_OUT)


def shows_mark(response: Any) -> bool:
    return MARK in b"".join(response).decode(errors="replace").lower()


def sent(client: Client, address: Address, body: dict[str, Any]) -> tuple[int, set[str]]:
    """The answer's status, and the tables that were written to."""
    with CaptureQueriesContext(connection) as queries:
        status = client.post(f"/{address.path}", body).status_code
    written = {table for query in queries for table in WRITE.findall(query["sql"])}
    return status, written - OWN_TRACES


@pytest.mark.parametrize("visitor", ["anonymous", "without rights"])
def test_who_has_no_rights_gets_in_nowhere(visitor: str, world: World) -> None:
    client = Client(raise_request_exception=False) if visitor == "anonymous" else client_of(factories.user())
    is_open = PUBLIC if visitor == "anonymous" else ANY_STAFF
    mistakes = []
    for address in walk(world):
        response = client.get(f"/{address.path}")
        if shows_mark(response):
            mistakes.append(f"{address} shows a record to somebody {visitor}.")
        elif response.status_code not in REFUSED and response.content and address.name not in is_open:
            mistakes.append(
                f"{address} answers {response.status_code} to somebody {visitor}: ask for a right."
            )
    assert not mistakes, "\n".join(mistakes)


def test_staff_of_another_tenant_see_nothing_of_it(world: World, outsider: Client) -> None:
    mistakes = []
    for address in walk(world):
        response = outsider.get(f"/{address.path}", {"q": BEGINNING})
        if shows_mark(response):
            mistakes.append(f"{address} shows another tenant's record, or one of the whole machine.")
        elif address.is_of_record and response.status_code not in REFUSED:
            mistakes.append(f"{address} answers {response.status_code} about another tenant's record.")
    assert not mistakes, "\n".join([*mistakes, "Narrow it by conversations.access (see docs/access.md)."])


def test_staff_of_another_tenant_and_auditors_are_refused_every_change(
    world: World, outsider: Client, auditor: Client, root: Client
) -> None:
    visitors = {"another tenant's staff": outsider, "an auditor": auditor}
    mistakes = []
    for address in walk(world):
        for (who, client), body in product(visitors.items(), bodies(root, address, world.theirs)):
            status, written = sent(client, address, body)
            if written or status >= 500:
                mistakes.append(f"{address} answers {status} and writes {sorted(written)} for {who}.")
    assert not mistakes, "\n".join([*mistakes, "Ask for right and scope before anything is written."])


def test_an_auditor_reads_every_page(world: World, auditor: Client) -> None:
    for model in admin.site._registry:
        assert auditor.get(list_page(model)).status_code == 200
        assert auditor.get(page(world.theirs[model])).status_code == 200


def test_the_walk_knows_a_write_when_it_sees_one(world: World, root: Client) -> None:
    """Else it would find nothing wrong with anything."""
    agent = world.theirs[Agent]
    version = reverse(
        "admin:conversations_agent_simple_history", args=[agent.pk, agent.history.first().history_id]
    )
    Agent.objects.update(prompt_template="Something else.")
    known = {f"/{address.path}": address for address in walk(world)}

    for path in (version, page(agent, "delete"), reverse("admin:conversations_tenant_add")):
        assert path in known
    [body] = bodies(root, known[version], world.theirs)
    assert "conversations_agent" in sent(root, known[version], body)[1]


def test_staff_see_and_steer_what_is_of_their_own_tenant(world: World, outsider: Client) -> None:
    for model, record in world.ours.items():
        if model in admin.site._registry:
            assert page(record) in outsider.get(list_page(model)).content.decode(), model
            assert outsider.get(page(record)).status_code == 200


def filters() -> Iterator[tuple[type[Model], str, type[Model]]]:
    """Each filter by a record: whose list has it, its name in an address, and what it names."""
    for model, pages in admin.site._registry.items():
        for each in pages.list_filter:
            name = each[0] if isinstance(each, tuple) else each
            if isinstance(name, str) and (named := _named(model, name)):
                yield model, name, named


def _named(model: type[Model], path: str) -> type[Model] | None:
    found: Any = model
    for part in path.split("__"):
        found = found._meta.get_field(part).related_model
        if found is None:
            return None
    return found  # type: ignore[no-any-return]  # a field's model is a model


def test_a_filter_names_no_record_of_another_tenant(world: World, outsider: Client) -> None:
    for model, name, named in filters():
        response = outsider.get(list_page(model), {f"{name}__id__exact": world.theirs[named].pk})
        assert not shows_mark(response), (
            f"The filter {name} of {model.__name__}: use audit.staff.filters.RecordFilter."
        )


def test_completing_a_name_finds_none_of_another_tenant(world: World, outsider: Client) -> None:
    asked = 0
    for model in admin.site._registry:
        for relation in (each for each in model._meta.get_fields() if each.is_relation and each.concrete):
            source = {"app_label": model._meta.app_label, "model_name": str(model._meta.model_name)}
            query = {**source, "field_name": relation.name, "term": BEGINNING}
            response = outsider.get(reverse("admin:autocomplete"), query)
            asked += response.status_code == 200
            assert not shows_mark(response), (
                f"{model.__name__}.{relation.name} completes another tenant's names."
            )
    assert asked
