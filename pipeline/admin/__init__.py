from pipeline.admin.agent import AgentAdmin
from pipeline.admin.api_key import ApiKeyAdmin
from pipeline.admin.blocklist import BlocklistEntryAdmin
from pipeline.admin.breaker import BreakerAdmin
from pipeline.admin.channel import ChannelAdmin
from pipeline.admin.engine import (
    HousekeepingRunAdmin,
    MailboxAdmin,
    QueuedTaskAdmin,
    WorkerAdmin,
)
from pipeline.admin.event import EventAdmin
from pipeline.admin.incident import IncidentAdmin
from pipeline.admin.message import MessageAdmin
from pipeline.admin.step import StepAdmin
from pipeline.admin.switch import SwitchAdmin
from pipeline.admin.turn import TurnAdmin

__all__ = [
    "AgentAdmin",
    "ApiKeyAdmin",
    "BlocklistEntryAdmin",
    "BreakerAdmin",
    "ChannelAdmin",
    "EventAdmin",
    "HousekeepingRunAdmin",
    "IncidentAdmin",
    "MailboxAdmin",
    "MessageAdmin",
    "QueuedTaskAdmin",
    "StepAdmin",
    "SwitchAdmin",
    "TurnAdmin",
    "WorkerAdmin",
]
