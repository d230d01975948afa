"""What people edit has a history, and an entry about an edit shows what was changed in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from audit.models import AuditEntry
from audit.operations import Fact, record
from audit.records import audited, newest_version, object_type_of
from conversations import configuration
from conversations.models import Agent, CannedReply, Channel, StaffScope, Tenant
from pipeline.models import (
    ApiKey,
    BlocklistEntry,
    BlocklistKind,
    Breaker,
    Switch,
)
from review.models import ReviewItem
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db

NOW = timezone.now()
TRACKED = [model for model in apps.get_models() if hasattr(model._meta, "simple_history_manager_attribute")]


def _made_by_somebody(model: type[Model], **fields: Any) -> Any:
    return model._default_manager.create(created_by=factories.user(), created_at=NOW, **fields)


MADE: dict[type[Model], tuple[Callable[[], Any], dict[str, Any]]] = {
    Agent: (factories.agent, {"model": "another-model"}),
    ApiKey: (lambda: _made_by_somebody(ApiKey, name="cron", prefix="zp_1"), {"name": "another cron"}),
    BlocklistEntry: (
        lambda: _made_by_somebody(BlocklistEntry, kind=BlocklistKind.PREFIX, value="551", reason="spam"),
        {"reason": "another reason"},
    ),
    Breaker: (factories.breaker, {"reason": "another reason"}),
    CannedReply: (lambda: CannedReply.objects.create(shortcut="hi", text="Hello"), {"text": "another text"}),
    Channel: (factories.channel, {"api_url": "https://another.example"}),
    ReviewItem: (factories.review_item, {"why": "another reason"}),
    StaffScope: (
        lambda: StaffScope.objects.create(user=factories.user()),
        {"user": lambda: factories.user(username="another")},
    ),
    Switch: (factories.switch, {"end_reason": "another reason"}),
    Tenant: (factories.tenant, {"name": "another name"}),
}
"""A record of each kind, and an edit of it."""


@pytest.fixture
def auditor(client: Client) -> Client:
    client.force_login(factories.user("view_auditentry"))
    return client


def told(record_: Any, action: str = "agent.changed") -> AuditEntry:
    details = newest_version(record_)
    kind = object_type_of(type(record_))
    record(Fact(action=action, object_type=kind, object_id=record_.pk, details=details), now=NOW)
    return AuditEntry.objects.latest("pk")


def test_the_trail_knows_everything_that_has_a_history() -> None:
    assert set(TRACKED) == set(MADE) <= set(audited().values())


@pytest.mark.parametrize("model", TRACKED)
def test_an_entry_about_an_edit_shows_it(auditor: Client, model: type[Model]) -> None:
    make, edit = MADE[model]
    made = make()
    for name, value in edit.items():
        setattr(made, name, value() if callable(value) else value)
    made.save()
    (change,) = auditor.get(site.page(told(made))).context["version"].changes

    assert "another" in change.after
    assert change.before != change.after


def test_tenants_and_people_are_called_by_their_names(auditor: Client) -> None:
    scope = StaffScope.objects.create(user=factories.user())
    scope.tenants.set([factories.tenant(name="Bakery"), factories.tenant(name="Cobbler")])
    (change,) = auditor.get(site.page(told(scope))).context["version"].changes

    assert (change.before, change.after) == (None, "Bakery, Cobbler")


def test_what_was_added_and_what_was_deleted_is_shown_whole(auditor: Client) -> None:
    agent = factories.agent(model="first-model")
    added = auditor.get(site.page(told(agent))).context["version"].changes
    agent.model = "last-model"
    agent.save()
    configuration.delete_configuration([agent], by=factories.user(), now=NOW)
    deleted = (
        auditor.get(site.page(AuditEntry.objects.get(action="agent.deleted"))).context["version"].changes
    )

    assert ("first-model", None) in [(change.after, change.before) for change in added]
    assert ("last-model", None) in [(change.before, change.after) for change in deleted]


def test_no_secret_is_shown_of_what_has_one(auditor: Client) -> None:
    channel = factories.channel()

    assert "an-app-secret" not in auditor.get(site.page(told(channel))).content.decode()
