"""What is tidied up now and then, and what is never touched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from conversations.models import Channel, Delivery, Message, UnknownPolicy
from pipeline import housekeeping
from pipeline.engine import mailbox
from pipeline.models import EventStatus, HousekeepingRun, Mailbox, ProcessedEvent, Step
from pipeline.transports.registry import IDEMPOTENT_KINDS
from review.models import ReviewItem
from tests import factories

pytestmark = pytest.mark.django_db


def keep_house() -> HousekeepingRun:
    run = housekeeping.run(now=timezone.now())
    assert run is not None
    assert run.error == ""
    return run


def channel_of(days: int) -> Channel:
    return factories.channel(agent=factories.agent(tenant=factories.tenant(retention_days=days)))


def old_turn(channel: Channel, days: float, **event: Any) -> tuple[ProcessedEvent, Step]:
    at = timezone.now() - timedelta(days=days)
    conversation = factories.conversation(channel=channel)
    turn = factories.turn(conversation=conversation, started_at=at)
    fields = {"outcome": "replied", "received_at": at, "turn": turn} | event
    return factories.event(conversation=conversation, **fields), factories.step(turn=turn)


def test_run_leaves_a_row_with_what_each_chore_found() -> None:
    run = keep_house()
    run.refresh_from_db()
    assert set(run.counts) == set(housekeeping.CHORES)
    assert set(run.counts.values()) == {0}
    assert run.finished_at is not None


def test_contents_are_kept_as_long_as_their_tenant_wants_them() -> None:
    short, long = channel_of(days=10), channel_of(days=100)
    gone, _ = old_turn(short, days=11)
    kept, kept_step = old_turn(long, days=11)
    keep_house()
    assert not ProcessedEvent.objects.filter(pk=gone.pk).exclude(payload={}).exists()
    kept.refresh_from_db()
    kept_step.refresh_from_db()
    assert kept.payload
    assert kept_step.response


def test_what_was_said_to_the_model_goes_and_the_turn_stays() -> None:
    event, step = old_turn(channel_of(days=10), days=11)
    assert event.turn is not None
    keep_house()
    assert not Step.objects.filter(pk=step.pk).exclude(request={}, response=None).exists()
    event.turn.refresh_from_db()
    assert event.turn.status == "succeeded"


def test_dedupe_key_outlives_its_payload_for_eight_days() -> None:
    """Meta redelivers for up to seven: without its key an old message would be answered again."""
    channel = channel_of(days=1)
    young, _ = old_turn(channel, days=7.9)
    old, _ = old_turn(channel, days=8.1)
    keep_house()
    young.refresh_from_db()
    assert young.payload == {}
    assert not ProcessedEvent.objects.filter(pk=old.pk).exists()


def test_event_that_still_waits_is_never_emptied() -> None:
    channel = channel_of(days=1)
    at = timezone.now() - timedelta(days=30)
    waiting = factories.event(channel=channel, received_at=at)
    keep_house()
    waiting.refresh_from_db()
    assert waiting.payload
    assert waiting.status == EventStatus.RECEIVED


def test_runs_are_at_least_a_minute_apart() -> None:
    keep_house()
    assert housekeeping.run(now=timezone.now()) is None
    HousekeepingRun.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    keep_house()
    assert HousekeepingRun.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_are_one() -> None:
    holder = connection.copy()
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [housekeeping.ADVISORY_LOCK])
        assert housekeeping.run(now=timezone.now()) is None
        cursor.execute("SELECT pg_advisory_unlock(%s)", [housekeeping.ADVISORY_LOCK])
    holder.close()
    keep_house()
    assert HousekeepingRun.objects.count() == 1


def test_chore_that_fails_is_told_and_keeps_no_other_from_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(now: object) -> int:
        raise ValueError("out of brooms")

    chores = {"sweeping": fail, **housekeeping.CHORES}
    monkeypatch.setattr(housekeeping, "CHORES", chores)
    run = housekeeping.run(now=timezone.now())
    assert run is not None
    assert run.error == "sweeping: ValueError: out of brooms"
    assert set(run.counts) == set(chores) - {"sweeping"}


def test_lease_that_ran_out_is_ended_and_its_holder_fenced_off() -> None:
    past = timezone.now() - timedelta(seconds=1)
    stale = factories.leased_mailbox(lease_epoch=4, lease_expires_at=past)
    assert keep_house().counts["leases_expired"] == 1
    stale.refresh_from_db()
    assert (stale.lease_owner, stale.lease_epoch) == ("", 5)
    assert stale.due_at is not None


def test_lease_that_runs_is_left_alone() -> None:
    factories.leased_mailbox()
    assert keep_house().counts["leases_expired"] == 0
    assert Mailbox.objects.get().lease_owner


def unknown_send(minutes_ago: float, kind: str, **channel: Any) -> Message:
    door = factories.channel(kind=kind, settle_minutes=10, **channel)
    return factories.outbound(
        conversation=factories.conversation(channel=door),
        created_at=timezone.now() - timedelta(minutes=minutes_ago),
        delivery=Delivery.UNKNOWN,
        attempts=1,
        error_code="send.unanswered",
    )


def delivery(message: Message) -> str:
    message.refresh_from_db()
    return message.delivery


@pytest.mark.parametrize("kind", IDEMPOTENT_KINDS)
def test_unknown_send_is_repeated_after_its_time_where_the_platform_drops_repeats(kind: str) -> None:
    message = unknown_send(11, kind, unknown_policy=UnknownPolicy.RESEND)
    assert keep_house().counts["unknown_sends_resent"] == 1
    assert delivery(message) == Delivery.QUEUED
    assert [claim.conversation_id for claim in mailbox.claim(owner="a", limit=5)] == [message.conversation_id]


@pytest.mark.parametrize("kind", IDEMPOTENT_KINDS)
def test_unknown_send_is_not_repeated_while_a_status_may_still_come(kind: str) -> None:
    message = unknown_send(9, kind, unknown_policy=UnknownPolicy.RESEND)
    keep_house()
    assert delivery(message) == Delivery.UNKNOWN


def test_unknown_send_is_not_repeated_once_a_reply_makes_no_sense_any_more() -> None:
    message = unknown_send(61, "http", unknown_policy=UnknownPolicy.RESEND)
    counts = keep_house().counts
    assert (counts["unknown_sends_resent"], counts["unknown_sends_held"]) == (0, 1)
    assert delivery(message) == Delivery.UNKNOWN


def test_unknown_send_is_never_repeated_where_the_platform_does_not_drop_repeats() -> None:
    """Whatever the channel's policy says: WhatsApp knows no idempotency key."""
    message = unknown_send(11, "whatsapp_cloud", unknown_policy=UnknownPolicy.RESEND)
    assert "whatsapp_cloud" not in IDEMPOTENT_KINDS
    assert keep_house().counts["unknown_sends_resent"] == 0
    assert delivery(message) == Delivery.UNKNOWN


def test_unknown_send_is_held_for_a_person_where_that_is_the_policy() -> None:
    message = unknown_send(10_000, "http", unknown_policy=UnknownPolicy.HOLD)
    keep_house()
    assert delivery(message) == Delivery.UNKNOWN


def idle_sessions(number: int) -> None:
    for _ in range(number):
        factories.session(last_activity_at=timezone.now() - timedelta(days=1))


def test_chore_goes_on_batch_by_batch_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    idle_sessions(5)
    for days in (9, 10, 11, 12, 13):
        old_turn(channel_of(days=1), days=days)
    counts = keep_house().counts
    assert (counts["sessions_closed"], counts["retention_applied"]) == (5, 10)
    assert not Step.objects.exists()


def test_chore_stops_when_its_time_is_up_and_the_next_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    monkeypatch.setattr(housekeeping, "CHORE_S", 0.0)
    idle_sessions(5)
    assert keep_house().counts["sessions_closed"] == 2
    HousekeepingRun.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    assert keep_house().counts["sessions_closed"] == 2


def test_run_that_is_out_of_time_does_one_batch_of_each_chore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    monkeypatch.setattr(housekeeping, "RUN_S", 0.0)
    idle_sessions(5)
    old_turn(channel_of(days=1), days=9)
    counts = keep_house().counts
    assert (counts["sessions_closed"], counts["retention_applied"]) == (2, 2)


def test_every_send_held_for_people_is_laid_before_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    held = {unknown_send(11, "whatsapp_cloud").pk for _ in range(5)}
    assert keep_house().counts["unknown_sends_held"] == 5
    assert set(ReviewItem.objects.values_list("message_id", flat=True)) == held
    held.add(unknown_send(11, "whatsapp_cloud").pk)
    HousekeepingRun.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    assert keep_house().counts["unknown_sends_held"] == 1
    assert set(ReviewItem.objects.values_list("message_id", flat=True)) == held


def test_what_media_was_goes_with_its_tenants_retention_and_what_was_said_stays() -> None:
    at = timezone.now() - timedelta(days=11)
    media = {"id": "9", "mime_type": "image/jpeg"}
    gone, kept = (
        factories.message(
            conversation=factories.conversation(channel=channel_of(days=days)),
            created_at=at,
            kind="image",
            text="My parcel",
            media=media,
        )
        for days in (10, 12)
    )
    assert keep_house().counts["retention_applied"] == 1
    gone.refresh_from_db()
    kept.refresh_from_db()
    assert (gone.media, gone.text, gone.kind) == ({}, "My parcel", "image")
    assert kept.media == media


def test_run_of_a_clock_that_was_ahead_keeps_no_later_run_from_being_done() -> None:
    HousekeepingRun.objects.create(started_at=timezone.now() + timedelta(hours=1))
    keep_house()
