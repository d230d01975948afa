"""The list of conversations: order, paging, filters, marks."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from conversations.models import Conversation, Delivery
from pipeline.models import TurnStatus
from review.queries import conversation_list
from review.queries.conversation_list import ROWS_A_PAGE, Cursor, Filters
from tests import factories

NOW = timezone.now()


def conversations(number: int, **fields: Any) -> list[Conversation]:
    """Newest first, a minute apart."""
    door = factories.channel()
    return [
        factories.conversation(channel=door, last_message_at=NOW - timedelta(minutes=n), **fields)
        for n in range(number)
    ]


def names(page: conversation_list.ConversationPage) -> list[int]:
    return [row.id for row in page.rows]


def found(**wanted: Any) -> set[int]:
    return set(names(conversation_list.newest(Filters(**wanted), now=NOW)))


@pytest.mark.django_db
def test_pages_follow_each_other_without_gap_or_overlap_also_within_one_moment() -> None:
    made = [each.pk for each in conversations(2 * ROWS_A_PAGE + 1)]
    Conversation.objects.update(last_message_at=NOW)
    first = conversation_list.newest(Filters(), now=NOW)
    assert first.end is not None
    second = conversation_list.after(first.end, Filters(), now=NOW)
    assert second.end is not None
    third = conversation_list.after(second.end, Filters(), now=NOW)
    assert third.end is None
    assert names(first) + names(second) + names(third) == sorted(made, reverse=True)


@pytest.mark.django_db
def test_refreshed_list_keeps_what_it_showed_and_shows_what_came_to_the_top() -> None:
    made = conversations(ROWS_A_PAGE + 5)
    first = conversation_list.newest(Filters(), now=NOW)
    Conversation.objects.filter(pk=made[-1].pk).update(last_message_at=NOW + timedelta(seconds=1))
    refreshed = conversation_list.newest(Filters(), now=NOW, since=first.end)
    assert names(refreshed) == [made[-1].pk, *names(first)]
    assert refreshed.end == first.end


@pytest.mark.django_db
def test_search_meets_parts_of_name_and_address() -> None:
    helena = factories.conversation(contact=factories.contact(name="Helena Souza", address="5511987654321"))
    factories.conversation(contact=factories.contact(name="Igor", address="5521000000000"))
    assert found(search="helena") == found(search="souza") == found(search="98765") == {helena.pk}
    assert found(search="nobody") == set()


@pytest.mark.django_db
def test_filters_by_channel_and_owner() -> None:
    person = factories.user()
    ours, theirs = factories.conversation(), factories.conversation(owner=person)
    assert found(channel=ours.channel.slug) == {ours.pk}
    assert found(owner="agent") == {ours.pk}
    assert found(owner="person") == found(owner="mine", reader_id=person.pk) == {theirs.pk}
    assert found(owner="mine", reader_id=person.pk + 1) == set()


@pytest.mark.django_db
def test_failed_and_unknown_sends_and_failed_turns_of_the_last_days_are_problems() -> None:
    failed = factories.outbound(delivery=Delivery.FAILED).conversation_id
    unknown = factories.outbound(delivery=Delivery.UNKNOWN).conversation_id
    turn = factories.turn(status=TurnStatus.FAILED).conversation_id
    factories.outbound(delivery=Delivery.READ)
    factories.turn(status=TurnStatus.FAILED, started_at=NOW - timedelta(days=8))
    assert found(only_problems=True) == {failed, unknown, turn}
    marked = {row.id for row in conversation_list.newest(Filters(), now=NOW).rows if row.has_problem}
    assert marked == {failed, unknown, turn}


@pytest.mark.django_db
def test_row_tells_what_waits_and_what_runs() -> None:
    conversation = factories.conversation()
    factories.event(conversation=conversation)
    factories.event(conversation=conversation)
    factories.event(conversation=conversation, outcome="replied")
    factories.turn(conversation=conversation, status=TurnStatus.RUNNING)
    (row,) = conversation_list.newest(Filters(), now=NOW).rows
    assert (row.waiting, row.is_running) == (2, True)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, ROWS_A_PAGE + 5])
def test_number_of_rows_does_not_change_the_number_of_queries(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversations(number)
    with django_assert_num_queries(1):
        conversation_list.newest(Filters(), now=NOW)


def test_cursor_survives_the_address_bar() -> None:
    cursor = Cursor(at=NOW, id=7)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["", "7", "_", "2026-01-01T00:00:00_7", "yesterday_7", "2026-01-01T00:00:00+00:00_x"]
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert Cursor.parse(text) is None


def test_empty_list_says_what_to_do(browser_of_reviewer: Client) -> None:
    page = browser_of_reviewer.get(reverse("review:conversations")).content.decode()
    assert "No conversations yet" in page
    assert "Open the phone" in page
    page = browser_of_reviewer.get(reverse("review:conversations"), {"q": "nobody"}).content.decode()
    assert "No conversation matches" in page


def test_show_more_brings_the_next_rows(browser_of_reviewer: Client) -> None:
    conversations(ROWS_A_PAGE + 3)
    page = browser_of_reviewer.get(reverse("review:conversations")).content.decode()
    assert page.count("data-row=") == ROWS_A_PAGE
    more = re.search(r'hx-get="(/review/conversations/rows/more/[^"]*)"', page)
    assert more
    rest = browser_of_reviewer.get(more[1].replace("&amp;", "&")).content.decode()
    assert rest.count("data-row=") == 3
    assert "Show more" not in rest


@pytest.mark.parametrize("query", [{"owner": "everybody"}, {"channel": "\0"}, {"q": "\0"}, {"since": "x"}])
def test_odd_filters_break_nothing(query: dict[str, str], browser_of_reviewer: Client) -> None:
    assert browser_of_reviewer.get(reverse("review:rows"), query).status_code == 200


def test_links_into_conversations_keep_the_filters(browser_of_reviewer: Client, reviewer: User) -> None:
    conversation = factories.conversation(contact=factories.contact(name="Helena"))
    page = browser_of_reviewer.get(reverse("review:rows"), {"q": "helena", "selected": "1"}).content.decode()
    assert f'href="/review/conversations/{conversation.pk}/?q=helena"' in page


def test_times_are_the_tenants(browser_of_reviewer: Client) -> None:
    tenant = factories.tenant(time_zone="America/Sao_Paulo")
    door = factories.channel(agent=factories.agent(tenant=tenant))
    moment = datetime.fromisoformat("2024-03-01T01:30:00+00:00")
    conversation = factories.conversation(channel=door, last_message_at=moment)
    factories.message(conversation=conversation, created_at=moment)
    page = browser_of_reviewer.get(reverse("review:conversation", args=[conversation.pk])).content.decode()
    assert "Feb. 29, 2024" in page
    assert ">22:30</time>" in page
