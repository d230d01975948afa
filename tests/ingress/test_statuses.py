"""Statuses move what we sent up in rank, in whatever order they come."""

from __future__ import annotations

from itertools import permutations

import pytest
from django.utils import timezone

from conversations import channels
from conversations.models import Channel, Delivery, Message
from tests import factories
from tests.ingress.answers import receipt
from tests.ingress.platforms import Meta, envelope, status_of, text_message, value


@pytest.fixture
def sent(meta: Meta) -> Message:
    conversation = factories.conversation(channel=meta.channel)
    return factories.outbound(conversation=conversation, delivery=Delivery.SENT, provider_id="wamid.out")


def delivery_of(message: Message) -> str:
    return Message.objects.get(pk=message.pk).delivery


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read"])), ids="-".join)
def test_statuses_in_any_order_end_at_the_highest(meta: Meta, sent: Message, order: tuple[str, ...]) -> None:
    for name in order:
        meta.report(status_of("wamid.out", name))
    assert delivery_of(sent) == Delivery.READ


def test_statuses_in_one_post_are_taken_one_by_one(meta: Meta, sent: Message) -> None:
    names = ["read", "delivered", "sent", "delivered", "failed"]
    assert receipt(meta.report(*(status_of("wamid.out", name) for name in names))) == (1, 4, 0)
    assert delivery_of(sent) == Delivery.READ


def test_late_status_moves_nothing_down(meta: Meta, sent: Message) -> None:
    assert receipt(meta.report(status_of("wamid.out", "delivered"))) == (1, 0, 0)
    assert receipt(meta.report(status_of("wamid.out", "sent"))) == (0, 1, 0)
    assert delivery_of(sent) == Delivery.DELIVERED


def test_failure_after_acceptance_is_told_with_its_reason(meta: Meta, sent: Message) -> None:
    errors = [{"code": 131026, "title": "Message undeliverable"}]
    assert receipt(meta.report(status_of("wamid.out", "failed", errors=errors))) == (1, 0, 0)
    failed = Message.objects.get(pk=sent.pk)
    assert (failed.delivery, failed.error_code) == (Delivery.FAILED, "send.recipient")
    assert "131026" in failed.error_detail


@pytest.mark.parametrize(
    "errors", [None, [], ["131026"], [{}], [{"code": "x"}], [{"code": 999_999}], "131026"]
)
def test_failure_for_reasons_we_do_not_know_is_told_as_the_platform_told_it(
    meta: Meta, sent: Message, errors: object
) -> None:
    assert receipt(meta.report(status_of("wamid.out", "failed", errors=errors))) == (1, 0, 0)
    failed = Message.objects.get(pk=sent.pk)
    assert (failed.delivery, failed.error_code) == (Delivery.FAILED, "send.reported")


@pytest.mark.parametrize(("code", "ours"), [(190, "send.credentials"), (131042, "send.account")])
def test_reported_failure_of_credentials_or_account_pauses_the_channel(
    meta: Meta, sent: Message, code: int, ours: str
) -> None:
    meta.report(status_of("wamid.out", "failed", errors=[{"code": code, "title": "Payment issue"}]))
    channel = Channel.objects.get(pk=meta.channel.pk)
    assert channel.paused_at is not None
    assert channel.paused_reason.startswith(ours)
    assert Message.objects.get(pk=sent.pk).error_code == ours


def test_report_that_comes_again_does_not_pause_a_channel_that_was_mended(meta: Meta, sent: Message) -> None:
    told = status_of("wamid.out", "failed", errors=[{"code": 131042}])
    meta.report(told)
    channels.resume(channel_id=meta.channel.pk, by="ada", reason="paid", now=timezone.now())
    meta.report(told)
    assert Channel.objects.get(pk=meta.channel.pk).paused_at is None


def test_delivery_after_a_reported_failure_has_delivered_all_the_same(meta: Meta, sent: Message) -> None:
    meta.report(status_of("wamid.out", "failed", errors=[{"code": 1}]), status_of("wamid.out", "delivered"))
    delivered = Message.objects.get(pk=sent.pk)
    assert (delivered.delivery, delivered.error_code) == (Delivery.DELIVERED, "")


def test_status_of_a_message_we_do_not_know_is_ignored(meta: Meta, sent: Message) -> None:
    assert receipt(meta.report(status_of("wamid.unknown", "delivered"))) == (0, 0, 1)


@pytest.mark.parametrize("name", ["deleted", "warning", "", None, 7])
def test_status_nobody_handles_is_ignored(meta: Meta, sent: Message, name: str) -> None:
    assert receipt(meta.report(status_of("wamid.out", name))) == (0, 0, 1)
    assert delivery_of(sent) == Delivery.SENT


@pytest.mark.parametrize("provider_id", ["", None, "x" * 5000])
def test_status_that_names_no_message_moves_none(meta: Meta, provider_id: str) -> None:
    waiting = factories.outbound(conversation=factories.conversation(channel=meta.channel))
    assert receipt(meta.report(status_of(provider_id, "sent"))) == (0, 0, 1)
    assert delivery_of(waiting) == Delivery.QUEUED


def test_our_reference_settles_a_send_whose_answer_was_lost(meta: Meta) -> None:
    conversation = factories.conversation(channel=meta.channel)
    lost = factories.outbound(
        conversation=conversation, delivery=Delivery.UNKNOWN, error_code="send.unanswered"
    )
    reference = str(lost.idempotency_key)
    told = status_of("wamid.late", "delivered", biz_opaque_callback_data=reference)
    assert receipt(meta.report(told)) == (1, 0, 0)
    settled = Message.objects.get(pk=lost.pk)
    assert (settled.delivery, settled.provider_id, settled.error_code) == (
        Delivery.DELIVERED,
        "wamid.late",
        "",
    )
    assert settled.delivered_at is not None


@pytest.mark.parametrize("reference", ["not ours", "", 7, {"a": 1}, None])
def test_strange_reference_falls_back_to_the_id(meta: Meta, sent: Message, reference: object) -> None:
    told = status_of("wamid.out", "delivered", biz_opaque_callback_data=reference)
    assert receipt(meta.report(told)) == (1, 0, 0)


def test_statuses_of_a_sibling_number_find_its_messages(meta: Meta) -> None:
    sibling = factories.channel(agent=meta.channel.agent, external_id="1002")
    theirs = factories.outbound(
        conversation=factories.conversation(channel=sibling), delivery=Delivery.SENT, provider_id="wamid.out"
    )
    assert receipt(meta.post(envelope(value("1002", statuses=[status_of("wamid.out", "read")])))) == (1, 0, 0)
    assert delivery_of(theirs) == Delivery.READ


def test_status_on_another_tenants_webhook_moves_nothing(sent: Message) -> None:
    stranger = Meta(factories.channel(external_id="2001"))
    assert receipt(stranger.post(envelope(value("1001", statuses=[status_of("wamid.out", "read")])))) == (
        0,
        0,
        1,
    )
    assert receipt(stranger.report(status_of("wamid.out", "read"))) == (0, 0, 1)
    assert delivery_of(sent) == Delivery.SENT


def test_messages_and_statuses_share_a_post(meta: Meta, sent: Message) -> None:
    both = value("1001", messages=[text_message()], statuses=[status_of("wamid.out", "read")])
    assert receipt(meta.post(envelope(both))) == (2, 0, 0)


def test_what_the_contact_wrote_has_no_status(meta: Meta) -> None:
    said = factories.message(
        conversation=factories.conversation(channel=meta.channel), provider_id="wamid.in"
    )
    assert receipt(meta.report(status_of("wamid.in", "read"))) == (0, 0, 1)
    assert delivery_of(said) == ""
