from pipeline.admin.agent import AgentAdmin
from pipeline.admin.breaker import BreakerAdmin
from pipeline.admin.channel import ChannelAdmin
from pipeline.admin.engine import (
    HousekeepingRunAdmin,
    MailboxAdmin,
    QueuedTaskAdmin,
    WorkerAdmin,
)
from pipeline.admin.event import EventAdmin
from pipeline.admin.message import MessageAdmin
from pipeline.admin.step import StepAdmin
from pipeline.admin.turn import TurnAdmin

__all__ = [
    "AgentAdmin",
    "BreakerAdmin",
    "ChannelAdmin",
    "EventAdmin",
    "HousekeepingRunAdmin",
    "MailboxAdmin",
    "MessageAdmin",
    "QueuedTaskAdmin",
    "StepAdmin",
    "TurnAdmin",
    "WorkerAdmin",
]
