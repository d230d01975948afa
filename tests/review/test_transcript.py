"""The live conversation page: what was said, what failed, what waits, what runs."""

import re
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from conversations.models import AuthorKind, Conversation, Delivery, EndReason, Message
from pipeline.models import EventStatus, Outcome, TurnStatus
from review import passes
from review.queries import transcript
from review.queries.transcript import MESSAGES_A_PAGE, MOST_MESSAGES, Bubble, Entry
from tests import factories

NOW = timezone.now()


def page_of(client: Client, conversation: Conversation) -> str:
    """The page with its white space folded, as a reader sees it."""
    page = client.get(reverse("review:conversation", args=[conversation.pk])).content.decode()
    return re.sub(r"\s+", " ", page)


def kinds(entries: Any) -> list[str]:
    return [entry.kind for entry in entries]


def texts(entries: Any) -> list[str]:
    return [entry.said.text for entry in entries if isinstance(entry, Bubble)]


def say(conversation: Conversation, number: int) -> None:
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            channel_id=conversation.channel_id,
            direction="in",
            author_kind="contact",
            text=str(n),
            created_at=NOW - timedelta(minutes=number - n),
        )
        for n in range(number)
    )


def latest(conversation: Conversation, since: int | None = None) -> transcript.Transcript:
    return transcript.latest(conversation.pk, now=NOW, since=since)


@pytest.mark.parametrize(
    ("delivery", "shown"),
    [
        (Delivery.QUEUED, "Waiting to be sent"),
        (Delivery.SENDING, "Being sent"),
        (Delivery.SENT, "Sent: the platform accepted it"),
        (Delivery.DELIVERED, "Delivered"),
        (Delivery.READ, "Read"),
        (Delivery.FAILED, "Failed: it was not delivered"),
        (Delivery.UNKNOWN, "nobody knows whether this arrived"),
        (Delivery.WITHDRAWN, "Withdrawn before it was sent"),
    ],
)
def test_every_delivery_state_is_shown(delivery: str, shown: str, browser_of_reviewer: Client) -> None:
    conversation = factories.outbound(delivery=delivery).conversation
    assert shown in page_of(browser_of_reviewer, conversation)


def test_failed_send_shows_its_code(browser_of_reviewer: Client) -> None:
    answer = factories.outbound(delivery=Delivery.FAILED, error_code="131026", error_detail="Undeliverable.")
    assert "Not delivered: <code>131026</code> Undeliverable." in page_of(
        browser_of_reviewer, answer.conversation
    )


def test_reply_by_hand_on_the_phone_is_nobodys_by_name(browser_of_reviewer: Client) -> None:
    said = factories.outbound(author_kind=AuthorKind.PERSON, delivery=Delivery.SENT, text="One moment.")
    assert "By hand, on the phone" in page_of(browser_of_reviewer, said.conversation)


def test_answer_leads_to_its_turn(browser_of_reviewer: Client) -> None:
    turn = factories.turn()
    factories.outbound(conversation=turn.conversation, turn_id=turn.pk)
    address = reverse("admin:pipeline_turn_change", args=[turn.pk])
    assert f'href="{address}"' in page_of(browser_of_reviewer, turn.conversation)


@pytest.mark.django_db
def test_reader_without_the_right_to_turns_gets_no_link(client: Client) -> None:
    client.force_login(factories.user("view_conversation"))
    turn = factories.turn()
    factories.outbound(conversation=turn.conversation, turn_id=turn.pk)
    assert "/pipeline/turn/" not in page_of(client, turn.conversation)


def test_waiting_events_are_shown_before_they_are_answered(browser_of_reviewer: Client) -> None:
    conversation = factories.conversation()
    payload = {"type": "text", "text": "Anybody there?"}
    factories.event(conversation=conversation, payload=payload, status=EventStatus.PROCESSING)
    factories.event(conversation=conversation, payload={"type": "audio", "text": ""})
    page = page_of(browser_of_reviewer, conversation)
    assert re.search(r"Anybody there\?.*being answered.*\[audio\].*waiting", page)


def test_answered_event_is_shown_once(browser_of_reviewer: Client) -> None:
    turn = factories.turn()
    payload = {"type": "text", "text": "Asked once"}
    factories.event(conversation=turn.conversation, payload=payload, turn=turn, outcome=Outcome.REPLIED)
    factories.message(conversation=turn.conversation, turn_id=turn.pk, text="Asked once")
    assert page_of(browser_of_reviewer, turn.conversation).count('bubble-text">Asked once') == 1


def test_event_that_never_came_to_a_turn_says_why(browser_of_reviewer: Client) -> None:
    event = factories.event(
        payload={"type": "text", "text": "Too late"}, outcome=Outcome.EXPIRED, outcome_code="event.too_old"
    )
    assert event.conversation
    page = page_of(browser_of_reviewer, event.conversation)
    assert re.search(r"Too late.*Not answered: expired <code>event.too_old</code>", page)


def test_running_turn_is_shown_with_its_phase_and_time(browser_of_reviewer: Client) -> None:
    turn = factories.turn(
        status=TurnStatus.RUNNING, phase="agentic_loop", started_at=timezone.now() - timedelta(seconds=7)
    )
    page = page_of(browser_of_reviewer, turn.conversation)
    assert "is typing…" in page
    assert "<code>agentic_loop</code>" in page
    assert re.search(r"running for <span data-running-since=\"[78]\">", page)


def test_failed_turn_is_told_after_what_it_said(browser_of_reviewer: Client) -> None:
    turn = factories.turn(status=TurnStatus.FAILED, error_code="model.timeout", error_detail="No answer.")
    factories.outbound(conversation=turn.conversation, turn_id=turn.pk, created_at=turn.finished_at)
    assert kinds(latest(turn.conversation).entries) == ["message", "failed_turn"]
    page = page_of(browser_of_reviewer, turn.conversation)
    assert "The turn failed: <code>model.timeout</code> No answer." in page


@pytest.mark.django_db
def test_days_and_sessions_are_marked_where_they_begin() -> None:
    conversation = factories.conversation()
    old = factories.session(conversation=conversation, ended_at=NOW, end_reason=EndReason.RESET)
    new = factories.session(conversation=conversation)
    yesterday = NOW - timedelta(days=1)
    factories.message(conversation=conversation, session=old, created_at=yesterday)
    factories.message(conversation=conversation, session=new, created_at=NOW)
    shown = latest(conversation)
    assert shown.first_day == yesterday.date()
    assert kinds(shown.entries) == ["message", "day", "session", "message"]


@pytest.mark.django_db
def test_a_day_is_the_tenants_day() -> None:
    tenant = factories.tenant(time_zone="Asia/Tokyo")
    conversation = factories.conversation(channel=factories.channel(agent=factories.agent(tenant=tenant)))
    factories.message(conversation=conversation, created_at=NOW)
    assert latest(conversation).first_day == NOW.astimezone(ZoneInfo("Asia/Tokyo")).date()


@pytest.mark.django_db
def test_earlier_pages_join_without_gap_or_overlap() -> None:
    conversation = factories.conversation()
    say(conversation, 2 * MESSAGES_A_PAGE + 3)
    gap = NOW - timedelta(minutes=MESSAGES_A_PAGE, seconds=30)
    lost = factories.turn(conversation=conversation, status=TurnStatus.FAILED, finished_at=gap)
    pages: list[list[Entry]] = []
    shown = latest(conversation)
    pages.append(list(shown.entries))
    while shown.has_earlier:
        assert shown.first_id
        shown = transcript.earlier(conversation.pk, shown.first_id, now=NOW)
        pages.insert(0, list(shown.entries))
    entries = [entry for page in pages for entry in page]
    assert texts(entries) == [str(n) for n in range(2 * MESSAGES_A_PAGE + 3)]
    assert [entry.id for entry in entries if isinstance(entry, transcript.FailedTurn)] == [lost.pk]


@pytest.mark.django_db
def test_refresh_keeps_the_page_where_it_begins() -> None:
    conversation = factories.conversation()
    say(conversation, MESSAGES_A_PAGE + 10)
    first = latest(conversation)
    say(conversation, 5)
    refreshed = latest(conversation, since=first.first_id)
    assert refreshed.first_id == first.first_id
    assert len(texts(refreshed.entries)) == MESSAGES_A_PAGE + 5
    assert refreshed.has_earlier


@pytest.mark.django_db
def test_refresh_of_a_page_that_grew_too_long_begins_anew() -> None:
    conversation = factories.conversation()
    say(conversation, MOST_MESSAGES + 1)
    first_id = Message.objects.earliest("id").pk
    refreshed = latest(conversation, since=first_id)
    assert refreshed.first_id != first_id
    assert len(texts(refreshed.entries)) == MOST_MESSAGES


def test_page_is_refreshed_and_paged_by_its_own_addresses(browser_of_reviewer: Client) -> None:
    conversation = factories.conversation()
    say(conversation, MESSAGES_A_PAGE + 1)
    page = page_of(browser_of_reviewer, conversation)
    addresses = re.findall(r'hx-get="(/review/conversations/\d[^"]*)"', page)
    assert len(addresses) == 3
    for address in addresses:
        assert browser_of_reviewer.get(address.replace("&amp;", "&")).status_code == 200


def test_earlier_page_of_another_conversation_is_not_found(
    browser_of_reviewer: Client, reviewer: User
) -> None:
    foreign, conversation = factories.message(), factories.conversation()
    query = {"pass": passes.issue(conversation.pk, reviewer.pk), "before": str(foreign.pk)}
    address = reverse("review:earlier", args=[conversation.pk])
    assert browser_of_reviewer.get(address, query).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, MESSAGES_A_PAGE + 10])
def test_length_does_not_change_the_number_of_queries(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversation = factories.conversation()
    say(conversation, number)
    with django_assert_num_queries(7):
        latest(conversation)


def test_what_a_contact_writes_stays_text(browser_of_reviewer: Client) -> None:
    conversation = factories.message(text="<script>alert(1)</script>").conversation
    page = page_of(browser_of_reviewer, conversation)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_empty_conversation_says_that_it_waits(browser_of_reviewer: Client) -> None:
    assert "Nothing said yet" in page_of(browser_of_reviewer, factories.conversation())
