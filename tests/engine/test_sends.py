"""The outbox's fences: who may send, and what an interrupted send is taken for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from audit.models import AuditEntry
from conversations import live
from conversations.models import Channel, Conversation, Message, UnknownPolicy
from pipeline.engine import mailbox, outbox
from pipeline.engine.database import in_database
from pipeline.engine.gate import Gate
from pipeline.engine.mailbox import Claim
from pipeline.models import Mailbox
from pipeline.policies.errors import Code, StaleError
from pipeline.transports.http_client import make_client
from pipeline.transports.registry import make_senders
from tests import factories
from tests.acceptance.load import eventually
from tests.engine_room import Room, make_due
from tests.ingress.platforms import status_of


def waiting(room: Room, *, on_http: bool = False, **fields: object) -> Message:
    """A message in the outbox of a conversation that is due."""
    channel = room.http_channel if on_http else room.channel
    message = factories.outbound(conversation=factories.conversation(channel=channel), **fields)
    Mailbox.objects.create(
        conversation=message.conversation, tenant=message.conversation.tenant, due_at=timezone.now()
    )
    return message


def deliver(claim: Claim) -> None:
    async def work() -> None:
        async with make_client() as client:
            await outbox.deliver(claim, make_senders(client), Gate())

    asyncio.run(work())


def send_last(claim: Claim, *, meanwhile: Callable[[], object] = lambda: None) -> mailbox.Rest:
    """As after a turn: the lease goes back with what the platform accepted."""

    async def work() -> mailbox.Rest:
        async with make_client() as client:
            senders = make_senders(client)
            sending = await in_database(outbox._next, claim, senders, now=timezone.now())
            await in_database(meanwhile)
            return await outbox.go_on(claim, sending, senders, Gate(), mailbox.Rest())

    return asyncio.run(work())


def test_lease_goes_back_with_the_record_of_the_last_send(room: Room) -> None:
    message = waiting(room)
    (claim,) = mailbox.claim(owner="me", limit=1)
    mailbox.clear_due(claim.conversation_id, claim.lease_epoch)

    assert send_last(claim).is_released

    message.refresh_from_db()
    left = Mailbox.objects.get()
    assert (message.delivery, left.lease_owner, left.lease_expires_at, left.due_at) == (
        "sent",
        "",
        None,
        None,
    )


def test_what_a_worker_without_its_lease_was_told_is_recorded_and_the_lease_left_alone(room: Room) -> None:
    message = waiting(room)
    (claim,) = mailbox.claim(owner="slow", limit=1)

    def lose_it() -> None:
        mailbox.expire_leases(dead_owners=["slow"])
        mailbox.claim(owner="quick", limit=1)

    send_last(claim, meanwhile=lose_it)

    message.refresh_from_db()
    assert (message.delivery, Mailbox.objects.get().lease_owner) == ("sent", "quick")


def test_where_redis_tells_of_a_send_it_is_on_record_before(
    room: Room, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ZUPA = replace(settings.ZUPA, redis_url="redis://localhost")
    message, seen = waiting(room), []
    told = Message.objects.filter(pk=message.pk)
    monkeypatch.setattr(live, "_send_through_layer", lambda topics: seen.append(told.get().delivery))
    (claim,) = mailbox.claim(owner="me", limit=1)

    send_last(claim)

    assert seen == ["sending", "sent"]


def test_message_of_an_agent_whose_conversation_a_person_took_over_is_withdrawn(room: Room) -> None:
    message = waiting(room)
    Conversation.objects.update(owner_epoch=F("owner_epoch") + 1)
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.error_code) == ("withdrawn", Code.SEND_OWNER_CHANGED)
    assert room.accepted() == []
    assert AuditEntry.objects.filter(action="message.withdrawn", object_id=str(message.pk)).exists()


def test_worker_that_lost_its_lease_sends_nothing_and_judges_nothing(room: Room) -> None:
    message = waiting(room)
    (old,) = mailbox.claim(owner="slow", limit=1)
    mailbox.expire_leases(dead_owners=["slow"])
    (new,) = mailbox.claim(owner="quick", limit=1)
    Message.objects.update(delivery="sending", lease_epoch=new.lease_epoch)
    with pytest.raises(StaleError):
        deliver(old)
    message.refresh_from_db()
    assert message.delivery == "sending"
    assert room.accepted() == []


def test_send_cut_off_by_a_death_is_unknown_where_a_repeat_would_arrive_twice(room: Room) -> None:
    message = waiting(room, delivery="sending", lease_epoch=0, attempts=1)
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.error_code) == ("unknown", Code.SEND_INTERRUPTED)
    assert room.accepted() == []
    assert AuditEntry.objects.filter(action="message.unknown", object_id=str(message.pk)).exists()


def test_send_cut_off_by_a_death_is_repeated_where_the_channel_sends_again(room: Room) -> None:
    message = waiting(room, on_http=True)
    room.work()
    Channel.objects.update(unknown_policy=UnknownPolicy.RESEND)
    Message.objects.update(delivery="sending", lease_epoch=0)
    Mailbox.objects.update(due_at=timezone.now())
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.attempts) == ("sent", 2)
    assert room.accepted() == [message.text]


def test_send_cut_off_by_a_death_waits_for_a_person_where_the_channel_holds(room: Room) -> None:
    message = waiting(room, on_http=True, delivery="sending", lease_epoch=0, attempts=1)
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.error_code) == ("unknown", Code.SEND_INTERRUPTED)
    assert room.accepted() == []


@pytest.mark.parametrize("mode", ["disconnect_after_accept", "disconnect_before_accept"])
def test_send_without_an_answer_waits_for_a_person_where_the_channel_holds(room: Room, mode: str) -> None:
    """Not every receiver drops repeats, so that is the default."""
    message = waiting(room, on_http=True)
    room.fault("http", mode, count=1)
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.error_code) == ("unknown", Code.SEND_UNANSWERED)


def test_send_without_an_answer_is_repeated_where_the_channel_sends_again(room: Room) -> None:
    message = sending_again(room)
    room.fault("http", "disconnect_after_accept")
    room.work()
    assert current(message).delivery == "queued"
    room.mend()
    try_again(room)
    assert current(message).delivery == "sent"
    assert current(message).attempts > 1
    assert room.accepted() == [message.text]


def test_send_whose_tries_are_used_up_without_an_answer_is_unknown_and_not_failed(room: Room) -> None:
    message = sending_again(room, created_at=timezone.now() - timedelta(hours=2))
    room.fault("http", "disconnect_after_accept")
    room.work()
    assert (current(message).delivery, current(message).error_code) == ("unknown", Code.SEND_UNANSWERED)


def test_send_that_may_have_arrived_is_not_called_failed_for_what_a_later_try_met(room: Room) -> None:
    message = sending_again(room)
    room.fault("http", "disconnect_after_accept")
    room.work()
    room.mend()
    room.fault("http", "error", status=422)
    try_again(room)
    assert (current(message).delivery, current(message).error_code) == ("unknown", Code.SEND_UNANSWERED)
    assert "422" in current(message).error_detail


def test_send_that_may_have_arrived_is_not_called_withdrawn_when_a_person_takes_over(room: Room) -> None:
    message = sending_again(room)
    room.fault("http", "disconnect_after_accept")
    room.work()
    Conversation.objects.update(owner_epoch=F("owner_epoch") + 1)
    try_again(room)
    assert (current(message).delivery, current(message).error_code) == ("unknown", Code.SEND_UNANSWERED)


def test_send_that_was_refused_at_once_failed(room: Room) -> None:
    message = sending_again(room)
    room.fault("http", "error", status=422)
    room.work()
    assert (current(message).delivery, current(message).error_code) == ("failed", Code.SEND_REQUEST)


def sending_again(room: Room, **fields: object) -> Message:
    message = waiting(room, on_http=True, **fields)
    Channel.objects.update(unknown_policy=UnknownPolicy.RESEND)
    return message


def try_again(room: Room) -> None:
    Message.objects.update(send_after=None)
    make_due()
    room.work()


def test_answer_to_the_marking_that_was_lost_is_no_interruption(room: Room) -> None:
    """The database broke off as `sending` was written, under a lease that is still ours: nothing went out yet."""
    message = waiting(room)
    (claim,) = mailbox.claim(owner="me", limit=1)
    Message.objects.update(delivery="sending", lease_epoch=claim.lease_epoch)
    deliver(claim)
    message.refresh_from_db()
    assert message.delivery == "sent"


def test_late_answer_of_the_platform_never_moves_a_message_down(room: Room) -> None:
    """The status webhook may be quicker than the answer to the send itself."""
    message = waiting(room)
    room.fault("whatsapp", "latency", seconds=1.5, count=1)
    worker = threading.Thread(target=closing_connections(room.work))
    worker.start()
    eventually(lambda: current(message).delivery == "sending", within_s=20)
    told = status_of("wamid.theirs", "delivered", biz_opaque_callback_data=str(message.idempotency_key))
    room.meta.report(told)
    worker.join()
    settled = current(message)
    assert settled.delivery == "delivered"
    assert settled.provider_id.startswith("wamid.")
    assert settled.sent_at is not None


def closing_connections(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return run


def current(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def test_message_that_has_to_wait_keeps_its_place_before_those_that_follow_it(room: Room) -> None:
    conversation = factories.conversation(channel=room.channel)
    texts = [f"{number}" for number in range(3)]
    for text in texts:
        factories.outbound(conversation=conversation, text=text)
    Mailbox.objects.create(conversation=conversation, tenant=conversation.tenant, due_at=timezone.now())
    room.fault("whatsapp", "rate_limit", count=1, retry_after=30)
    room.work()
    assert room.accepted() == []
    Message.objects.update(send_after=timezone.now())
    make_due()
    room.work()
    assert room.accepted() == texts


def test_send_goes_out_when_its_time_has_come_though_the_workers_clock_jumped_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = waiting(room)
    room.fault("whatsapp", "rate_limit", count=1, retry_after=60)
    room.work()
    assert current(message).delivery == "queued"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_message SET send_after = now()")
    clock = timezone.now
    monkeypatch.setattr(
        timezone, "now", lambda: clock() - timedelta(hours=1)
    )  # no machine's clock is ours to set
    make_due()
    room.work()
    assert current(message).delivery == "sent"


def test_pause_of_a_send_is_as_long_as_it_was_asked_for_whatever_the_workers_clock_says(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = waiting(room)
    room.fault("whatsapp", "rate_limit", count=1, retry_after=60)
    clock = timezone.now
    with monkeypatch.context() as wrong:
        wrong.setattr(timezone, "now", lambda: clock() - timedelta(hours=1))
        room.work()
    send_after = current(message).send_after
    assert send_after is not None
    assert timedelta(seconds=50) < send_after - timezone.now() < timedelta(seconds=100)
