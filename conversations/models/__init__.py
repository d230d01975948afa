from conversations.models.agent import (
    MAX_BURST_S,
    Agent,
    Channel,
    ChannelKind,
    OutagePolicy,
    OverloadPolicy,
    Tenant,
    UnknownPolicy,
)
from conversations.models.conversation import Contact, Conversation, EndReason, Owner, Session, SummaryStatus
from conversations.models.message import DELIVERY_RANK, AuthorKind, Delivery, Direction, Message, MessageKind

__all__ = [
    "DELIVERY_RANK",
    "MAX_BURST_S",
    "Agent",
    "AuthorKind",
    "Channel",
    "ChannelKind",
    "Contact",
    "Conversation",
    "Delivery",
    "Direction",
    "EndReason",
    "Message",
    "MessageKind",
    "OutagePolicy",
    "OverloadPolicy",
    "Owner",
    "Session",
    "SummaryStatus",
    "Tenant",
    "UnknownPolicy",
]
