from pipeline.models.breaker import Breaker, BreakerState
from pipeline.models.control import (
    ApiKey,
    ApiScope,
    BlocklistEntry,
    BlocklistKind,
    Capability,
    Incident,
    Switch,
    SwitchAction,
    SwitchScope,
    SwitchStatus,
)
from pipeline.models.engine import QueuedTask, Worker, WorkerKind
from pipeline.models.housekeeping import HousekeepingRun
from pipeline.models.ledger import EventKind, EventStatus, Mailbox, Outcome, ProcessedEvent
from pipeline.models.turn import UNFINISHED, Step, StepKind, StepStatus, Turn, TurnStatus

__all__ = [
    "UNFINISHED",
    "ApiKey",
    "ApiScope",
    "BlocklistEntry",
    "BlocklistKind",
    "Breaker",
    "BreakerState",
    "Capability",
    "EventKind",
    "EventStatus",
    "HousekeepingRun",
    "Incident",
    "Mailbox",
    "Outcome",
    "ProcessedEvent",
    "QueuedTask",
    "Step",
    "StepKind",
    "StepStatus",
    "Switch",
    "SwitchAction",
    "SwitchScope",
    "SwitchStatus",
    "Turn",
    "TurnStatus",
    "Worker",
    "WorkerKind",
]
