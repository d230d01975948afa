"""A turn's page shows the switches that were in force while it ran, and what of that is different today."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline.models import Capability, Switch, SwitchAction, SwitchScope, SwitchStatus, Turn
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db

NOW = timezone.now()
RAN = NOW - timedelta(hours=2)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(factories.superuser())
    return client


@pytest.fixture
def turn() -> Turn:
    return factories.turn(started_at=RAN, finished_at=RAN + timedelta(minutes=1))


def switched(turn: Turn, since: float, until: float | None = None, **fields: Any) -> Switch:
    """Over the turn's tenant, unless the fields say otherwise. Times in minutes from the turn's beginning."""
    ended_at = None if until is None else RAN + timedelta(minutes=until)
    about = {"scope": SwitchScope.TENANT, "tenant": turn.conversation.tenant} | fields
    return factories.switch(
        status=SwitchStatus.ENDED if ended_at else SwitchStatus.ACTIVE,
        active_since=RAN + timedelta(minutes=since),
        ended_at=ended_at,
        **about,
    )


def rows(client: Client, turn: Turn) -> list[tuple[int, str]]:
    shown = client.get(site.page(turn)).context["switched"]
    return [(row.switch.pk, row.standing) for row in shown]


def test_it_says_of_each_switch_whether_it_held_then_and_whether_it_holds_today(
    staff: Client, turn: Turn
) -> None:
    both = switched(turn, -5)
    then = switched(turn, -5, until=10)
    during = switched(turn, 0.5, until=10)
    today = switched(turn, 20)
    switched(turn, -9, until=-5)  # over before it began
    switched(turn, 20, until=30)  # between then and today

    assert rows(staff, turn) == [
        (both.pk, "then and today"),
        (then.pk, "then, not today"),
        (during.pk, "then, not today"),
        (today.pk, "today, not then"),
    ]


def test_a_switch_whose_time_is_up_holds_no_longer(staff: Client, turn: Turn) -> None:
    switch = switched(turn, -5, ends_at=RAN + timedelta(minutes=5))

    assert rows(staff, turn) == [(switch.pk, "then, not today")]


def test_only_switches_over_the_turns_own_conversation_are_shown(staff: Client, turn: Turn) -> None:
    where = turn.conversation
    other = factories.conversation(channel=where.channel)
    mine = [
        switched(turn, -5, scope=SwitchScope.CHANNEL, channel=where.channel),
        switched(turn, -5, scope=SwitchScope.AGENT, agent=where.channel.agent),
        switched(turn, -5, scope=SwitchScope.CONVERSATION, conversation=where),
        switched(turn, -5, scope=SwitchScope.CONTACT, contact=where.contact),
    ]
    switched(turn, -5, scope=SwitchScope.CONVERSATION, conversation=other)
    switched(turn, -5, tenant=factories.tenant())

    assert [pk for pk, _standing in rows(staff, turn)] == [switch.pk for switch in mine]


def test_a_switch_that_waited_for_a_second_person_was_never_in_force(staff: Client, turn: Turn) -> None:
    factories.switch(scope=SwitchScope.EVERYTHING, status=SwitchStatus.PENDING)

    assert rows(staff, turn) == []
    assert "No switch was in force" in staff.get(site.page(turn)).content.decode()


def test_it_says_what_for_whom_who_and_why_in_as_many_queries_however_many(staff: Client, turn: Turn) -> None:
    switched(turn, -5, capability=Capability.TOOL, tool="refund", action=SwitchAction.STOP)
    page = staff.get(site.page(turn)).content.decode()
    assert "tool refund: stop" in page
    assert str(turn.conversation.tenant) in page
    assert "The prices are wrong." in page

    few = _queries(staff, turn)
    for _number in range(10):
        switched(turn, -5)
    assert _queries(staff, turn) == few


def _queries(client: Client, turn: Turn) -> int:
    with CaptureQueriesContext(connection) as asked:
        client.get(site.page(turn))
    return len(asked)
