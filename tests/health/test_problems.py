"""What is wrong, said so that somebody woken at night knows what to do."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import Channel, UnknownPolicy
from pipeline.health import figures
from pipeline.health.problem import Problem, Subject
from pipeline.health.problems import problems
from pipeline.models import HousekeepingRun
from tests import factories

pytestmark = pytest.mark.django_db


def found(subject: Subject) -> list[Problem]:
    return [problem for problem in problems(figures.read(timezone.now())) if problem.subject == subject]


def ago(**length: float) -> datetime:
    return timezone.now() - timedelta(**length)


def test_an_open_breaker_says_what_it_guards_since_when_and_why() -> None:
    factories.breaker(
        name="model:gpt", state="open", opened_at=ago(minutes=3, seconds=1), reason="5 failures in a row"
    )

    (problem,) = found(Subject.BREAKERS)

    assert problem.title == "The breaker model:gpt is open. It opened 3\xa0minutes ago."
    assert "It guards calls of the model gpt. Why: 5 failures in a row." in problem.advice
    assert problem.record == "model:gpt"


def test_a_closed_breaker_is_no_problem() -> None:
    factories.breaker(failures=2)

    assert not found(Subject.BREAKERS)


def test_a_paused_channel_says_why_and_how_many_messages_wait() -> None:
    paused = factories.conversation(
        channel=factories.channel(
            slug="shop", paused_at=ago(hours=1, seconds=1), paused_reason="Token refused."
        )
    )
    factories.outbound(conversation=paused)
    factories.outbound(conversation=paused)
    factories.outbound(conversation=paused, delivery="sent")
    factories.outbound()

    (problem,) = found(Subject.CHANNELS)

    assert problem.title == "The channel shop does not send. It was paused 1\xa0hour ago."
    assert problem.advice.startswith("2 messages wait for it. Why: Token refused. Mend")


def test_an_unknown_send_is_a_persons_affair_once_its_channel_has_waited_long_enough() -> None:
    patient = factories.conversation(channel=factories.channel(settle_minutes=60))
    itself = factories.conversation(
        channel=factories.channel(kind="http", unknown_policy=UnknownPolicy.RESEND)
    )
    factories.outbound(delivery="unknown", created_at=ago(minutes=11))
    factories.outbound(delivery="unknown")
    factories.outbound(conversation=patient, delivery="unknown", created_at=ago(minutes=11))
    factories.outbound(conversation=itself, delivery="unknown", created_at=ago(minutes=11))

    (problem,) = found(Subject.UNKNOWN_SENDS)

    assert problem.title == "Nobody knows whether 1 answer arrived."


def test_what_a_person_requeues_waits_from_then_on() -> None:
    event = factories.event(received_at=ago(hours=3), requeues=1, requeued_at=timezone.now())
    assert not found(Subject.WAITING)
    event.requeued_at = ago(minutes=2)
    event.save()

    assert found(Subject.WAITING)


def test_tools_left_behind_are_counted_over_all_workers() -> None:
    factories.worker(left_behind=1)
    factories.worker(left_behind=2)

    (problem,) = found(Subject.TOOLS)

    assert problem.title == "3 tools ran past their deadline and still run."


def test_housekeeping_that_failed_says_what_failed() -> None:
    factories.worker()
    HousekeepingRun.objects.create(started_at=timezone.now(), error="retention_applied: KeyError: 1\nmore")

    (problem,) = found(Subject.HOUSEKEEPING)

    assert problem.title == "Housekeeping failed: retention_applied: KeyError: 1"


def test_housekeeping_that_no_longer_runs_is_missed_after_ten_minutes() -> None:
    factories.worker(started_at=ago(hours=1))
    run = HousekeepingRun.objects.create(started_at=ago(minutes=9))
    assert not found(Subject.HOUSEKEEPING)
    run.delete()

    (problem,) = found(Subject.HOUSEKEEPING)

    assert problem.title == "Housekeeping has not run for 1\xa0hour."


def test_a_worker_that_just_started_has_time_for_its_first_housekeeping() -> None:
    factories.worker()

    assert not found(Subject.HOUSEKEEPING)


def test_what_was_shed_and_limited_today_is_told() -> None:
    factories.event(outcome="shed")
    factories.event(outcome="rate_limited")
    factories.event(outcome="rate_limited")
    factories.event(outcome="shed", received_at=ago(days=2))

    assert found(Subject.SHED)[0].title.startswith("1 message was shed today")
    assert found(Subject.RATE_LIMITED)[0].title == "2 messages today were over their contact's limit."


def test_reading_asks_as_often_for_many_troubles_as_for_few() -> None:
    few = _queries()
    for number in range(5):
        factories.breaker(state="open")
        factories.outbound(conversation=factories.conversation(channel=_paused(number)))

    assert _queries() == few


def _paused(number: int) -> Channel:
    return factories.channel(slug=f"paused-{number}", paused_at=timezone.now(), paused_reason="x")


def _queries() -> int:
    with CaptureQueriesContext(connection) as queries:
        problems(figures.read(timezone.now()))
    return len(queries)


def test_monitoring_sees_what_staff_see(client: Client) -> None:
    factories.breaker(name='model:"x"', state="open")
    factories.breaker(name="send:shop")
    factories.outbound(conversation=factories.conversation(channel=_paused(1)))
    factories.worker(left_behind=2)
    HousekeepingRun.objects.create(started_at=timezone.now(), error="x")

    shown = client.get("/metrics").content.decode()

    assert 'zupa_breaker_open{breaker="model:\\"x\\""} 1\n' in shown
    assert 'zupa_breaker_open{breaker="send:shop"} 0\n' in shown
    assert 'zupa_channel_paused_messages{channel="paused-1"} 1\n' in shown
    assert "zupa_tools_left_behind 2\n" in shown
    assert "zupa_housekeeping_failed 1\n" in shown


def test_what_waits_for_a_person_longer_than_promised_is_a_problem_for_scripts_too() -> None:
    factories.review_item(due_at=ago(minutes=3, seconds=1))
    factories.review_item(due_at=timezone.now() + timedelta(minutes=3))

    (problem,) = found(Subject.REVIEWS)

    assert problem.title == "2 items wait for a person; the oldest was due 3\xa0minutes ago."


def test_what_waits_for_a_person_within_its_time_is_none() -> None:
    factories.review_item(due_at=timezone.now() + timedelta(minutes=3))

    assert not found(Subject.REVIEWS)
