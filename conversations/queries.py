"""Reads of what was said. Pages are cut by key: a page costs the same however much was said before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.expressions import Combinable

from conversations.access import visible
from conversations.media import Named
from conversations.models import Channel, Conversation, Message, MessageKind, Session


def minutes(field: str) -> Combinable:
    """The whole minutes that `field` holds, as a duration that the database reckons with."""
    return ExpressionWrapper(F(field) * timedelta(minutes=1), output_field=DurationField())


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationHeader:
    """Who talks with whom. `owner_name` is empty while the agent owns the conversation."""

    id: int
    tenant_id: int
    tenant_name: str
    time_zone: str
    channel: str
    contact_id: int
    contact_name: str
    contact_address: str
    agent_name: str
    owner_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMark:
    """A message's session, as far as a reader needs it to see where one ends and the next begins."""

    id: int
    end_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message. `author` is empty where the contact or the agent speaks; `file` is one that a person sent."""

    id: int
    direction: str
    author_kind: str
    author: str
    kind: str
    text: str
    at: datetime
    session: SessionMark | None
    turn_id: UUID | None
    delivery: str
    error_code: str
    error_detail: str
    file: Named | None = None

    @property
    def kind_label(self) -> str:
        return str(MessageKind(self.kind).label)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """Oldest first. `before` is the message that came just before the page, None where the conversation begins."""

    messages: Sequence[Said]
    before: Said | None


def conversation_header(conversation_id: int) -> ConversationHeader:
    """Raises `Conversation.DoesNotExist`. Leaves the channel's credentials where they are."""
    found = (
        Conversation.objects.select_related("tenant", "contact", "channel__agent", "owner")
        .defer("channel__credentials")
        .get(pk=conversation_id)
    )
    return ConversationHeader(
        id=found.pk,
        tenant_id=found.tenant_id,
        tenant_name=found.tenant.name,
        time_zone=found.tenant.time_zone,
        channel=found.channel.slug,
        contact_id=found.contact_id,
        contact_name=found.contact.name,
        contact_address=found.contact.address,
        agent_name=found.channel.agent.name,
        owner_name=found.owner.get_username() if found.owner else "",
    )


def newest_messages(conversation_id: int, *, limit: int, since: int | None = None) -> MessagePage:
    """The newest, at most `limit`; with `since` none older than that message."""
    messages = Message.objects.filter(conversation_id=conversation_id)
    if since is None:
        return _page(messages, limit)
    page = _page(messages.filter(id__gte=since), limit)
    if page.before is not None:
        return page
    older = _page(messages.filter(id__lt=since), 1).messages
    return MessagePage(messages=page.messages, before=older[0] if older else None)


def messages_before(conversation_id: int, message_id: int, *, limit: int) -> MessagePage:
    return _page(Message.objects.filter(conversation_id=conversation_id, id__lt=message_id), limit)


def said_at(conversation_id: int, message_id: int) -> datetime:
    """Raises `Message.DoesNotExist` where the conversation has no such message."""
    messages = Message.objects.filter(conversation_id=conversation_id)
    return messages.values_list("created_at", flat=True).get(pk=message_id)


def channel_slugs(user: User) -> list[str]:
    """Of the channels that the user sees."""
    return list(visible(Channel.objects.order_by("slug"), user).values_list("slug", flat=True))


def _page(messages: QuerySet[Message], limit: int) -> MessagePage:
    newest_first = messages.select_related("session", "author").order_by("-id")[: limit + 1]
    found = [_said(message) for message in reversed(newest_first)]
    if len(found) <= limit:
        return MessagePage(messages=found, before=None)
    return MessagePage(messages=found[1:], before=found[0])


def _said(message: Message) -> Said:
    return Said(
        id=message.pk,
        direction=message.direction,
        author_kind=message.author_kind,
        author=message.author.get_username() if message.author else "",
        kind=message.kind,
        text=message.text,
        at=message.created_at,
        session=_session_mark(message.session) if message.session else None,
        turn_id=message.turn_id,
        delivery=message.delivery,
        error_code=message.error_code,
        error_detail=message.error_detail,
        file=Named.of(message.media),
    )


def _session_mark(session: Session) -> SessionMark:
    return SessionMark(id=session.pk, end_reason=session.end_reason)
