"""Backpressure: whether a tenant, or a conversation, may put more into the queue."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from conversations.models import (
    AuthorKind,
    Channel,
    Conversation,
    Delivery,
    Direction,
    Message,
    OverloadPolicy,
    Owner,
)
from pipeline.ingress.door import Known
from pipeline.models import Outcome
from pipeline.policies.errors import Code

RETRY_AFTER_S = 10


class PushBackError(Exception):
    """The channel's tenant is over its limit; nothing of the POST was recorded."""

    def __init__(self, code: Code) -> None:
        super().__init__(f"Too many messages wait ({code}). Nothing was recorded: please send again.")
        self.code = code


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a conversation's new messages end at the door, and what the contact is told, if anything."""

    outcome: Outcome
    code: Code
    reply: str


def judge(channel: Channel, addresses: Collection[str], known: Known) -> dict[str, Verdict]:
    """The addresses that are over a limit. Raises `PushBackError` where that is the channel's policy."""
    over = _over_limit(channel, addresses, known) if channel.overload_policy != OverloadPolicy.QUEUE else {}
    if over and channel.overload_policy == OverloadPolicy.PUSH_BACK:
        raise PushBackError(next(iter(over.values())))
    return {address: overloaded(channel, code) for address, code in over.items()}


def overloaded(channel: Channel, code: Code) -> Verdict:
    return Verdict(Outcome.SHED, code, channel.agent.overload_reply)


def _over_limit(channel: Channel, addresses: Collection[str], known: Known) -> dict[str, Code]:
    if known.waiting >= channel.tenant.max_waiting:
        return dict.fromkeys(addresses, Code.TENANT_OVERLOADED)
    full = {who.address for who in known.contacts.values() if who.conversation_id in known.full}
    return {address: Code.CONVERSATION_OVERLOADED for address in addresses if address in full}


def say_why(channel: Channel, verdicts: Mapping[int, Verdict], *, now: datetime) -> None:
    """Queue each one's reply, at most one a conversation and minute. In the caller's transaction."""
    minute = int(now.timestamp()) // 60
    told = [conversation_id for conversation_id, verdict in verdicts.items() if verdict.reply]
    owned_by_agent = Conversation.objects.filter(pk__in=told, owner_kind=Owner.AGENT)
    owner_epochs = owned_by_agent.values_list("pk", "owner_epoch")
    Message.objects.bulk_create(
        [
            Message(
                conversation_id=conversation_id,
                channel=channel,
                direction=Direction.OUT,
                author_kind=AuthorKind.AGENT,
                text=verdicts[conversation_id].reply,
                idempotency_key=uuid5(NAMESPACE_URL, f"overload:{conversation_id}:{minute}"),
                delivery=Delivery.QUEUED,
                owner_epoch=owner_epoch,
                created_at=now,
            )
            for conversation_id, owner_epoch in owner_epochs
        ],
        ignore_conflicts=True,
    )
