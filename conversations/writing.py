"""What people write: to the contact, and to each other."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import Template
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from audit.models import ActorKind
from audit.operations import Fact, record
from conversations import attachments, ownership, sessions
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.media import media_of
from conversations.models import (
    Attachment,
    AuthorKind,
    CannedReply,
    ChannelKind,
    Conversation,
    Delivery,
    Direction,
    Message,
    MessageKind,
    Note,
)

WINDOWS = {ChannelKind.WHATSAPP_CLOUD: timedelta(hours=24)}
"""How long after the contact's last message a channel takes what we write freely (Cloud API, error 131047)."""
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
"""WhatsApp's limits (Cloud API, messages)."""
LONGEST_NOTE = 4000
MOST_CANNED = 20
SHORTEST_IN_TEXT = 3
NEVER = datetime.min.replace(tzinfo=UTC)


class NotWrittenError(Exception):
    """The text says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """`key` comes with the form: the same form sent again is the same message."""

    key: UUID
    text: str = ""
    attachment_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledReply:
    """A canned reply as it would be sent here."""

    shortcut: str
    text: str


@transaction.atomic
def say(conversation_id: int, words: Words, *, by: User, owner_epoch: int, now: datetime) -> Message:
    """Queue what the owner writes to the contact, once a key. Raises `NotWrittenError` and `OwnerChangedError`.

    Whoever calls it wakes the mailbox.
    """
    conversation = ownership.locked(conversation_id)
    if known := _said_before(conversation, words, by):
        return known
    ownership.check_is_owner(conversation, by, owner_epoch)
    _check_window(conversation, now)
    attachment = _attachment(conversation, words)
    _check_length(words.text, attachment)
    message = Message.objects.create(
        conversation=conversation,
        session=sessions.join(conversation_id=conversation_id, now=now),
        channel_id=conversation.channel_id,
        direction=Direction.OUT,
        author_kind=AuthorKind.PERSON,
        author=by,
        kind=attachments.kind_of(attachment) if attachment else MessageKind.TEXT,
        text=words.text,
        media=media_of(attachment) if attachment else {},
        created_at=now,
        idempotency_key=words.key,
        delivery=Delivery.QUEUED,
        owner_epoch=owner_epoch,
    )
    Conversation.objects.filter(pk=conversation_id).update(last_message_at=now)
    ownership.touch(conversation_id, by=by, now=now)
    _record_act("message.written", "message", message.pk, conversation, by, now)
    announce(conversation_topic(conversation_id), DASHBOARD)
    return message


@transaction.atomic
def note(conversation_id: int, text: str, *, by: User, now: datetime, for_agent: bool = False) -> Note:
    """For staff, and with `for_agent` for the agent's next turn. Raises `NotWrittenError`."""
    if not text or len(text) > LONGEST_NOTE:
        raise NotWrittenError(_("A note has from 1 to %(most)s characters.") % {"most": LONGEST_NOTE})
    conversation = Conversation.objects.get(pk=conversation_id)
    written = Note.objects.create(
        conversation=conversation, author=by, text=text, for_agent=for_agent, created_at=now
    )
    ownership.touch(conversation_id, by=by, now=now)
    _record_act("note.written", "note", written.pk, conversation, by, now)
    announce(conversation_topic(conversation_id))
    return written


def window_closes_at(conversation_id: int, channel_kind: str) -> datetime | None:
    """Until when the channel takes what we write; None where it has no window.

    A contact who never wrote has opened none: that is `NEVER`.
    """
    window = WINDOWS.get(ChannelKind(channel_kind))
    if window is None:
        return None
    said = Message.objects.filter(conversation_id=conversation_id, direction=Direction.IN)
    last = said.order_by("-id").values_list("created_at", flat=True).first()
    return last + window if last else NEVER


def canned_replies(conversation_id: int, search: str) -> list[FilledReply]:
    """Those that the tenant may use and whose shortcut has `search` in it, or whose text has more than a letter or
    two of it. Shortcuts that begin so come first."""
    conversation = Conversation.objects.select_related("contact", "tenant", "channel__agent").get(
        pk=conversation_id
    )
    usable = CannedReply.objects.filter(Q(tenant=None) | Q(tenant_id=conversation.tenant_id))
    in_text = Q(text__icontains=search) if len(search) >= SHORTEST_IN_TEXT else Q(pk=None)
    found = usable.filter(Q(shortcut__icontains=search) | in_text)
    first = sorted(found[:200], key=lambda reply: (not reply.shortcut.startswith(search), reply.shortcut))
    values = {
        "contact_name": conversation.contact.name or conversation.contact.address,
        "agent_name": conversation.channel.agent.name,
        "tenant_name": conversation.tenant.name,
    }
    return [
        FilledReply(shortcut=reply.shortcut, text=Template(reply.text).safe_substitute(values))
        for reply in first[:MOST_CANNED]
    ]


def _said_before(conversation: Conversation, words: Words, by: User) -> Message | None:
    """The same words under the same key; other words under it are new ones, and come with a key of their own."""
    known = Message.objects.filter(idempotency_key=words.key).first()
    if known is None:
        return None
    named = str(words.attachment_id) if words.attachment_id else None
    now_said = (conversation.pk, by.pk, words.text, named)
    if now_said != (known.conversation_id, known.author_id, known.text, known.media.get("attachment_id")):
        raise NotWrittenError(_("What you wrote before this was sent already. Send this again."))
    return known


def _check_window(conversation: Conversation, now: datetime) -> None:
    closes_at = window_closes_at(conversation.pk, conversation.channel.kind)
    if closes_at and closes_at <= now:
        raise NotWrittenError(
            _(
                "More than 24 hours have passed since the contact last wrote: WhatsApp takes no free message now."
            )
        )


def _attachment(conversation: Conversation, words: Words) -> Attachment | None:
    if words.attachment_id is None:
        return None
    attachment = Attachment.objects.filter(conversation=conversation, pk=words.attachment_id).first()
    if attachment is None:
        raise NotWrittenError(_("The attached file is gone. Attach it again."))
    return attachment


def _check_length(text: str, attachment: Attachment | None) -> None:
    if not text and attachment is None:
        raise NotWrittenError(_("Write something, or attach a file."))
    if text and attachment and attachments.kind_of(attachment) == MessageKind.AUDIO:
        raise NotWrittenError(_("Audio goes without words: send the text by itself."))
    most = LONGEST_CAPTION if attachment else LONGEST_TEXT
    if len(text) > most:
        raise NotWrittenError(
            _("The text has %(length)s characters; it may have %(most)s.")
            % {"length": len(text), "most": most}
        )


def _record_act(
    action: str, object_type: str, object_id: int, conversation: Conversation, by: User, now: datetime
) -> None:
    fact = Fact(
        action=action,
        object_type=object_type,
        object_id=object_id,
        actor_kind=ActorKind.PERSON,
        actor=by.get_username(),
        ids=ownership.ids_of(conversation),
    )
    record(fact, now=now)
