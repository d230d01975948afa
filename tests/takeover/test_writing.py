"""What people write to contacts goes out once, from its owner only, and while the channel takes it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import ChannelKind, Conversation, Message
from conversations.ownership import OwnerChangedError
from conversations.writing import NotWrittenError, canned_replies
from tests import factories
from tests.engine_room import Room
from tests.takeover.acts import say, take_over

pytestmark = pytest.mark.django_db(transaction=True)


def heard(room: Room, *, kind: str = ChannelKind.WHATSAPP_CLOUD, hours_ago: float = 0.1) -> Conversation:
    """A conversation whose contact wrote so long ago."""
    channel = room.channel if kind == ChannelKind.WHATSAPP_CLOUD else room.http_channel
    conversation = factories.conversation(channel=channel)
    factories.message(
        conversation=conversation, created_at=timezone.now() - timedelta(hours=hours_ago), text="Hello?"
    )
    return conversation


def test_what_the_owner_writes_goes_out_at_once(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    message = say(conversation, rita, "This is Rita.")
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.author_kind, message.author) == ("sent", "person", rita)
    assert room.accepted() == ["This is Rita."]
    assert AuditEntry.objects.get(action="message.written").object_id == str(message.pk)


def test_form_that_is_sent_twice_says_it_once(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    key = uuid4()
    assert say(conversation, rita, "Once", key=key) == say(conversation, rita, "Once", key=key)
    room.work()
    assert room.accepted() == ["Once"]


def test_other_words_under_a_used_key_are_not_taken_for_said(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    key = uuid4()
    say(conversation, rita, "Once", key=key)
    with pytest.raises(NotWrittenError, match="Send this again"):
        say(conversation, rita, "And more", key=key)


def test_who_does_not_own_the_conversation_writes_nothing(room: Room, rita: User, bruno: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    with pytest.raises(OwnerChangedError, match="take the conversation over first"):
        say(conversation, bruno, "Hello")
    assert not Message.objects.filter(direction="out").exists()


def test_owner_who_lost_it_a_moment_ago_is_told_who_has_it(room: Room, rita: User, bruno: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    take_over(conversation, bruno)
    with pytest.raises(OwnerChangedError, match=r"Bruno took it over a moment ago\. Nothing was sent\."):
        say(conversation, rita, "Hello", seen=1)


def test_what_one_owner_queued_is_withdrawn_when_the_next_takes_over(
    room: Room, rita: User, bruno: User
) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    message = say(conversation, rita, "I will look into it.")
    take_over(conversation, bruno)
    room.work()
    message.refresh_from_db()
    assert (message.delivery, room.accepted()) == ("withdrawn", [])


@pytest.mark.parametrize(("hours_ago", "is_open"), [(23.9, True), (24.1, False)])
def test_whatsapp_takes_words_for_a_day_after_the_contacts_last(
    room: Room, rita: User, hours_ago: float, is_open: bool
) -> None:
    conversation = heard(room, hours_ago=hours_ago)
    take_over(conversation, rita)
    if is_open:
        assert say(conversation, rita, "Hello").delivery == "queued"
    else:
        with pytest.raises(NotWrittenError, match="More than 24 hours"):
            say(conversation, rita, "Hello")


def test_channel_without_a_window_takes_words_at_any_time(room: Room, rita: User) -> None:
    conversation = heard(room, kind=ChannelKind.HTTP, hours_ago=300)
    take_over(conversation, rita)
    assert say(conversation, rita, "Hello").delivery == "queued"


@pytest.mark.parametrize("text", ["", "x" * 4097])
def test_nothing_or_too_much_is_not_sent(room: Room, rita: User, text: str) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    with pytest.raises(NotWrittenError):
        say(conversation, rita, text)


def test_canned_replies_of_the_tenant_and_of_all_are_found_and_filled(room: Room) -> None:
    conversation = heard(room)
    factories.canned_reply(shortcut="hello", text="Hello $contact_name, this is $tenant_name.")
    factories.canned_reply(shortcut="hours", text="From 9 to 18, says $agent_name.", tenant=room.agent.tenant)
    factories.canned_reply(shortcut="hidden", tenant=factories.tenant())
    factories.canned_reply(shortcut="refund")
    tenant, contact = room.agent.tenant, conversation.contact
    assert [(reply.shortcut, reply.text) for reply in canned_replies(conversation.pk, "h")] == [
        ("hello", f"Hello {contact.name}, this is {tenant.name}."),
        ("hours", f"From 9 to 18, says {room.agent.name}."),
    ]
