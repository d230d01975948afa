"""The first page says what is wrong, and every number leads to the rows behind it."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories

pytestmark = pytest.mark.django_db


def shown(client: Client) -> str:
    response = client.get(reverse("dashboard-fragment"))
    assert response.status_code == 200
    return response.content.decode()


def test_the_whole_page_opens_with_its_fragment(staff: Client) -> None:
    page = staff.get("/admin/").content.decode()

    assert 'hx-trigger="live:dashboard from:body, every 10s"' in page
    assert "Outcomes today" in page


def test_without_a_worker_the_first_sentence_says_so_and_what_to_do(staff: Client) -> None:
    factories.event()
    factories.event()
    factories.event(outcome="failed")

    text = shown(staff)

    assert "No worker is alive: 2 messages wait." in text
    assert "python manage.py worker" in text
    assert text.index("No worker is alive") < text.index("1 message came to nothing")


def test_a_late_message_is_named_with_its_age(staff: Client) -> None:
    factories.worker()
    factories.event(received_at=timezone.now() - timedelta(minutes=5, seconds=1))

    assert "The oldest message has waited for 5\xa0minutes." in shown(staff)


def test_sends_nobody_knows_about_and_failed_ones_are_named(staff: Client) -> None:
    factories.worker()
    factories.outbound(delivery="unknown", created_at=timezone.now() - timedelta(minutes=11))
    factories.outbound(delivery="failed")
    factories.outbound(delivery="failed", created_at=timezone.now() - timedelta(days=2))

    text = shown(staff)

    assert "Nobody knows whether 1 answer arrived." in text
    assert "1 answer was not delivered in the last 24 hours." in text


def test_a_channel_that_stopped_and_an_open_breaker_are_named(staff: Client) -> None:
    factories.channel(slug="shop", paused_at=timezone.now(), paused_reason="send.credentials")
    factories.breaker(name="openai:chat", state="open")
    factories.breaker(name="openai:speech")

    text = shown(staff)

    assert "The channel shop does not send." in text
    assert "The breaker openai:chat is open." in text
    assert "openai:speech" not in text


def test_when_all_is_well_it_says_so(staff: Client) -> None:
    factories.worker()
    factories.event(outcome="replied")

    assert "Nothing is wrong" in shown(staff)


def test_before_the_first_message_it_says_what_to_do(staff: Client) -> None:
    factories.worker()

    text = shown(staff)

    assert "No message has come in yet" in text
    assert "Open the phone page" in text


def test_every_number_leads_to_a_page(staff: Client) -> None:
    factories.fill(10)
    factories.event()
    factories.outbound(delivery="unknown")
    factories.outbound(delivery="failed")
    factories.leased_mailbox()
    factories.turn(status="running")

    addresses = set(re.findall(r'href="(/admin/[^"]*)"', shown(staff)))

    assert len(addresses) > 10
    for address in addresses:
        assert staff.get(address.replace("&amp;", "&")).status_code == 200, address


def test_the_numbers_are_those_of_the_rows(staff: Client) -> None:
    factories.event()
    factories.event(outcome="replied")
    factories.event(outcome="replied")
    factories.event(outcome="replied", received_at=timezone.now() - timedelta(days=2))
    factories.leased_mailbox()
    factories.leased_mailbox(lease_expires_at=timezone.now() - timedelta(seconds=1))
    factories.turn(status="running")

    context = staff.get(reverse("dashboard-fragment")).context
    figures = context["figures"]

    assert (figures.queue.pending, figures.queue.in_flight, figures.open_turns) == (1, 1, 1)
    assert [(bar.outcome, bar.number) for bar in context["outcome_bars"]] == [("replied", 2)]


def test_somebody_who_may_see_nothing_is_told_so(client: Client) -> None:
    client.force_login(factories.user())
    factories.event()

    text = shown(client)

    assert "You may not see any figures" in text
    assert "messages wait" not in text


def test_somebody_sees_only_what_they_may_view(client: Client) -> None:
    client.force_login(factories.user("view_processedevent"))
    factories.outbound(delivery="unknown")

    text = shown(client)

    assert "messages wait" in text
    assert "Outbox" not in text
    assert "No worker is alive" not in text


def test_whoever_is_logged_out_gets_no_figures_and_reloads(client: Client) -> None:
    response = client.get(reverse("dashboard-fragment"))

    assert response.headers["HX-Refresh"] == "true"
    assert response.content == b""
