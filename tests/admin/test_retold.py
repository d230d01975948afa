"""What the policies decided is told on the pages of turns, events and messages, with what to do next."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from conversations.models import ChannelKind, Message, UnknownPolicy
from pipeline.health.decisions import DECISIONS
from pipeline.models import HousekeepingRun
from pipeline.policies.retries import Verdict
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db


def text_of(client: Client, record: object) -> str:
    return client.get(site.page(record)).content.decode()  # type: ignore[arg-type]  # any model


def test_a_step_tells_why_it_was_tried_again_and_why_not_any_more(staff: Client) -> None:
    tried = {"error_code": "model.timeout", "error_detail": "late"}
    step = factories.step(
        status="failed",
        attempts=2,
        error_code="model.timeout",
        decisions=[
            {"attempt": 1, "verdict": "retry", "wait_s": 0.8, **tried},
            {"attempt": 2, "verdict": "time_used", "wait_s": 0.0, **tried},
        ],
    )

    for shown in (text_of(staff, step.turn), text_of(staff, step)):
        assert "Try 1 failed with model.timeout: tried again after 800 ms." in shown
        assert "Try 2 failed with model.timeout: not tried again, no time was left for it." in shown


def test_every_verdict_has_its_sentence() -> None:
    assert set(DECISIONS) == set(Verdict)


def test_a_turn_that_started_over_says_how_often_and_why(staff: Client) -> None:
    turn = factories.turn(generation=2)

    assert "It started over 2 times to take in messages that came meanwhile." in text_of(staff, turn)


def test_a_code_says_what_it_means_and_what_to_do_next(staff: Client) -> None:
    turn = factories.turn(status="failed")
    event = factories.event(
        turn=turn, conversation=turn.conversation, outcome="failed", outcome_code="model.quota"
    )
    message = factories.outbound(delivery="failed", error_code="send.window")

    assert "Checks the network and the provider&#x27;s status page" in text_of(staff, turn)
    assert "Pays or changes the key, then requeues." in text_of(staff, event)
    assert "Writes with an approved template." in text_of(staff, message)


def unknown_send(kind: str = ChannelKind.WHATSAPP_CLOUD, minutes: int = 0) -> Message:
    channel = factories.channel(kind=kind, unknown_policy=UnknownPolicy.RESEND, settle_minutes=10)
    created_at = timezone.now() - timedelta(minutes=minutes)
    return factories.outbound(
        conversation=factories.conversation(channel=channel), delivery="unknown", created_at=created_at
    )


def test_an_unknown_send_says_until_when_a_status_may_settle_it(staff: Client) -> None:
    shown = text_of(staff, unknown_send(ChannelKind.HTTP))

    assert "The platform may still tell, in 9\xa0minutes at the latest." in shown
    assert "After that it is sent again by itself" in shown


def test_what_may_not_be_repeated_waits_for_a_person_whatever_the_policy_says(staff: Client) -> None:
    assert "After that it is held for a person" in text_of(staff, unknown_send())
    assert "it waits for a person to decide." in text_of(staff, unknown_send(minutes=11))


def test_a_session_shows_its_summary_and_the_conversation_its_sessions(staff: Client) -> None:
    session = factories.session(
        ended_at=timezone.now(), end_reason="idle", summary="Asked for parcel 7.", summary_status="written"
    )
    open_session = factories.session(conversation=session.conversation)

    shown = text_of(staff, session.conversation)

    assert site.page(session) in shown
    assert site.page(open_session) in shown
    assert "Asked for parcel 7." in shown
    assert "Asked for parcel 7." in text_of(staff, session)


def test_a_worker_says_how_many_tools_it_left_behind(staff: Client) -> None:
    assert "Left behind" in text_of(staff, factories.worker(left_behind=3))


def test_a_run_of_housekeeping_says_what_it_did(staff: Client) -> None:
    HousekeepingRun.objects.create(
        started_at=timezone.now(), counts={"sessions_closed": 4, "leases_expired": 0}
    )

    shown = staff.get(site.list_page(HousekeepingRun)).content.decode()

    assert "sessions_closed 4" in shown
    assert "leases_expired" not in shown
