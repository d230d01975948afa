"""Somebody answers on the phone itself: told from what we sent ourselves, kept, and the agent is silent for a while."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import AuthorKind, Conversation, Delivery, Direction, Message, Owner
from pipeline.models import Mailbox, ProcessedEvent
from tests import factories
from tests.ingress.answers import receipt
from tests.ingress.platforms import WAHA_CHAT, Waha


@pytest.fixture
def conversation(waha: Waha) -> Conversation:
    return factories.conversation(contact=factories.contact(channel=waha.channel, address=WAHA_CHAT))


def now_of(conversation: Conversation) -> Conversation:
    return Conversation.objects.get(pk=conversation.pk)


def test_hand_reply_joins_the_transcript_and_takes_over_for_the_channels_time(
    waha: Waha, conversation: Conversation
) -> None:
    session = factories.session(conversation=conversation)
    assert receipt(waha.echo("I'll look myself.", key="3EB0H")) == (1, 0, 0)
    said = Message.objects.get()
    assert (said.direction, said.author_kind, said.author) == (Direction.OUT, AuthorKind.PERSON, None)
    assert (said.text, said.delivery, said.provider_id) == ("I'll look myself.", Delivery.SENT, "3EB0H")
    assert (said.session, said.conversation) == (session, conversation)
    taken = now_of(conversation)
    assert (taken.owner_kind, taken.owner, taken.owner_epoch) == (Owner.PHONE, None, 1)
    assert taken.owned_since is not None
    assert taken.owned_until == taken.owned_since + timedelta(minutes=waha.channel.hand_reply_minutes)
    assert Mailbox.objects.get(conversation=conversation).due_at is not None
    assert AuditEntry.objects.filter(action="conversation.taken_by_phone").count() == 1
    assert not ProcessedEvent.objects.exists()


def test_hand_reply_told_three_times_is_said_once_and_lengthens_nothing(
    waha: Waha, conversation: Conversation
) -> None:
    waha.echo("I'll look myself.", key="3EB0H")
    until = now_of(conversation).owned_until
    for _ in range(3):
        assert receipt(waha.echo("I'll look myself.", key="3EB0H")) == (0, 1, 0)
    assert receipt(waha.echo("I'll look myself.", to="998877@lid", key="3EB0H")) == (0, 1, 0)
    assert Message.objects.count() == 1
    assert now_of(conversation).owned_until == until


def test_next_hand_reply_begins_the_time_anew(waha: Waha, conversation: Conversation) -> None:
    waha.echo("One moment.")
    first = now_of(conversation)
    waha.echo("Here it is.")
    second = now_of(conversation)
    assert first.owned_until is not None
    assert second.owned_until is not None
    assert second.owned_until > first.owned_until
    assert (second.owned_since, second.owner_epoch) == (first.owned_since, first.owner_epoch)


def test_conversation_of_a_member_of_staff_stays_theirs(waha: Waha) -> None:
    maria = factories.user()
    contact = factories.contact(channel=waha.channel, address=WAHA_CHAT)
    conversation = factories.conversation(contact=contact, owner=maria)
    assert receipt(waha.echo("From the phone.")) == (1, 0, 0)
    assert (now_of(conversation).owner, now_of(conversation).owner_epoch) == (maria, 0)
    assert Message.objects.get().text == "From the phone."


def test_hand_reply_to_somebody_new_opens_their_conversation(waha: Waha) -> None:
    assert receipt(waha.echo("Your order is ready.", to="998877@lid")) == (1, 0, 0)
    assert Conversation.objects.get(contact__address="998877@lid").owner_kind == Owner.PHONE


def test_photo_sent_by_hand_is_a_hand_reply(waha: Waha, conversation: Conversation) -> None:
    waha.echo("Like this one?", hasMedia=True, media={"mimetype": "image/jpeg", "url": "http://waha/f.jpg"})
    said = Message.objects.get()
    assert (said.kind, said.text, said.media["url"]) == ("image", "Like this one?", "http://waha/f.jpg")


def test_hand_reply_told_after_its_time_is_kept_and_silences_nobody(
    waha: Waha, conversation: Conversation
) -> None:
    assert receipt(waha.echo("Earlier.", timestamp=int(time.time()) - 31 * 60)) == (1, 0, 0)
    assert Message.objects.get().text == "Earlier."
    assert now_of(conversation).owner_kind == Owner.AGENT


def test_send_of_ours_that_comes_back_is_known_by_its_id(waha: Waha, conversation: Conversation) -> None:
    factories.outbound(conversation=conversation, delivery=Delivery.SENT, provider_id="3EB0A", text="Hi")
    for chat in (WAHA_CHAT, "998877@lid"):
        assert receipt(waha.echo("Hi", to=chat, key="3EB0A")) == (0, 1, 0)
    assert Message.objects.count() == 1
    assert now_of(conversation).owner_kind == Owner.AGENT


@pytest.mark.parametrize("delivery", [Delivery.SENDING, Delivery.UNKNOWN])
@pytest.mark.parametrize("source", ["app", "api", None])
def test_send_whose_id_is_not_known_yet_is_settled_by_its_words(
    waha: Waha, conversation: Conversation, delivery: Delivery, source: str | None
) -> None:
    ours = factories.outbound(
        conversation=conversation, delivery=delivery, text="On its way. ", error_code="send.unanswered"
    )
    assert receipt(waha.echo("On its way.", key="3EB0A", source=source)) == (1, 0, 0)
    settled = Message.objects.get()
    assert settled.pk == ours.pk
    assert (settled.delivery, settled.provider_id, settled.error_code) == (Delivery.SENT, "3EB0A", "")
    assert now_of(conversation).owner_kind == Owner.AGENT


def test_one_of_two_equal_sends_is_settled_by_one_echo(waha: Waha, conversation: Conversation) -> None:
    for _ in range(2):
        factories.outbound(conversation=conversation, delivery=Delivery.UNKNOWN, text="Hello")
    for _ in range(2):
        waha.echo("Hello", key="3EB0A")
    assert sorted(Message.objects.values_list("delivery", flat=True)) == ["sent", "unknown"]


@pytest.mark.parametrize("delivery", [Delivery.QUEUED, Delivery.WITHDRAWN, Delivery.FAILED])
def test_same_words_as_what_certainly_did_not_go_out_are_a_hand_reply(
    waha: Waha, conversation: Conversation, delivery: Delivery
) -> None:
    factories.outbound(conversation=conversation, delivery=delivery, text="Hello")
    waha.echo("Hello")
    assert now_of(conversation).owner_kind == Owner.PHONE
    assert Message.objects.filter(author_kind=AuthorKind.PERSON).count() == 1


def test_photo_with_the_words_of_an_unsettled_send_is_a_hand_reply(
    waha: Waha, conversation: Conversation
) -> None:
    factories.outbound(conversation=conversation, delivery=Delivery.UNKNOWN, text="Hello")
    waha.echo("Hello", hasMedia=True, media={"mimetype": "image/jpeg"})
    assert now_of(conversation).owner_kind == Owner.PHONE


def test_unsettled_send_to_somebody_else_explains_nothing(waha: Waha, conversation: Conversation) -> None:
    other = factories.conversation(channel=waha.channel)
    factories.outbound(conversation=other, delivery=Delivery.UNKNOWN, text="Hello")
    waha.echo("Hello")
    assert now_of(conversation).owner_kind == Owner.PHONE


def test_what_another_program_sent_through_the_api_is_no_hand_reply(
    waha: Waha, conversation: Conversation
) -> None:
    assert receipt(waha.echo("A newsletter.", source="api")) == (0, 0, 1)
    assert not Message.objects.exists()
    assert now_of(conversation).owner_kind == Owner.AGENT


def test_hand_reply_of_a_session_that_is_not_ours_is_ignored(waha: Waha) -> None:
    message = {"id": "true_1@c.us_A", "to": "1@c.us", "fromMe": True, "body": "x"}
    assert receipt(waha.tell("message.any", message, session="another")) == (0, 0, 1)
    assert not Conversation.objects.exists()


def test_ack_moves_a_hand_reply_on_like_any_message(waha: Waha, conversation: Conversation) -> None:
    waha.echo("By hand.", key="3EB0H")
    assert receipt(waha.ack(f"true_{WAHA_CHAT}_3EB0H", 3)) == (1, 0, 0)
    assert Message.objects.get().read_at is not None


def test_hand_reply_says_when_it_was_written_and_when_we_heard_of_it(
    waha: Waha, conversation: Conversation
) -> None:
    waha.echo("By hand.", timestamp=int(time.time()) - 60)
    said = Message.objects.get()
    assert said.sent_at is not None
    assert said.created_at - said.sent_at >= timedelta(seconds=59)
    assert now_of(conversation).last_message_at <= timezone.now()
