"""What is compiled once says the same as the ORM, each time with its own values."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from audit.compiled import Insert, ModelQuery, RowQuery, Together, Update, any_of, insert, param
from conversations.models import Agent, Channel, Contact, Message
from pipeline.models import Turn
from tests import factories

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    id: int
    slug: str
    credentials: dict[str, str]
    tools: list[str]


@dataclass(frozen=True, slots=True)
class OpenDoor:
    id: int


DOORS = RowQuery(
    Door,
    lambda: (
        Channel.objects.filter(any_of("slug", "slugs", "text"), kind=param("kind"))
        .annotate(tools=F("agent__allowed_tools"))
        .order_by("slug")
    ),
)


def test_each_use_brings_its_own_values_and_finds_what_the_fields_mean() -> None:
    agent = factories.agent(allowed_tools=["order_status"])
    shop = factories.channel(slug="shop", kind="http", agent=agent, credentials={"secret": "s"})
    bank = factories.channel(slug="bank", kind="http", agent=agent, credentials={"secret": "b"})

    assert DOORS.fetch(kind="http", slugs=["shop", "bank"]) == [
        Door(id=bank.pk, slug="bank", credentials={"secret": "b"}, tools=["order_status"]),
        Door(id=shop.pk, slug="shop", credentials={"secret": "s"}, tools=["order_status"]),
    ]
    assert [door.slug for door in DOORS.fetch(kind="http", slugs=["shop"])] == ["shop"]
    assert DOORS.fetch(kind="waha", slugs=["shop"]) == DOORS.fetch(kind="http", slugs=[]) == []


def test_values_are_values_whatever_stands_in_them() -> None:
    odd = factories.channel(kind="http", slug="plain")
    Channel.objects.filter(pk=odd.pk).update(slug="%s'; DROP TABLE x; --\\")

    assert [door.id for door in DOORS.fetch(kind="http", slugs=["%s'; DROP TABLE x; --\\"])] == [odd.pk]
    assert DOORS.fetch(kind="' OR '1'='1", slugs=["plain"]) == []


def test_records_are_models_with_what_they_hang_on_and_what_was_asked_beside() -> None:
    channel = factories.channel(kind="http", slug="shop")
    records = ModelQuery(
        lambda: (
            Channel.objects.filter(slug=param("slug"))
            .annotate(is_used=Exists(Contact.objects.filter(channel=OuterRef("pk"))))
            .select_related("agent__tenant")
        )
    )

    (found,) = records.fetch(slug="shop")

    assert found == channel
    assert found.credentials == channel.credentials
    assert not found.is_used
    assert "agent" in found._state.fields_cache
    assert found.agent.tenant == channel.tenant
    found.paused_reason = "as any other"
    found.save()
    assert Channel.objects.get().paused_reason == "as any other"


def test_a_change_tells_how_many_rows_it_changed() -> None:
    agent = factories.agent(history_limit=20)
    longer = Update(
        lambda: Agent.objects.filter(any_of("pk", "ids")),
        history_limit=F("history_limit") + param("more"),
        name=param("name"),
    )

    assert longer.execute(ids=[agent.pk, 0], more=5, name="Ana") == 1
    assert longer.execute(ids=[0], more=5, name="Ana") == 0
    agent.refresh_from_db()
    assert (agent.history_limit, agent.name) == (25, "Ana")


def test_what_every_use_says_alike_may_be_anything() -> None:
    agent = factories.agent(name="100% 'Ana' \\ %s")
    named = Update(
        lambda: Agent.objects.filter(name="100% 'Ana' \\ %s", tenant_id=param("tenant_id")),
        name="50% é 'Bia'",
    )

    assert named.execute(tenant_id=agent.tenant_id) == 1
    agent.refresh_from_db()
    assert agent.name == "50% é 'Bia'"


def test_statement_is_planned_once_and_what_never_changes_is_part_of_it() -> None:
    for slug in ("plain", "other", "plain"):
        DOORS.fetch(kind="http", slugs=[slug])
    open_doors = RowQuery(OpenDoor, lambda: Channel.objects.filter(slug=param("slug"), kind="http"))
    open_doors.fetch(slug="plain")

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement, cardinality(parameter_types) FROM pg_prepared_statements")
        planned = [each for each in cursor.fetchall() if '"conversations_channel"' in each[0]]
    assert len([sql for sql, _ in planned if "ANY" in sql]) == 1
    assert [number for sql, number in planned if "ANY" not in sql] == [1]


def test_inserted_rows_are_those_that_the_orm_would_have_written() -> None:
    conversation = factories.conversation()
    rows: list[Any] = [
        Message(
            conversation=conversation,
            channel=conversation.channel,
            direction="in",
            author_kind="contact",
            text=text,
            media={"kind": "café"},
            created_at=timezone.now(),
        )
        for text in ("first", "second")
    ]

    insert(rows)
    insert([])

    told = list(Message.objects.order_by("pk").values_list("text", "media", "delivery", "attempts"))
    assert told == [("first", {"kind": "café"}, "", 0), ("second", {"kind": "café"}, "", 0)]


def test_a_row_that_brings_its_own_key_keeps_it() -> None:
    key, conversation = uuid.uuid4(), factories.conversation()
    turn = Turn(id=key, conversation=conversation, seed=1, lease_epoch=1, started_at=timezone.now())
    turn.policy_version = 1

    insert([turn])

    assert Turn.objects.get().pk == key


OPEN = Insert(
    Turn,
    id=param("turn_id"),
    conversation_id=param("conversation_id"),
    policy_version=1,
    seed=param("seed"),
    lease_epoch=1,
    started_at=param("now"),
)


def test_a_compiled_row_has_its_defaults_where_nothing_is_said() -> None:
    key, conversation, now = uuid.uuid4(), factories.conversation(), timezone.now()

    assert OPEN.execute(turn_id=key, conversation_id=conversation.pk, seed=7, now=now) == 1

    turn = Turn.objects.get()
    assert (turn.pk, turn.conversation, turn.seed, turn.started_at) == (key, conversation, 7, now)
    assert (turn.status, turn.phases, turn.finished_at, turn.attempts) == ("running", [], None, 0)


def test_a_default_that_is_another_for_each_row_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a value"):
        Insert(Turn, seed=1).execute()


def test_writes_of_one_statement_all_happen_and_then_it_selects() -> None:
    key, conversation = uuid.uuid4(), factories.conversation()
    agent = conversation.channel.agent
    named = Update(lambda: Agent.objects.filter(pk=param("agent_id")), name=param("name"))
    both = Together(OPEN, named, select="SELECT unnest(%(topics)s::text[])")

    selected = both.execute(
        turn_id=key,
        conversation_id=conversation.pk,
        seed=7,
        now=timezone.now(),
        agent_id=agent.pk,
        name="100% Ana",
        topics=["one", "two"],
    )

    agent.refresh_from_db()
    assert (selected, agent.name, Turn.objects.get().pk) == (2, "100% Ana", key)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_closed_is_replaced() -> None:
    factories.channel(kind="http", slug="shop")
    before = DOORS.fetch(kind="http", slugs=["shop"])

    connection.close()

    assert DOORS.fetch(kind="http", slugs=["shop"]) == before


def test_an_error_is_djangos() -> None:
    with pytest.raises(DatabaseError):
        DOORS.fetch(kind="http\x00", slugs=["shop"])
