"""Who owns a conversation, and what is said to whoever was too late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from audit.models import AuditEntry
from conversations import ownership
from conversations.models import Conversation
from conversations.ownership import OwnerChangedError
from pipeline import takeover
from pipeline.takeover import Way
from tests import factories
from tests.takeover.acts import fresh, hand_back, take_over

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conversation(transactional_db: None) -> Conversation:
    return factories.conversation()


def told(action: str) -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.filter(action=action).order_by("pk")
    return list(found.values_list("actor_kind", "actor", "reason"))


def test_person_takes_over_and_says_why(conversation: Conversation, rita: User) -> None:
    take_over(conversation, rita)
    now = fresh(conversation)
    assert (now.owner_kind, now.owner, now.owner_epoch) == ("person", rita, 1)
    assert told("conversation.taken_over") == [("person", "Rita", "asked for a person")]


def test_who_was_too_late_is_told_who_was_faster(conversation: Conversation, rita: User, bruno: User) -> None:
    take_over(conversation, rita)
    with pytest.raises(OwnerChangedError, match=r"^Rita took it over a moment ago\.$"):
        take_over(conversation, bruno, seen=0)
    assert fresh(conversation).owner == rita


def test_double_click_takes_over_once(conversation: Conversation, rita: User) -> None:
    take_over(conversation, rita)
    take_over(conversation, rita, seen=0)
    assert fresh(conversation).owner_epoch == 1
    assert len(told("conversation.taken_over")) == 1


def test_colleague_takes_it_from_a_person(conversation: Conversation, rita: User, bruno: User) -> None:
    take_over(conversation, rita)
    take_over(conversation, bruno)
    assert (fresh(conversation).owner, fresh(conversation).owner_epoch) == (bruno, 2)


def test_conversation_that_was_handed_back_already_is_not_handed_back_again(
    conversation: Conversation, rita: User
) -> None:
    take_over(conversation, rita)
    hand_back(conversation, rita, Way.WAIT)
    with pytest.raises(OwnerChangedError, match="handed back to the agent a moment ago"):
        hand_back(conversation, rita, Way.WAIT, seen=1)
    assert told("conversation.handed_back") == [("person", "Rita", "settled")]


def test_reply_by_hand_on_the_phone_takes_over_for_the_channels_time(conversation: Conversation) -> None:
    now = timezone.now()
    takeover.taken_by_phone(conversation.pk, now=now)
    owned = fresh(conversation)
    assert (owned.owner_kind, owned.owner, owned.owner_epoch) == ("phone", None, 1)
    assert owned.owned_until == now + timedelta(minutes=30)
    assert told("conversation.taken_by_phone") == [("system", "", "")]


def test_each_further_hand_reply_begins_the_time_anew(conversation: Conversation) -> None:
    now = timezone.now()
    takeover.taken_by_phone(conversation.pk, now=now)
    later = now + timedelta(minutes=20)
    takeover.taken_by_phone(conversation.pk, now=later)
    owned = fresh(conversation)
    assert (owned.owned_since, owned.owned_until) == (now, later + timedelta(minutes=30))
    assert (owned.owner_epoch, len(told("conversation.taken_by_phone"))) == (1, 1)


def test_hand_reply_leaves_a_persons_conversation_theirs(conversation: Conversation, rita: User) -> None:
    take_over(conversation, rita)
    takeover.taken_by_phone(conversation.pk, now=timezone.now())
    assert (fresh(conversation).owner, fresh(conversation).owner_epoch) == (rita, 1)


def test_person_takes_it_from_the_phone(conversation: Conversation, rita: User) -> None:
    takeover.taken_by_phone(conversation.pk, now=timezone.now())
    take_over(conversation, rita)
    assert (fresh(conversation).owner, fresh(conversation).owned_until) == (rita, None)


def test_only_what_the_owner_does_keeps_a_takeover_from_going_idle(
    conversation: Conversation, rita: User, bruno: User
) -> None:
    take_over(conversation, rita)
    later = timezone.now() + timedelta(minutes=5)
    ownership.touch(conversation.pk, by=bruno, now=later)
    assert fresh(conversation).owner_active_at != later
    ownership.touch(conversation.pk, by=rita, now=later)
    assert fresh(conversation).owner_active_at == later
