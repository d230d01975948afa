"""Who may see what of the live feed and the console."""

import re
from collections.abc import Collection, Iterable
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest

from conversations.access import tenant_ids, visible
from conversations.live import DASHBOARD, SWITCHES
from conversations.models import Conversation
from pipeline.controls.strip import may_watch
from review.topics import REVIEWS

Visitor = User | AnonymousUser

VIEW_CONVERSATION = "conversations.view_conversation"
VIEW_TURN = "pipeline.view_turn"
TAKE_OVER = "conversations.take_over_conversation"
ADD_NOTE = "conversations.add_note"
VIEW_REVIEW = "review.view_reviewitem"
DECIDE_REVIEW = "review.decide_reviewitem"
EXPORT_REVIEW = "review.export_reviewitem"
CONVERSATION_TOPIC = re.compile(r"conversation\.\d{1,18}")


def is_staff(visitor: Visitor) -> bool:
    return visitor.is_active and visitor.is_staff


def may_open_console(visitor: Visitor) -> bool:
    return is_staff(visitor) and visitor.has_perm(VIEW_CONVERSATION)


def may_open_inbox(visitor: Visitor) -> bool:
    return is_staff(visitor) and visitor.has_perm(VIEW_REVIEW)


def may_decide(visitor: Visitor) -> bool:
    return may_open_inbox(visitor) and visitor.has_perm(DECIDE_REVIEW)


def may_export(visitor: Visitor) -> bool:
    return may_open_inbox(visitor) and visitor.has_perm(EXPORT_REVIEW)


def may_watch_anything(visitor: Visitor) -> bool:
    has_right = any(map(visitor.has_perm, (VIEW_CONVERSATION, VIEW_TURN, VIEW_REVIEW)))
    return is_staff(visitor) and (has_right or may_watch(visitor))


def may_see_conversation(user: User, conversation_id: int) -> bool:
    """Whether it is one of the user's tenants, if it exists at all."""
    return tenant_ids(user) is None or bool(_seen(user, [conversation_id]))


def watchable(visitor: Visitor, topics: Iterable[str]) -> set[str]:
    if not isinstance(visitor, User) or not is_staff(visitor):
        return set()
    allowed = {topic for topic in topics if _has_right(visitor, topic)}
    return allowed if tenant_ids(visitor) is None else _of_tenants(visitor, allowed)


def _has_right(user: User, topic: str) -> bool:
    if topic == SWITCHES:
        return may_watch(user)
    if topic == REVIEWS:
        return user.has_perm(VIEW_REVIEW)
    if topic == DASHBOARD:
        return user.has_perm(VIEW_TURN) or user.has_perm(VIEW_CONVERSATION)
    return bool(CONVERSATION_TOPIC.fullmatch(topic)) and user.has_perm(VIEW_CONVERSATION)


def _of_tenants(user: User, topics: set[str]) -> set[str]:
    """Those that speak of no conversation, or of one that the user sees."""
    numbers = {topic: int(topic.split(".")[1]) for topic in topics if CONVERSATION_TOPIC.fullmatch(topic)}
    seen = _seen(user, numbers.values())
    return {topic for topic in topics if topic not in numbers or numbers[topic] in seen}


def _seen(user: User, conversation_ids: Collection[int]) -> set[int]:
    found = visible(Conversation.objects.filter(pk__in=conversation_ids), user)
    return set(found.order_by().values_list("pk", flat=True))


def conversation_ids(topics: Iterable[str]) -> list[int]:
    """Of those topics that are conversations, in order."""
    found = [topic for topic in topics if CONVERSATION_TOPIC.fullmatch(topic)]
    return sorted(int(topic.partition(".")[2]) for topic in found)


def visitor_now(session_key: str | None) -> Visitor:
    """Whose session this is at this moment: nobody's after a logout, a new password or a deactivation."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request)
