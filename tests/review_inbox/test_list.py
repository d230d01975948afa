"""The inbox's list: order, pages, filters, and what it costs."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from review.models import ReviewItem
from review.queries import inbox
from review.queries.conversation_list import ROWS_A_PAGE
from review.queries.inbox import Filters, InboxPage, Tab
from tests import factories

pytestmark = pytest.mark.django_db
NOW = timezone.now()
MANY = 10_000


def items(number: int, **fields: Any) -> list[ReviewItem]:
    """First due first, a minute apart, all of one conversation."""
    where = factories.conversation()
    return ReviewItem.objects.bulk_create(
        [
            ReviewItem(
                key=f"{where.pk}-{n}",
                kind="policy",
                tenant=where.tenant,
                conversation=where,
                why_code="review.rejected",
                fingerprint="0" * 64,
                created_at=NOW,
                due_at=NOW + timedelta(minutes=n),
                **fields,
            )
            for n in range(number)
        ]
    )


def ids(page: InboxPage) -> list[int]:
    return [row.id for row in page.rows]


def found(**wanted: Any) -> set[int]:
    return set(ids(inbox.first(Filters(**wanted), now=NOW)))


def test_first_due_comes_first_and_pages_follow_each_other_also_within_one_moment() -> None:
    made = [item.pk for item in items(2 * ROWS_A_PAGE + 1)]
    ReviewItem.objects.filter(pk__in=made[:40]).update(due_at=NOW)
    pages = [inbox.first(Filters(), now=NOW)]
    while end := pages[-1].end:
        pages.append(inbox.after(end, Filters(), now=NOW))
    assert [pk for page in pages for pk in ids(page)] == made


def test_what_ended_comes_newest_first() -> None:
    made = items(3, status="settled", ended_at=NOW)
    for number, item in enumerate(made):
        ReviewItem.objects.filter(pk=item.pk).update(ended_at=NOW + timedelta(minutes=number))
    done = Filters(tab=Tab.DONE)
    assert ids(inbox.first(done, now=NOW)) == [item.pk for item in reversed(made)]
    cursor = inbox.first(done, now=NOW).rows[0].cursor
    assert ids(inbox.after(cursor, done, now=NOW)) == [made[1].pk, made[0].pk]
    assert found() == set()


def test_refreshed_list_keeps_its_end_and_shows_what_became_more_urgent() -> None:
    made = items(ROWS_A_PAGE + 5)
    page = inbox.first(Filters(), now=NOW)
    ReviewItem.objects.filter(pk=made[-1].pk).update(due_at=NOW - timedelta(minutes=1))
    refreshed = inbox.first(Filters(), since=page.end, now=NOW)
    assert ids(refreshed) == [made[-1].pk, *ids(page)]
    assert refreshed.end == page.end


def test_filters_narrow_by_kind_risk_tenant_agent_time_and_contact() -> None:
    who = factories.contact(name="Helena Souza", address="5511987654321")
    ours = factories.review_item(
        kind="policy", risk="low", due_at=NOW, conversation=factories.conversation(contact=who)
    )
    other = factories.review_item()
    agent = ours.conversation.channel.agent_id
    for wanted in (
        {"kind": "policy"},
        {"risk": "low"},
        {"tenant": ours.tenant_id},
        {"agent": agent},
        {"only_overdue": True},
        {"search": "helena"},
        {"search": "87654"},
        {"tenants": frozenset([ours.tenant_id])},
    ):
        assert found(**wanted) == {ours.pk}, wanted
    assert found() == {ours.pk, other.pk}


def test_filters_by_who_claimed_while_the_claim_lasts() -> None:
    rita, otto = factories.user(), factories.user()
    later = NOW + timedelta(minutes=5)
    mine = factories.review_item(claimed_by=rita, claim_expires_at=later)
    theirs = factories.review_item(claimed_by=otto, claim_expires_at=later)
    let_go = factories.review_item(claimed_by=otto, claim_expires_at=NOW)
    free = factories.review_item()
    assert found(whose="mine", reader_id=rita.pk) == {mine.pk}
    assert found(whose="unclaimed", reader_id=rita.pk) == {let_go.pk, free.pk}
    marks = {
        row.id: (row.is_mine, row.claimed_by) for row in inbox.first(Filters(reader_id=rita.pk), now=NOW).rows
    }
    assert marks[mine.pk][0]
    assert marks[theirs.pk] == (False, otto.username)
    assert marks[let_go.pk] == (False, "")


def test_next_is_the_first_due_that_nobody_else_claimed() -> None:
    otto, rita = factories.user(), factories.user()
    first, second, third = (factories.review_item(due_at=NOW + timedelta(minutes=n)) for n in range(3))
    ReviewItem.objects.filter(pk=first.pk).update(
        claimed_by=otto, claim_expires_at=NOW + timedelta(minutes=5)
    )
    filters = Filters(reader_id=rita.pk)
    assert inbox.next_open(filters, now=NOW) == second.pk
    assert inbox.next_open(filters, now=NOW, than=second.pk) == third.pk


@pytest.mark.parametrize("number", [1, ROWS_A_PAGE + 5])
def test_number_of_items_does_not_change_the_number_of_queries(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    items(number)
    with django_assert_num_queries(1):
        inbox.first(Filters(), now=NOW)


@pytest.mark.parametrize("number", [1, 60])
def test_item_costs_the_same_however_much_waits(number: int, reviewer: Client) -> None:
    made = items(number)
    reviewer.get(f"/review/items/{made[0].pk}/")
    with CaptureQueriesContext(connection) as queries:
        assert reviewer.get(f"/review/items/{made[0].pk}/").status_code == 200
    assert len(queries) <= 25, [query["sql"][:80] for query in queries]


@pytest.mark.parametrize(("tab", "index"), [(Tab.OPEN, "review_open_by_due"), (Tab.DONE, "review_ended")])
def test_page_among_ten_thousand_is_cut_with_the_index(tab: Tab, index: str) -> None:
    ended = {} if tab is Tab.OPEN else {"status": "settled", "ended_at": NOW}
    middle = items(MANY, **ended)[MANY // 2]
    if ended:
        ReviewItem.objects.update(ended_at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE review_reviewitem")
    filters = Filters(tab=tab)
    at = inbox.first(filters, now=NOW).rows[0].cursor
    place = type(at)(at=middle.due_at if tab is Tab.OPEN else NOW, id=middle.pk)
    with CaptureQueriesContext(connection) as queries:
        page = inbox.after(place, filters, now=NOW)
    assert len(page.rows) == ROWS_A_PAGE
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {queries[0]['sql']}")
        plan = json.dumps(cursor.fetchone()[0])
    assert index in plan
    assert '"Sort Key"' not in plan or "Incremental Sort" in plan


def test_empty_inbox_says_what_to_do_next(reviewer: Client) -> None:
    assert "Nothing waits for a person" in reviewer.get("/review/").content.decode()
    assert "No item matches" in reviewer.get("/review/", {"q": "nobody"}).content.decode()
    assert "Nothing was decided yet" in reviewer.get("/review/", {"tab": "done"}).content.decode()


@pytest.mark.parametrize(
    "query", [{"kind": "x"}, {"tenant": "\0"}, {"q": "\0"}, {"since": "x"}, {"tab": "x"}, {"whose": "x"}]
)
def test_odd_filters_break_nothing(query: dict[str, str], reviewer: Client) -> None:
    factories.review_item()
    answer = reviewer.get("/review/items/rows/", query)
    assert answer.status_code == 200
    assert "data-row=" in answer.content.decode()


def test_row_says_what_is_proposed_why_and_to_whom(reviewer: Client) -> None:
    call = {"tool": "offer_voucher", "arguments": {"order_id": "7", "amount": 50}}
    item = factories.review_item(
        kind="tool_approval", proposal=call, why_code="review.rule", why="amount > 20"
    )
    page = reviewer.get("/review/").content.decode()
    assert "offer_voucher (amount: 50, order_id: 7)" in page
    assert "amount &gt; 20" in page
    assert item.conversation.contact.name in page


def test_conversation_that_waits_for_a_person_leads_to_its_item(reviewer: Client) -> None:
    item = factories.review_item()
    page = reviewer.get(f"/review/conversations/{item.conversation_id}/").content.decode()
    assert "The turn waits for a person" in page
    assert f'href="/review/items/{item.pk}/"' in page
    assert "to decide" in reviewer.get("/review/conversations/").content.decode()
