"""Every page of the admin opens for whoever may see it, and for nobody else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from audit.models import AuditEntry
from conversations.models import Agent, Channel, Contact, Conversation, Message, Tenant
from pipeline.models import Mailbox, ProcessedEvent, QueuedTask, Step, Turn, Worker
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db
labels = [model._meta.label for model in site.MODELS]
every_model = pytest.mark.parametrize("model", site.MODELS, ids=labels)
GROWING = [ProcessedEvent, Turn, Step, Message]
OPEN_TO_ALL = {"login", "logout"}


def test_every_record_of_ours_has_a_page() -> None:
    ours = {Tenant, Agent, Channel, Contact, Conversation, Message, ProcessedEvent, Mailbox, Turn, Step}

    assert ours | {Worker, QueuedTask, AuditEntry} <= set(site.MODELS)


def test_login_page_names_its_icon_so_that_no_browser_looks_for_one_in_vain(client: Client) -> None:
    assert 'href="/static/review/icon.svg"' in client.get("/admin/login/").content.decode()


@every_model
def test_list_opens_empty(staff: Client, model: type[Model]) -> None:
    response = staff.get(site.list_page(model))

    assert response.status_code == 200


@every_model
def test_list_and_page_open_with_data(staff: Client, model: type[Model]) -> None:
    record = site.make(model)

    assert staff.get(site.list_page(model)).status_code == 200
    assert staff.get(site.page(record)).status_code == 200


@every_model
def test_somebody_who_may_only_look_sees_list_and_page(client: Client, model: type[Model]) -> None:
    client.force_login(factories.user(site.view_permission(model)))
    record = site.make(model)

    assert client.get(site.list_page(model)).status_code == 200
    page = client.get(site.page(record))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content


@every_model
def test_staff_without_the_permission_are_refused(client: Client, model: type[Model]) -> None:
    client.force_login(factories.user())
    record = site.make(model)

    assert client.get(site.list_page(model)).status_code == 403
    assert client.get(site.page(record)).status_code == 403


@pytest.mark.parametrize("model", site.READ_ONLY, ids=lambda model: model._meta.label)
def test_what_the_engine_owns_cannot_be_changed(staff: Client, model: type[Model]) -> None:
    record = site.make(model)
    add = site.list_page(model) + "add/"

    assert staff.get(add).status_code == staff.post(add, {}).status_code == 403
    assert staff.post(site.page(record), {}).status_code == 403
    assert staff.post(site.page(record, "delete"), {"post": "yes"}).status_code == 403
    assert type(record)._default_manager.filter(pk=record.pk).exists()


def test_only_configuration_and_people_can_be_changed() -> None:
    editable = {model for model in site.MODELS if model not in site.READ_ONLY}

    configured = {"Agent", "CannedReply", "Channel", "Group", "StaffScope", "Tenant", "User"}
    asked_for = {"ApiKey", "BlocklistEntry", "Incident", "Switch"}
    assert {model.__name__ for model in editable} == configured | asked_for


@pytest.mark.parametrize("visitor", ["nobody", "a customer"])
def test_every_address_refuses_an_outsider(client: Client, visitor: str) -> None:
    if visitor == "a customer":
        client.force_login(factories.user(is_staff=False))

    for name, address in _addresses():
        response = client.get(address)
        assert response.status_code in (302, 404) or not response.content, (
            f"{address} let {visitor} in ({name})"
        )
        assert "dashboard" not in response.content.decode().lower()


def _addresses() -> Iterator[tuple[str, str]]:
    for pattern in _patterns(get_resolver("zupa_site.urls").url_patterns, ""):
        name, path = pattern
        if path.startswith("admin/") and name not in OPEN_TO_ALL:
            yield name, "/" + path


def _patterns(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        path = prefix + _filled(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, path)
        else:
            yield str(pattern.name), path


def _filled(route: str) -> str:
    for placeholder in ("<path:object_id>", "<int:content_type_id>", "<id>", "([^/]+)"):
        route = route.replace(placeholder, "1")
    return route.removeprefix("^").removesuffix("$")


@pytest.mark.parametrize("model", GROWING, ids=lambda model: model._meta.label)
def test_a_list_asks_as_often_for_many_rows_as_for_few(staff: Client, model: type[Model]) -> None:
    factories.fill(10)
    few = _queries(staff, site.list_page(model))
    factories.fill(490)

    assert _queries(staff, site.list_page(model)) == few <= 12


def test_the_dashboard_asks_as_often_for_many_rows_as_for_few(staff: Client) -> None:
    factories.fill(10)
    few = _queries(staff, reverse("dashboard-fragment"))
    factories.fill(490)

    assert _queries(staff, reverse("dashboard-fragment")) == few <= 17


@pytest.mark.parametrize("model", [Turn, ProcessedEvent, Conversation], ids=lambda model: model._meta.label)
def test_a_page_asks_as_often_for_many_rows_as_for_few(staff: Client, model: type[Model]) -> None:
    record = site.make(model)
    few = _queries(staff, site.page(record))
    factories.fill(200)
    assert _queries(staff, site.page(record)) == few


def _queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_search_finds_by_identifier_and_by_text(staff: Client) -> None:
    said = factories.message(text="The parcel is blue")
    factories.message(text="Something else")

    by_text = staff.get(site.list_page(Message), {"q": "parcel"})
    by_address = staff.get(site.list_page(Message), {"q": said.conversation.contact.address})

    assert [row.pk for row in by_text.context["cl"].result_list] == [said.pk]
    assert [row.pk for row in by_address.context["cl"].result_list] == [said.pk]


def test_search_for_nothing_there_says_so(staff: Client) -> None:
    factories.event()

    response = staff.get(site.list_page(ProcessedEvent), {"q": "no such thing"})

    assert "Nothing matches" in response.content.decode()


def test_empty_list_says_what_to_do_next(staff: Client) -> None:
    response = staff.get(site.list_page(ProcessedEvent))

    assert "Open the phone page" in response.content.decode()


def test_a_long_list_is_counted_up_to_a_limit(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.staff.base.LimitedPaginator.LIMIT", 60)
    factories.fill(70)

    response = staff.get(site.list_page(ProcessedEvent))

    assert response.context["cl"].result_count == 60
    assert "More than 60 events" in response.content.decode()


def test_an_event_list_can_be_narrowed_to_what_waits_and_to_what_failed(staff: Client) -> None:
    waits = factories.event()
    failed = factories.event(outcome="failed")
    factories.event(outcome="replied")

    for outcome, expected in (("none", waits), ("trouble", failed), ("failed", failed)):
        response = staff.get(site.list_page(ProcessedEvent), {"outcome": outcome})
        assert [row.pk for row in response.context["cl"].result_list] == [expected.pk]


def test_a_list_can_be_narrowed_to_a_day_or_an_hour(staff: Client) -> None:
    day = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    factories.event(received_at=day - timedelta(days=1))
    wanted = factories.event(received_at=day)
    factories.event(received_at=day + timedelta(days=1))
    whole_day = {"received_at_from_0": "2026-03-01", "received_at_to_0": "2026-03-01"}
    hour = whole_day | {"received_at_from_1": "10:00", "received_at_to_1": "11:00"}

    for narrowed in (whole_day, hour):
        response = staff.get(site.list_page(ProcessedEvent), narrowed)
        assert [row.pk for row in response.context["cl"].result_list] == [wanted.pk]

    assert staff.get(site.list_page(ProcessedEvent), {"received_at_from_0": "2026-02-30"}).status_code == 200


def test_the_sidebar_shows_only_what_somebody_may_see(client: Client) -> None:
    client.force_login(factories.user("view_turn"))

    shown = client.get("/admin/").content.decode()

    assert site.list_page(Turn) in shown
    assert site.list_page(User) not in shown
    assert admin.site.is_registered(User)
