"""What people do in the console. Reading what a contact said is such a deed: it leaves evidence."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from audit.models import ActorKind
from audit.operations import Fact, record
from conversations.queries import ConversationHeader, conversation_header


@transaction.atomic
def open_conversation(conversation_id: int, *, by: User, now: datetime) -> ConversationHeader:
    """Record that a person reads the conversation. Raises `Conversation.DoesNotExist`."""
    header = conversation_header(conversation_id)
    ids = {"tenant_id": header.tenant_id, "conversation_id": header.id, "contact_id": header.contact_id}
    fact = Fact(
        action="conversation.read",
        object_type="conversation",
        object_id=header.id,
        actor_kind=ActorKind.PERSON,
        actor=by.get_username(),
        ids=ids,
    )
    record(fact, now=now)
    return header
