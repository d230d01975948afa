"""Sends whose fate is unknown, sends that failed, and channels that may not send."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from conversations import channels
from conversations.models import Channel, Message
from pipeline import dead_letters, housekeeping
from pipeline.policies.errors import Code
from tests.engine_room import ADDRESS, Room, make_due
from tests.ingress.answers import receipt
from tests.ingress.platforms import status_of


def lose_the_answer(room: Room, *, accepted: bool = True) -> Message:
    """The platform's answer to our send never comes; whether it took the message, we do not know."""
    room.fault("whatsapp", "disconnect_after_accept" if accepted else "disconnect_before_accept", count=1)
    room.say("Hello")
    room.work()
    (message,) = room.outbox()
    assert message.delivery == "unknown"
    return message


def by_hand(**fields: Any) -> dict[str, Any]:
    return {"by": "ada", "reason": "the customer told me", "now": timezone.now(), **fields}


def test_unknown_send_is_neither_sent_again_nor_called_sent(room: Room) -> None:
    message = lose_the_answer(room)
    for _ in range(3):
        make_due()
        room.work()
    message.refresh_from_db()
    assert (message.delivery, message.attempts, message.error_code) == ("unknown", 1, Code.SEND_UNANSWERED)
    assert len(room.accepted()) == 1


def test_next_message_is_not_held_up_by_an_unknown_one(room: Room) -> None:
    lose_the_answer(room)
    room.say("Are you there?")
    room.work()
    assert [message.delivery for message in room.outbox()] == ["unknown", "sent"]


def test_status_with_our_reference_settles_an_unknown_send(room: Room) -> None:
    message = lose_the_answer(room)
    reference = {"recipient_id": ADDRESS, "biz_opaque_callback_data": str(message.idempotency_key)}
    receipt(room.meta.report(status_of("wamid.theirs", "delivered", **reference)))
    message.refresh_from_db()
    assert (message.delivery, message.provider_id, message.error_code) == ("delivered", "wamid.theirs", "")


def test_status_of_another_message_settles_nothing(room: Room) -> None:
    message = lose_the_answer(room)
    room.meta.report(status_of("wamid.theirs", "sent", recipient_id=ADDRESS))
    message.refresh_from_db()
    assert message.delivery == "unknown"


def test_unknown_send_waits_for_a_person_however_long_it_takes(room: Room) -> None:
    message = lose_the_answer(room, accepted=False)
    Message.objects.update(created_at=timezone.now() - timedelta(days=2))
    housekeeping.run(now=timezone.now())
    make_due()
    room.work()
    message.refresh_from_db()
    assert (message.delivery, room.accepted()) == ("unknown", [])


def test_person_who_knows_that_it_arrived_marks_it_delivered(room: Room) -> None:
    message = lose_the_answer(room)
    assert dead_letters.mark_delivered(message_ids=[message.pk], **by_hand()) == 1
    room.work()
    message.refresh_from_db()
    assert message.delivery == "delivered"
    assert len(room.accepted()) == 1
    assert evidence("message.marked_delivered") == [("person", "ada", "the customer told me")]


def test_person_who_takes_the_risk_sends_it_again(room: Room) -> None:
    message = lose_the_answer(room, accepted=False)
    assert dead_letters.send_again(message_ids=[message.pk], **by_hand()) == 1
    room.work()
    message.refresh_from_db()
    assert message.delivery == "sent"
    assert len(room.accepted()) == 1
    assert evidence("message.sent_again") == [("person", "ada", "the customer told me")]


def test_settling_by_hand_twice_is_settling_once(room: Room) -> None:
    message = lose_the_answer(room)
    assert dead_letters.send_again(message_ids=[message.pk], **by_hand()) == 1
    assert dead_letters.send_again(message_ids=[message.pk], **by_hand()) == 0
    assert dead_letters.mark_delivered(message_ids=[message.pk], **by_hand()) == 0
    room.work()
    assert len(room.accepted()) == 2, "the risk that the person took"


@pytest.mark.parametrize("settled", ["sent", "delivered", "queued", "withdrawn"])
def test_only_unknown_or_failed_sends_are_settled_by_hand(room: Room, settled: str) -> None:
    message = lose_the_answer(room)
    Message.objects.filter(pk=message.pk).update(delivery=settled)
    assert dead_letters.mark_delivered(message_ids=[message.pk], **by_hand()) == 0
    assert dead_letters.send_again(message_ids=[message.pk], **by_hand()) == 0


def evidence(action: str) -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.filter(action=action).order_by("pk")
    return list(found.values_list("actor_kind", "actor", "reason"))


@pytest.mark.parametrize(
    ("code", "ours"),
    [(131047, Code.SEND_WINDOW), (131026, Code.SEND_RECIPIENT), (131009, Code.SEND_REQUEST)],
)
def test_send_that_can_never_succeed_fails_at_once_and_the_next_goes_out(
    room: Room, code: int, ours: Code
) -> None:
    room.fault("whatsapp", "error", code=code, count=1)
    room.say("One", "Two")
    room.work()
    first, second = room.outbox()
    assert (first.delivery, first.error_code, first.attempts) == ("failed", ours, 1)
    assert second.delivery == "sent"


def test_passing_failure_is_tried_again_in_order(room: Room) -> None:
    room.fault("whatsapp", "error", code=131016, count=2)
    room.say("One", "Two")
    for _ in range(4):
        Message.objects.filter(send_after__isnull=False).update(send_after=timezone.now())
        make_due()
        room.work()
    assert [message.delivery for message in room.outbox()] == ["sent", "sent"]
    assert [word in text for word, text in zip(("One", "Two"), room.accepted(), strict=True)] == [True, True]


def test_send_waits_as_long_as_the_platform_asks(room: Room) -> None:
    room.fault("whatsapp", "rate_limit", retry_after=60, count=1)
    room.say("One")
    room.work()
    (message,) = room.outbox()
    assert (message.delivery, message.error_code) == ("queued", Code.SEND_RATE_LIMITED)
    assert message.send_after is not None
    assert message.send_after - timezone.now() > timedelta(seconds=50)


@pytest.mark.parametrize(("code", "ours"), [(190, Code.SEND_CREDENTIALS), (131042, Code.SEND_ACCOUNT)])
def test_refused_credentials_or_account_pause_the_channel_and_keep_its_messages(
    room: Room, code: int, ours: Code
) -> None:
    room.fault("whatsapp", "error", code=code, count=1)
    room.say("One")
    room.work()
    room.say("Two", "Three")
    room.say("Four", sender="5511999990002")
    room.work()
    channel = Channel.objects.get()
    assert channel.paused_at is not None
    assert ours in channel.paused_reason
    assert [message.delivery for message in room.outbox()] == ["queued"] * 4
    assert room.calls("whatsapp") == 1
    assert evidence("channel.paused")[0][0] == "system"


def test_resumed_channel_sends_what_it_kept_in_order(room: Room) -> None:
    room.fault("whatsapp", "error", code=190, count=1)
    room.say("One")
    room.work()
    room.say("Two", "Three")
    room.work()
    channel = room.channel
    channels.resume(channel_id=channel.pk, by="ada", reason="a new token", now=timezone.now())
    dead_letters.wake_channel(channel_id=channel.pk)
    room.work()
    assert [message.delivery for message in room.outbox()] == ["sent"] * 3
    words = ("One", "Two", "Three")
    assert [word in text for word, text in zip(words, room.accepted(), strict=True)] == [True] * 3
    assert evidence("channel.resumed") == [("person", "ada", "a new token")]


def test_platform_that_is_down_for_long_gets_no_calls_and_loses_no_message(room: Room) -> None:
    """The breaker opens; the messages wait in the outbox, and go out when a probe succeeds."""
    room.fault("whatsapp", "error", code=131016)
    for number in range(6):
        room.say(f"Hello {number}", sender=f"551199999000{number}")
        room.work()
    assert room.breaker("send:whatsapp-demo").state == "open"
    before = room.calls("whatsapp")
    for _ in range(12):
        Message.objects.filter(send_after__isnull=False).update(send_after=timezone.now())
        make_due()
        room.work()
    assert room.calls("whatsapp") == before
    assert {message.delivery for message in room.outbox()} == {"queued"}
