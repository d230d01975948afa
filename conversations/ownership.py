"""Who answers in a conversation. Each change of owner raises `owner_epoch`, which fences what the agent still sends."""

from datetime import datetime, timedelta

from django.db import transaction

from audit.operations import Fact, record
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Conversation, Owner


@transaction.atomic
def taken_by_phone(conversation_id: int, *, now: datetime) -> bool:
    """Somebody answered by hand on the phone itself: the agent is silent until the channel's time is over.

    Each further hand reply begins that time anew. A person's conversation stays theirs. True if the owner changed.
    """
    conversations = Conversation.objects.select_for_update(of=("self",), no_key=True)
    conversation = (
        conversations.select_related("channel").defer("channel__credentials").get(pk=conversation_id)
    )
    if conversation.owner_kind == Owner.PERSON:
        return False
    is_new = conversation.owner_kind != Owner.PHONE
    conversation.owner_kind = Owner.PHONE
    conversation.owner_epoch += is_new
    conversation.owned_since = conversation.owned_since or now
    conversation.owner_active_at = now
    conversation.owned_until = now + timedelta(minutes=conversation.channel.hand_reply_minutes)
    conversation.save(
        update_fields=["owner_kind", "owner_epoch", "owned_since", "owner_active_at", "owned_until"]
    )
    if is_new:
        fact = Fact(
            action="conversation.taken_by_phone",
            object_type="conversation",
            object_id=conversation_id,
            ids={"tenant_id": conversation.tenant_id, "conversation_id": conversation_id},
        )
        record(fact, now=now)
    announce(conversation_topic(conversation_id), DASHBOARD)
    return is_new
